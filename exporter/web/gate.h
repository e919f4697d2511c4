// SPDX-License-Identifier: Apache-2.0
// Who may come in: accepts connections, and refuses an address more than its share of them.
//
// A connection holds one of the server's threads until its request is complete or has timed out.
// Who refuses it only then has lost the thread already; so it happens here, where it costs none.
//
// Threads: the one that accepts.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "web/network.h"

namespace corosync_exporter::web {

class Gate {
 public:
  // What becomes of a connection that is refused, or cannot be accepted.
  struct Callbacks {
    // `descriptor` is closed after it.
    std::function<void(int descriptor, const std::string& address)> refused;
    // Without descriptors or memory left: `error` is the errno that says which.
    std::function<void(int error)> exhausted;
  };

  // `limit`: connections of one address at a time.
  Gate(std::size_t limit, Callbacks callbacks);

  // As accept(2), without SOCK_CLOEXEC or the like; EAGAIN also after a refusal. Without
  // descriptors or memory left it takes its time, so that who calls it again at once does not spin.
  int accept(int listener, sockaddr* address, socklen_t* length) noexcept;

 private:
  struct Connection {
    int descriptor = -1;
    Network network{};
    sockaddr_storage peer{};
  };

  bool admit(int descriptor, const sockaddr_storage& peer);
  void forget_closed();

  const std::size_t limit_;
  const Callbacks callbacks_;
  // Nobody tells when one is closed: those that are no more are found out when it matters.
  std::vector<Connection> connections_;
};

}  // namespace corosync_exporter::web
