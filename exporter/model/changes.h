// SPDX-License-Identifier: Apache-2.0
// What a person wants to be told when one state gives way to the next.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "model/facts.h"
#include "model/moment.h"

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
[[nodiscard]] constexpr bool is_membership(ChangeKind kind) {
  return kind == ChangeKind::nodes_left || kind == ChangeKind::nodes_joined;
}

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

}  // namespace corosync_exporter
