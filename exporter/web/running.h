// SPDX-License-Identifier: Apache-2.0
// The handlers that are under way, and since when: what the watchdog asks. Any thread.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <set>

namespace corosync_exporter::web {

class Running {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // For as long as a handler runs.
  class Turn {
   public:
    Turn(Running& running, Time now) : running_{running} {
      const std::lock_guard lock{running_.mutex_};
      began_ = running_.began_.insert(now);
    }
    ~Turn() {
      const std::lock_guard lock{running_.mutex_};
      running_.began_.erase(began_);
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    Running& running_;
    std::multiset<Time>::iterator began_;
  };

  // When the one began that has been running for longest; none: none runs.
  [[nodiscard]] std::optional<Time> since() const {
    const std::lock_guard lock{mutex_};
    return began_.empty() ? std::nullopt : std::optional{*began_.begin()};
  }

 private:
  mutable std::mutex mutex_;
  std::multiset<Time> began_;
};

}  // namespace corosync_exporter::web
