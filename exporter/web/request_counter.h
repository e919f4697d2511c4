// SPDX-License-Identifier: Apache-2.0
// Counts answers by status code. Any thread. Outlives the server, so that a handler can show the
// counts.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>

namespace corosync_exporter::web {

class RequestCounter {
 public:
  void count(int status) {
    const std::lock_guard lock{mutex_};
    ++answered_[status];
  }

  // 200 is there from the start, so that its rate has a beginning.
  [[nodiscard]] std::map<int, std::uint64_t> answered() const {
    const std::lock_guard lock{mutex_};
    return answered_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<int, std::uint64_t> answered_{{200, 0}};
};

}  // namespace corosync_exporter::web
