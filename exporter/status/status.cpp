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

// ---- The nodes ---------------------------------------------------------------------------------

std::vector<LinkView> links_of(const View& view, NodeId id) {
  std::map<LinkNumber, LinkView> links;
  if (const auto node = view.reachability().find(id); node != view.reachability().end()) {
    for (const auto& [number, link] : node->second.links) {
      links[number] = {.number = number,
                       .enabled = link.enabled,
                       .connected = link.connected,
                       .mtu_bytes = link.mtu_bytes};
    }
  }
  const auto& all = view.link_statistics();
  for (auto it = all.lower_bound({id, 0}); it != all.end() && it->first.first == id; ++it) {
    const auto& [link_id, statistics] = *it;
    LinkView& link = links[link_id.second];
    link.number = link_id.second;
    link.latency = view.latency_of(link_id);
    link.latency_max = statistics.latency_max;
    link.downs = statistics.downs;
    link.ups = statistics.ups;
  }
  std::vector<LinkView> views(links.size());
  std::ranges::transform(links, views.begin(), [](const auto& entry) { return entry.second; });
  return views;
}

std::optional<bool> reachable(const View& view, NodeId id) {
  const auto found = view.reachability().find(id);
  return found != view.reachability().end() ? std::optional{found->second.reachable} : std::nullopt;
}

std::vector<NodeView> nodes_of(const View& view) {
  std::vector<NodeView> views;
  for (const auto& [id, node] : view.state().nodes) {
    const std::optional<bool> member = view.member(id);
    if (view.is_up() && !member) {
      continue;  // taken out of the cluster
    }
    const Qdevice* const device = view.qdevice_of(id);
    views.push_back({.id = id,
                     .name = node.name.value_or(number(id)),
                     .local = id == view.state().local_node,
                     .configured = node.configured,
                     .member = member,
                     .votes = view.votes_of(id),
                     .reachable = reachable(view, id),
                     .qdevice = device != nullptr ? std::optional{*device} : std::nullopt,
                     .joins = node.joins,
                     .leaves = node.leaves,
                     .joined_at = node.last_joined,
                     .left_at = node.last_left,
                     .links = links_of(view, id)});
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

std::vector<Warning> warnings_of(const Status& status, const View& view) {
  Warnings warnings{status};
  warnings.add_sources();
  warnings.add_votes();
  warnings.add_nodes();
  if (const Totem* const totem = view.totem()) {
    warnings.add_totem(*totem);
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

void judge(Status& status, const View& view, const Timeline& timeline) {
  if (!status.up) {
    status.reason = why_not_up(view.state(), status.now.steady);
    status.since = unknown_since(view.state(), timeline, status.now);
    return;
  }
  status.since = timeline.verdict_since();
  if (const auto quorate = view.quorate()) {
    status.verdict = *quorate ? Standing::quorate : Standing::not_quorate;
  } else {
    status.reason = "corosync has no quorum provider: nobody decides about quorum";
  }
}

}  // namespace

Status status_of(const Snapshot& snapshot, Moment now) {
  const ClusterState& state = snapshot.state;
  const Timeline& timeline = *snapshot.timeline;
  const View view{state, now.steady};
  Status status{.now = now,
                .generation = snapshot.generation,
                .timeline = snapshot.timeline,
                .up = view.is_up(),
                .last_verdict = state.quorum.last_verdict,
                .info = state.info,
                .local_node = state.local_node,
                .syncing = view.syncing(),
                .waiting_for_all = view.waiting_for_all(),
                .nodes = nodes_of(view),
                .sources = sources_of(state, now.steady),
                .quorum_losses = state.quorum.losses,
                .without_quorum = time_without_quorum(state, now.steady)};
  judge(status, view, timeline);
  if (const Votes* const votes = view.votes()) {
    status.votes = view_of(*votes, view.device_cast());
  }
  if (const Membership* const membership = view.membership()) {
    status.ring = membership->ring;
    status.members = membership->members.size();
  }
  if (view.has_provider()) {
    status.loss_so_far = loss_so_far(state, now.steady);
  }
  status.warnings = warnings_of(status, view);
  return status;
}

VotesView view_of(const Votes& votes, std::optional<std::uint32_t> device_cast) {
  return {.votes = votes,
          .margin = margin_of(votes),
          .keeper = keeper_of(votes),
          .device_cast = device_cast};
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
