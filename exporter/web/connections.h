// SPDX-License-Identifier: Apache-2.0
// The connections that are open: each from accept to close, so that it is known how many a network
// has, and all can be ended.
//
// A number that is known here is an open descriptor, and nobody else's. Whoever serves the
// connection reads and writes by it meanwhile, and takes it out before closing it. Any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <optional>
#include <vector>

#include "web/network.h"

namespace corosync_exporter::web {

class Connections {
 public:
  // `limit`: connections of one network at a time.
  explicit Connections(std::size_t limit) : limit_{limit} {}
  // Closes those that nobody has taken out.
  ~Connections();

  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  // False: its network has its share, and it is not known here.
  [[nodiscard]] bool add(int descriptor, const Network& network);

  // Before it is closed. Other descriptors are none of its business.
  void remove(int descriptor);

  // As shutdown(2), of all, and of all that come later.
  void shut_down(int how);

  // Until the last one is taken out, but for no longer than that.
  void wait_until_none(std::chrono::milliseconds limit);

 private:
  struct Connection {
    int descriptor = -1;
    Network network{};
  };

  const std::size_t limit_;

  std::mutex mutex_;  // of what follows
  std::vector<Connection> open_;
  std::optional<int> shut_down_;  // how
  std::condition_variable none_left_;
};

}  // namespace corosync_exporter::web
