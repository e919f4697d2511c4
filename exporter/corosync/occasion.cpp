// SPDX-License-Identifier: Apache-2.0
#include "corosync/occasion.h"

#include <algorithm>

namespace corosync_exporter {
namespace {

// A verdict follows its node list within some ms; one that took longer has a time of its own.
constexpr std::chrono::seconds verdict_follows{1};
// Reachability is read after each event, and at each poll.
constexpr std::chrono::seconds links_follow{10};

bool is_verdict(ChangeKind kind) {
  return kind == ChangeKind::quorum_lost || kind == ChangeKind::quorum_regained;
}

bool tells(const std::vector<Change>& changes, ChangeKind kind) {
  return std::ranges::find(changes, kind, &Change::kind) != changes.end();
}

bool tells(const std::vector<Change>& changes, ChangeKind kind, NodeId id) {
  const auto change = std::ranges::find(changes, kind, &Change::kind);
  return change != changes.end() && std::ranges::find(change->nodes, id) != change->nodes.end();
}

// Links that went down with the nodes that left, or came up with those that joined.
bool go_with_their_nodes(const Change& change, const std::vector<Change>& others) {
  const ChangeKind kind =
      change.kind == ChangeKind::links_down ? ChangeKind::nodes_left : ChangeKind::nodes_joined;
  return std::ranges::all_of(change.links,
                             [&](const LinkId& link) { return tells(others, kind, link.first); });
}

}  // namespace

bool Occasion::goes_on(const std::vector<Change>& changes, const ClusterState& after,
                       SteadyTime now) {
  newest_word_ = std::max(newest_word_, now);
  const Duration since = newest_word_ - begun_;
  const bool same = !changes_.empty() && std::ranges::all_of(changes, [&](const Change& change) {
    return belongs(change, after, since);
  });
  if (!same) {
    changes_.clear();
    begun_ = newest_word_;
    const bool forms = std::ranges::any_of(changes, is_membership, &Change::kind);
    forming_ = forms && after.present && after.present->membership
                   ? std::optional{after.present->membership->ring}
                   : std::nullopt;
  }
  changes_.insert(changes_.end(), changes.begin(), changes.end());
  return same;
}

bool Occasion::belongs(const Change& change, const ClusterState& after, Duration since) const {
  if (tells(changes_, change.kind)) {
    return false;
  }
  if (is_verdict(change.kind)) {
    return forming_ && after.present->verdict && after.present->verdict->ring == *forming_ &&
           since <= verdict_follows;
  }
  return !change.links.empty() && since <= links_follow && go_with_their_nodes(change, changes_);
}

}  // namespace corosync_exporter
