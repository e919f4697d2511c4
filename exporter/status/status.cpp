// SPDX-License-Identifier: Apache-2.0
#include "status/status.h"

#include <algorithm>
#include <map>
#include <utility>

#include "status/words.h"

namespace corosync_exporter {
namespace {

using namespace std::chrono_literals;

constexpr auto recent = 1h;  // for how long a scheduling pause is worth a warning

std::string number(NodeId id) { return std::to_string(static_cast<std::uint32_t>(id)); }

// When each node was last told to have done so, as far as the timeline reaches.
std::map<NodeId, SystemTime> times_of(ChangeKind kind, const Timeline& timeline) {
  std::map<NodeId, SystemTime> times;
  for (const auto& entry : timeline.entries()) {
    for (const Told& told : entry->told) {
      if (told.change.kind == kind) {
        for (const NodeId id : told.change.nodes) {
          times[id] = told.at;
        }
      }
    }
  }
  return times;
}

std::optional<SystemTime> time_of(const std::map<NodeId, SystemTime>& times, NodeId id) {
  const auto found = times.find(id);
  return found != times.end() ? std::optional{found->second} : std::nullopt;
}

// ---- The nodes ---------------------------------------------------------------------------------

std::vector<LinkView> links_of(const ClusterState& state, Known known, NodeId id) {
  std::map<LinkNumber, LinkView> links;
  if (const auto node = state.present->reachability.find(id);
      known.reachability && node != state.present->reachability.end()) {
    for (const auto& [number, link] : node->second.links) {
      links[number] = {.number = number,
                       .enabled = link.enabled,
                       .connected = link.connected,
                       .mtu_bytes = link.mtu_bytes};
    }
  }
  if (known.configuration) {
    const auto& all = state.present->link_statistics;
    for (auto it = all.lower_bound({id, 0}); it != all.end() && it->first.first == id; ++it) {
      const auto& [link_id, statistics] = *it;
      LinkView& link = links[link_id.second];
      link.number = link_id.second;
      link.latency = latency_of(*state.present, link_id);
      link.latency_max = statistics.latency_max;
      link.downs = statistics.downs;
      link.ups = statistics.ups;
    }
  }
  std::vector<LinkView> views(links.size());
  std::ranges::transform(links, views.begin(), [](const auto& entry) { return entry.second; });
  return views;
}

void add_present(NodeView& view, const ClusterState& state, Known known, const Node& node) {
  if (known.votes && state.present->votes) {
    const auto& voters = state.present->votes->nodes;
    if (const auto voter = voters.find(view.id); voter != voters.end()) {
      view.votes = voter->second.votes;
      view.qdevice = voter->second.qdevice;
    } else if (node.configured) {  // but not seen since corosync started
      view.votes = node.configured_votes;
    }
  }
  if (const auto found = state.present->reachability.find(view.id);
      known.reachability && found != state.present->reachability.end()) {
    view.reachable = found->second.reachable;
  }
  view.links = links_of(state, known, view.id);
}

std::vector<NodeView> nodes_of(const ClusterState& state, Known known, const Timeline& timeline) {
  const auto joined = times_of(ChangeKind::nodes_joined, timeline);
  const auto left = times_of(ChangeKind::nodes_left, timeline);
  std::vector<NodeView> views;
  for (const auto& [id, node] : state.nodes) {
    const std::optional<bool> member = known.present ? is_member(state, id) : std::nullopt;
    if (known.present && !member) {
      continue;  // taken out of the cluster
    }
    NodeView view{.id = id,
                  .name = node.name.value_or(number(id)),
                  .local = id == state.local_node,
                  .configured = node.configured,
                  .member = member,
                  .joins = node.joins,
                  .leaves = node.leaves,
                  .joined_at = time_of(joined, id),
                  .left_at = time_of(left, id)};
    if (known.present) {
      add_present(view, state, known, node);
    }
    views.push_back(std::move(view));
  }
  return views;
}

// ---- The votes ---------------------------------------------------------------------------------

Keeper keeper_of(const Votes& votes) {
  const bool has_master = std::ranges::any_of(votes.nodes, [](const auto& node) {
    const auto& device = node.second.qdevice;
    return device && device->casting_vote && device->master_wins;
  });
  if (has_master) {
    return Keeper::device;
  }
  return votes.auto_tie_breaker ? Keeper::tie_breaker : Keeper::nobody;
}

// Of a cluster that is quorate.
bool has_no_vote_to_spare(const VotesView& view) {
  const Votes& votes = view.votes;
  switch (view.keeper) {
    case Keeper::nobody:
      return view.margin == 0 && votes.expected > votes.required;
    case Keeper::tie_breaker:
      return votes.present <= votes.expected / 2;
    case Keeper::device:
      return false;
  }
  return false;
}

// ---- Warnings ----------------------------------------------------------------------------------

class Warnings {
 public:
  explicit Warnings(const Status& status) : status_(status) {}

  void add(Warning warning) { all_.push_back(std::move(warning)); }

  void add_votes() {
    if (status_.waiting_for_all == true) {
      add({.kind = WarningKind::waiting_for_all,
           .message = "wait_for_all withholds quorum until all nodes have been seen together"});
    }
    if (status_.syncing == true) {
      add({.kind = WarningKind::sync_in_progress,
           .message = "A new membership has formed, its quorum verdict is still to come"});
    }
    if (!status_.votes) {
      return;
    }
    const Votes& votes = status_.votes->votes;
    if (status_.verdict == Standing::quorate && has_no_vote_to_spare(*status_.votes)) {
      add({.kind = WarningKind::no_vote_to_spare,
           .message = "No vote to spare: losing one more loses quorum"});
    }
    // Not highest_expected: with last_man_standing it stays where all is well.
    for (const auto& [id, node] : votes.nodes) {
      if (node.expected.value_or(votes.expected) != votes.expected) {
        add({.kind = WarningKind::expected_votes_differ,
             .message = label_of(status_, id) + " expects " + counted(*node.expected, "vote") +
                        ", this node " + std::to_string(votes.expected),
             .node = id});
      }
    }
  }

  void add_nodes() {
    for (const NodeView& node : status_.nodes) {
      if (node.member == false && node.configured) {
        add({.kind = WarningKind::node_missing,
             .message = node.name + " is not a member",
             .node = node.id});
      }
      if (node.member == true) {
        add_member(node);
      }
    }
  }

  void add_totem(const Totem& totem) {
    if (totem.network_fault == true) {
      add({.kind = WarningKind::network_fault,
           .message = "totem cannot form a membership: the network or a firewall is at fault"});
    }
    if (const auto& pause = totem.last_pause; pause && status_.now.system - pause->at < recent) {
      add({.kind = WarningKind::scheduling_pause,
           .message = "corosync did not get to run for " + duration_text(pause->lasted) + " at " +
                      rfc3339(pause->at)});
    }
  }

  void add_sources() {
    for (const SourceView& source : status_.sources) {
      if (source.failure) {
        add({.kind = WarningKind::source_failing,
             .message = "Reading from " + std::string{name_of(source.source)} +
                        " fails: " + describe(*source.failure),
             .source = source.source});
      }
    }
  }

  std::vector<Warning> take() {
    std::ranges::stable_sort(all_, {}, &Warning::kind);
    return std::move(all_);
  }

 private:
  // Links to who is missing are down as a matter of course.
  void add_member(const NodeView& node) {
    const auto connected = std::ranges::count_if(
        node.links, [](const LinkView& link) { return link.connected == true; });
    for (const LinkView& link : node.links) {
      if (link.enabled == true && link.connected == false) {
        add({.kind = WarningKind::link_down,
             .message = "Link " + std::to_string(link.number) + " to " + node.name + " is down",
             .node = node.id,
             .link = link.number});
      } else if (link.connected == true && connected == 1 && node.links.size() > 1) {
        add({.kind = WarningKind::last_link,
             .message = "Link " + std::to_string(link.number) + " is the last one to " + node.name,
             .node = node.id,
             .link = link.number});
      }
    }
    if (node.qdevice && node.qdevice->registered && !node.qdevice->casting_vote) {
      add({.kind = WarningKind::qdevice_not_voting,
           .message = "The quorum device is registered on " + node.name + " and casts no vote",
           .node = node.id});
    }
  }

  const Status& status_;
  std::vector<Warning> all_;
};

std::vector<Warning> warnings_of(const Status& status, const ClusterState& state, Known known) {
  Warnings warnings{status};
  warnings.add_sources();
  warnings.add_votes();
  warnings.add_nodes();
  if (known.configuration && state.present->totem) {
    warnings.add_totem(*state.present->totem);
  }
  return warnings.take();
}

// ---- The whole ---------------------------------------------------------------------------------

std::vector<SourceView> sources_of(const ClusterState& state, SteadyTime now) {
  std::vector<SourceView> views;
  for (const auto& [source, status] : state.sources) {
    views.push_back({.source = source,
                     .up = is_current(state, source, now),
                     .age = age(status, now),
                     .interrupted = status.interrupted,
                     .failure = status.failure});
  }
  return views;
}

Since unknown_since(const ClusterState& state, const Timeline& timeline, Moment now) {
  if (const auto noted = timeline.unknown_since()) {
    // At the start nobody knows for how long corosync has been like that.
    return {.at = *noted, .exact = *noted != timeline.begun()};
  }
  // Silence comes by the clock alone, and is noted up to a second later.
  return {.at = silent_since(state, now), .exact = true};
}

void judge(Status& status, const ClusterState& state, const Timeline& timeline) {
  if (!status.up) {
    status.reason = why_not_up(state, status.now.steady);
    status.since = unknown_since(state, timeline, status.now);
    return;
  }
  status.since = timeline.verdict_since();
  if (!state.present->verdict) {
    status.reason = "corosync has no quorum provider: nobody decides about quorum";
    return;
  }
  status.verdict = state.present->verdict->quorate ? Standing::quorate : Standing::not_quorate;
}

}  // namespace

Status status_of(const Snapshot& snapshot, Moment now) {
  const ClusterState& state = snapshot.state;
  const Timeline& timeline = *snapshot.timeline;
  const Known known = known_at(state, now.steady);
  Status status{.now = now,
                .generation = snapshot.generation,
                .timeline = snapshot.timeline,
                .up = known.present,
                .last_verdict = state.quorum.last_verdict,
                .info = state.info,
                .local_node = state.local_node,
                .nodes = nodes_of(state, known, timeline),
                .sources = sources_of(state, now.steady),
                .quorum_losses = state.quorum.losses,
                .without_quorum = time_without_quorum(state, now.steady)};
  judge(status, state, timeline);
  if (known.votes && state.present->votes) {
    status.votes = view_of(*state.present->votes, state.local_node);
  }
  if (known.present) {
    status.ring = state.present->membership->ring;
    status.members = state.present->membership->members.size();
    if (state.present->has_provider) {
      status.syncing = is_syncing(state);
      status.loss_so_far = loss_so_far(state, now.steady);
    }
    if (known.configuration && state.present->has_provider) {
      status.waiting_for_all = state.present->waiting_for_all;
    }
  }
  status.warnings = warnings_of(status, state, known);
  return status;
}

VotesView view_of(const Votes& votes, std::optional<NodeId> local) {
  VotesView view{.votes = votes,
                 .margin = std::int64_t{votes.present} - votes.required,
                 .keeper = keeper_of(votes)};
  if (votes.qdevice && local) {
    const auto node = votes.nodes.find(*local);
    const bool casts =
        node != votes.nodes.end() && node->second.qdevice && node->second.qdevice->casting_vote;
    view.device_cast = casts ? std::min(*votes.qdevice, votes.present) : 0;
  }
  return view;
}

std::string label_of(const Status& status, NodeId id) {
  const auto node = std::ranges::find(status.nodes, id, &NodeView::id);
  return node != status.nodes.end() ? node->name : number(id);
}

std::string_view name_of(Standing standing) {
  switch (standing) {
    case Standing::quorate:
      return "quorate";
    case Standing::not_quorate:
      return "not_quorate";
    case Standing::unknown:
      return "unknown";
  }
  return "";
}

std::string_view name_of(WarningKind kind) {
  switch (kind) {
    case WarningKind::waiting_for_all:
      return "waiting_for_all";
    case WarningKind::sync_in_progress:
      return "sync_in_progress";
    case WarningKind::no_vote_to_spare:
      return "no_vote_to_spare";
    case WarningKind::node_missing:
      return "node_missing";
    case WarningKind::last_link:
      return "last_link";
    case WarningKind::link_down:
      return "link_down";
    case WarningKind::qdevice_not_voting:
      return "qdevice_not_voting";
    case WarningKind::expected_votes_differ:
      return "expected_votes_differ";
    case WarningKind::network_fault:
      return "network_fault";
    case WarningKind::scheduling_pause:
      return "scheduling_pause";
    case WarningKind::source_failing:
      return "source_failing";
  }
  return "";
}

}  // namespace corosync_exporter
