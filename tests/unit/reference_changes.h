// SPDX-License-Identifier: Apache-2.0
// A second opinion on what `apply` tells: the changes that can be seen by comparing the whole state
// before an event with the one after it.
//
// Slow and plain on purpose, as reference_model.h is.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "model/changes.h"
#include "model/cluster_state.h"

namespace corosync_exporter {
namespace reference {

// The nodes whose `counter` grew.
inline std::vector<NodeId> grown(const ClusterState& before, const ClusterState& after,
                                 std::uint64_t Node::*counter) {
  std::vector<NodeId> ids;
  for (const auto& [id, node] : after.nodes) {
    const auto old = before.nodes.find(id);
    if (node.*counter > (old == before.nodes.end() ? 0 : old->second.*counter)) {
      ids.push_back(id);
    }
  }
  return ids;
}

inline void add_connection(std::vector<Change>& changes, const ClusterState& before,
                           const ClusterState& after) {
  if (is_synced(before) && !is_synced(after)) {
    changes.push_back({.kind = ChangeKind::disconnected, .failure = after.disconnected_by});
  } else if (after.disconnected_by && after.disconnected_by != before.disconnected_by) {
    changes.push_back({.kind = ChangeKind::connection_failed, .failure = after.disconnected_by});
  }
  if (is_synced(after) && !is_synced(before)) {
    changes.push_back({.kind = ChangeKind::connected});
  }
  const bool was_silent = before.present && before.present->silence_told;
  if (was_silent && after.present && !after.present->silence_told) {
    changes.push_back({.kind = ChangeKind::answers_again});
  }
}

inline void add_membership(std::vector<Change>& changes, const ClusterState& before,
                           const ClusterState& after) {
  if (auto left = grown(before, after, &Node::leaves); !left.empty()) {
    changes.push_back({.kind = ChangeKind::nodes_left, .nodes = std::move(left)});
  }
  if (auto joined = grown(before, after, &Node::joins); !joined.empty()) {
    changes.push_back({.kind = ChangeKind::nodes_joined, .nodes = std::move(joined)});
  }
}

inline void add_quorum(std::vector<Change>& changes, const QuorumHistory& before,
                       const QuorumHistory& after) {
  if (after.losses > before.losses) {
    changes.push_back({.kind = ChangeKind::quorum_lost});
  } else if (after.changes > before.changes) {
    changes.push_back({.kind = ChangeKind::quorum_regained, .lasted = after.last_loss});
  }
}

inline void add_sources(std::vector<Change>& changes, const ClusterState& before,
                        const ClusterState& after) {
  for (const auto& [source, status] : after.sources) {
    const auto old = before.sources.find(source);
    const bool had_failed = old != before.sources.end() && old->second.failure;
    if (status.failure && !had_failed) {
      changes.push_back(
          {.kind = ChangeKind::source_failed, .source = source, .failure = status.failure});
    } else if (status.up && had_failed) {
      changes.push_back({.kind = ChangeKind::source_recovered, .source = source});
    }
  }
}

inline void add_votes(std::vector<Change>& changes, const Votes& before, const Votes& after) {
  if (before.expected != after.expected) {
    changes.push_back(
        {.kind = ChangeKind::expected_votes, .votes = std::pair{before.expected, after.expected}});
  }
  Change votes{.kind = ChangeKind::device_votes};
  Change silent{.kind = ChangeKind::device_silent};
  for (const auto& [id, node] : after.nodes) {
    const auto old = before.nodes.find(id);
    if (old == before.nodes.end() || !old->second.qdevice || !node.qdevice ||
        old->second.qdevice->casting_vote == node.qdevice->casting_vote) {
      continue;
    }
    (node.qdevice->casting_vote ? votes : silent).nodes.push_back(id);
  }
  for (Change* change : {&silent, &votes}) {
    if (!change->nodes.empty()) {
      changes.push_back(std::move(*change));
    }
  }
}

inline void add_links(std::vector<Change>& changes, const std::map<NodeId, Reachability>& before,
                      const std::map<NodeId, Reachability>& after) {
  Change down{.kind = ChangeKind::links_down};
  Change up{.kind = ChangeKind::links_up};
  for (const auto& [id, node] : after) {
    const auto old_node = before.find(id);
    if (old_node == before.end()) {
      continue;
    }
    for (const auto& [number, link] : node.links) {
      const auto old = old_node->second.links.find(number);
      if (old != old_node->second.links.end() && old->second.connected != link.connected) {
        (link.connected ? up : down).links.emplace_back(id, number);
      }
    }
  }
  for (Change* change : {&down, &up}) {
    if (!change->links.empty()) {
      changes.push_back(std::move(*change));
    }
  }
}

// Only what both know: a new connection begins with nothing, and tells no change by that.
inline void add_readings(std::vector<Change>& changes, const ClusterState& before,
                         const ClusterState& after) {
  if (!before.present || !after.present) {
    return;
  }
  if (before.present->votes && after.present->votes) {
    add_votes(changes, *before.present->votes, *after.present->votes);
  }
  add_links(changes, before.present->reachability.map(), after.present->reachability.map());
}

}  // namespace reference

// One event apart.
inline std::vector<Change> differences(const ClusterState& before, const ClusterState& after) {
  std::vector<Change> changes;
  reference::add_connection(changes, before, after);
  reference::add_membership(changes, before, after);
  reference::add_quorum(changes, before.quorum, after.quorum);
  reference::add_sources(changes, before, after);
  reference::add_readings(changes, before, after);
  return changes;
}

}  // namespace corosync_exporter
