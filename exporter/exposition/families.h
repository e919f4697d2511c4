// SPDX-License-Identifier: Apache-2.0
// Every metric's name and help, and how the state becomes its series. docs/metrics.md says where
// each value comes from.
//
// Pure. Families are built afresh each time: no node that left the page lingers on it, and no
// scrape is torn. What is unknown has no series, and a family without series is left out.
#pragma once

#include <prometheus/metric_family.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/cluster_state.h"

namespace corosync_exporter {

using Families = std::vector<prometheus::MetricFamily>;

// Which parts of a state count at some moment; the rest of it has to be held unknown.
struct Known {
  bool present = false;  // the callbacks' facts
  bool votes = false;    // the readings' facts
  bool configuration = false;
  bool operator==(const Known&) const = default;
};
[[nodiscard]] Known known_at(const ClusterState& state, SteadyTime now);

// The program: nothing that corosync says.
struct Self {
  std::string version{};
  std::string revision{};
  std::optional<Duration> call_in_flight{};     // how long it has waited for corosync
  std::map<int, std::uint64_t> http_answers{};  // by status code
};

// What changes only when the state or what is known of it does.
[[nodiscard]] Families lasting_families(const ClusterState& state, Known known);

// What moves with time, too.
[[nodiscard]] Families momentary_families(const ClusterState& state, SteadyTime now,
                                          const Self& self);

}  // namespace corosync_exporter
