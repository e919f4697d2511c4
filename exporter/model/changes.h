// SPDX-License-Identifier: Apache-2.0
// What a person wants to be told when one state gives way to the next. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "model/cluster_state.h"

namespace corosync_exporter {

enum class ChangeKind {
  connected,          // and synced
  connection_failed,  // `failure`: a try failed for another reason than the try before it
  disconnected,       // `failure`
  fell_silent,        // no word from corosync for `stale_after`
  answers_again,
  nodes_left,    // `nodes`
  nodes_joined,  // `nodes`
  quorum_lost,
  quorum_regained,   // `lasted`: how long it was lost, as far as that was seen
  source_failed,     // `source`, `failure`
  source_recovered,  // `source`
  links_down,        // `links`: no longer connected, though both readings have them
  links_up,          // `links`
  device_votes,      // `nodes`: their quorum device casts its vote again
  device_silent,     // `nodes`: it no longer does
  expected_votes     // `votes`: from, to
};

// Of who left or joined.
[[nodiscard]] bool is_membership(ChangeKind kind);

struct Change {
  ChangeKind kind{};
  std::vector<NodeId> nodes{};
  std::optional<Duration> lasted{};
  std::optional<Source> source{};
  std::optional<Failure> failure{};
  std::vector<LinkId> links{};
  std::optional<std::pair<std::uint32_t, std::uint32_t>> votes{};
  bool operator==(const Change&) const = default;
};

// What changed between `before`, as it was at `then`, and `after`, as it is `now`; in the order in
// which a story would tell it. One event apart, or none: silence is a change that time alone makes.
[[nodiscard]] std::vector<Change> changes_between(const ClusterState& before, SteadyTime then,
                                                  const ClusterState& after, SteadyTime now);

}  // namespace corosync_exporter
