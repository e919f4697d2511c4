// SPDX-License-Identifier: Apache-2.0
// The standard metrics of the exporter's own process, with Prometheus's names and help texts.
//
// Read anew at each call, from any thread, in some 5 µs. Needs of /proc only /proc/self, and keeps
// two of its files open.
#pragma once

#include <prometheus/metric_family.h>

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace corosync_exporter {

// Sorted by name. A family whose value cannot be read is absent.
[[nodiscard]] std::vector<prometheus::MetricFamily> process_families();

// The same as text, read anew where it is older than a tenth of a second: many scrapes at once do
// not read it more often than that.
//
// Threads: any.
class ProcessText {
 public:
  [[nodiscard]] std::string at(std::chrono::steady_clock::time_point now);

 private:
  std::mutex mutex_;
  std::optional<std::chrono::steady_clock::time_point> read_at_;
  std::string text_;
};

}  // namespace corosync_exporter
