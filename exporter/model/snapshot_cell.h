// SPDX-License-Identifier: Apache-2.0
// Where the loop thread leaves its newest state and HTTP threads pick it up.
//
// Threads: any may call either. A value once published never changes; a reader keeps it alive for
// as long as it looks at it.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

namespace corosync_exporter {

template <class Value>
class SnapshotCell {
 public:
  explicit SnapshotCell(Value value) { publish(std::move(value)); }

  void publish(Value value) {
    auto fresh = std::make_shared<const Value>(std::move(value));
    const std::lock_guard lock{mutex_};
    current_.swap(fresh);  // `fresh`, now the old value, dies after the lock is released
  }

  [[nodiscard]] std::shared_ptr<const Value> read() const {
    const std::lock_guard lock{mutex_};
    return current_;
  }

 private:
  mutable std::mutex mutex_;  // held to swap or copy the pointer only
  std::shared_ptr<const Value> current_;
};

}  // namespace corosync_exporter
