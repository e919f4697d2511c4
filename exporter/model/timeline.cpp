// SPDX-License-Identifier: Apache-2.0
#include "model/timeline.h"

#include <algorithm>
#include <utility>

namespace corosync_exporter {
namespace {

// A verdict follows its node list within some ms; one that took longer has a time of its own.
constexpr std::chrono::seconds verdict_follows{1};
// Reachability is read after each event, and at each poll.
constexpr std::chrono::seconds links_follow{10};

// Not within a character of UTF-8.
std::string cut(const std::string& name) {
  if (name.size() <= Timeline::most_name_bytes) {
    return name;
  }
  constexpr unsigned int marks = 0xC0;
  constexpr unsigned int continues = 0x80;
  std::size_t end = Timeline::most_name_bytes;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & marks) == continues) {
    --end;
  }
  return name.substr(0, end) + "…";
}

std::string name_of(NodeId id, const ClusterState& state) {
  const auto node = state.nodes.find(id);
  return node != state.nodes.end() && node->second.name ? cut(*node->second.name) : "";
}

std::vector<NodeId> nodes_of(const Change& change) {
  std::vector<NodeId> nodes = change.nodes;
  for (const auto& [id, number] : change.links) {
    nodes.push_back(id);
  }
  return nodes;
}

Told told(const Change& change, const ClusterState& after, SystemTime now) {
  Told fresh{.at = now, .change = change};
  for (const NodeId id : nodes_of(change)) {
    if (fresh.names.size() == Timeline::most_names) {
      break;
    }
    fresh.names.push_back(name_of(id, after));
  }
  return fresh;
}

bool is_verdict(ChangeKind kind) {
  return kind == ChangeKind::quorum_lost || kind == ChangeKind::quorum_regained;
}

bool tells(const TimelineEntry& entry, ChangeKind kind) {
  return std::ranges::any_of(entry.told,
                             [&](const Told& said) { return said.change.kind == kind; });
}

bool tells(const TimelineEntry& entry, ChangeKind kind, NodeId id) {
  return std::ranges::any_of(entry.told, [&](const Told& said) {
    return said.change.kind == kind &&
           std::ranges::find(said.change.nodes, id) != said.change.nodes.end();
  });
}

// Links that went down with the nodes that left, or came up with those that joined.
bool go_with_their_nodes(const Change& change, const TimelineEntry& entry) {
  const ChangeKind kind =
      change.kind == ChangeKind::links_down ? ChangeKind::nodes_left : ChangeKind::nodes_joined;
  return std::ranges::all_of(change.links,
                             [&](const LinkId& link) { return tells(entry, kind, link.first); });
}

}  // namespace

void Timeline::note(const std::vector<Change>& changes, const ClusterState& after, Moment now) {
  if (changes.empty()) {
    return;
  }
  if (const Duration back = newest_word_ - now.steady; back > Duration::zero()) {
    now.steady += back;
    now.system += std::chrono::duration_cast<SystemTime::duration>(back);
  }
  newest_word_ = now.steady;
  follow_verdict(changes, now.system);
  follow_silence(after, now);
  for (const Change& change : changes) {
    if (change.kind == ChangeKind::quorum_regained) {
      end_loss(change);
    }
  }
  TimelineEntry newest;
  if (belongs_to_newest(changes, after, now.steady)) {
    newest = *entries_.back();
    entries_.pop_back();
  } else {
    newest.number = ++made_;
    newest_at_ = now.steady;
    const bool forms = std::ranges::any_of(
        changes, [](const Change& change) { return is_membership(change.kind); });
    forming_ = forms && after.present && after.present->membership
                   ? std::optional{after.present->membership->ring}
                   : std::nullopt;
  }
  for (const Change& change : changes) {
    newest.told.push_back(told(change, after, now.system));
  }
  entries_.push_back(std::make_shared<const TimelineEntry>(std::move(newest)));
  if (entries_.size() > most_entries) {
    entries_.pop_front();
  }
}

bool Timeline::belongs_to_newest(const std::vector<Change>& changes, const ClusterState& after,
                                 SteadyTime now) const {
  if (entries_.empty()) {
    return false;
  }
  const TimelineEntry& newest = *entries_.back();
  const Duration since = now - newest_at_;
  return std::ranges::all_of(changes, [&](const Change& change) {
    if (tells(newest, change.kind)) {
      return false;
    }
    if (is_verdict(change.kind)) {
      return forming_ && after.present->verdict && after.present->verdict->ring == *forming_ &&
             since <= verdict_follows;
    }
    return !change.links.empty() && since <= links_follow && go_with_their_nodes(change, newest);
  });
}

void Timeline::end_loss(const Change& regained) {
  const auto entry = std::find_if(entries_.rbegin(), entries_.rend(), [](const auto& candidate) {
    return tells(*candidate, ChangeKind::quorum_lost);
  });
  if (entry != entries_.rend()) {
    TimelineEntry ended = **entry;
    std::ranges::find(ended.told, ChangeKind::quorum_lost, [](const Told& said) {
      return said.change.kind;
    })->change.lasted = regained.lasted;
    *entry = std::make_shared<const TimelineEntry>(std::move(ended));
  }
}

void Timeline::follow_verdict(const std::vector<Change>& changes, SystemTime now) {
  bool connected = false;
  for (const Change& change : changes) {
    switch (change.kind) {
      case ChangeKind::connected:
        connected = true;
        verdict_since_ = Since{.at = now};
        break;
      case ChangeKind::quorum_lost:
      case ChangeKind::quorum_regained:
        // A verdict that differs after a reconnection came at some time in between.
        verdict_since_ = Since{.at = now, .exact = !connected};
        break;
      default:
        break;
    }
  }
}

void Timeline::follow_silence(const ClusterState& after, Moment now) {
  if (is_up(after, now.steady)) {
    unknown_since_.reset();
  } else if (!unknown_since_) {  // else it goes on, as where silence ends in a lost connection
    unknown_since_ = is_silent(after, now.steady) ? silent_since(after, now) : now.system;
  }
}

}  // namespace corosync_exporter
