// SPDX-License-Identifier: Apache-2.0
// Every metric's name and help, and how the state becomes its series. docs/metrics.md says where
// each value comes from.
//
// Pure. Families are built afresh each time: no node that left the page lingers on it, and no
// scrape is torn. What is unknown has no series, and a family without series is left out.
#pragma once

#include <prometheus/metric_family.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "model/cluster_state.h"
#include "model/view.h"

namespace corosync_exporter {

// Takes each family as it is made: of a large cluster, all together are some megabytes.
using FamilySink = std::function<void(const prometheus::MetricFamily&)>;

// What corosync says now; what nobody knows is absent.
void present_families(const View& view, const FamilySink& sink);

// What the exporter has seen since it began.
void history_families(const ClusterState& state, const FamilySink& sink);

// The program: nothing that corosync says.
struct Self {
  std::optional<Duration> call_in_flight{};     // how long it has waited for corosync
  std::map<int, std::uint64_t> http_answers{};  // by status code
  struct WebConfig {
    bool last_reload_succeeded = true;
    std::uint64_t reload_failures = 0;
  };
  std::optional<WebConfig> web_config{};  // where there is a file
};
// What moves with time, besides the history. `lost`: the time without quorum to show.
void momentary_families(const ClusterState& state, SteadyTime now, Duration lost, const Self& self,
                        const FamilySink& sink);

struct Build {
  std::string version;
  std::string revision;
};
void build_families(const Build& build, const FamilySink& sink);

}  // namespace corosync_exporter
