// SPDX-License-Identifier: Apache-2.0
#include "model/apply.h"

#include <algorithm>
#include <map>
#include <utility>
#include <variant>

namespace corosync_exporter {
namespace {

// Each once, by their numbers.
std::vector<NodeId> in_order(std::vector<NodeId> ids) {
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());  // ranges: clang 14 has none
  return ids;
}

// One overload an event.
class Transition {
 public:
  Transition(ClusterState& state, Moment now) : state_(state), now_(now) {}

  [[nodiscard]] std::vector<Change> changes() && { return std::move(changes_); }

  void operator()(const Connected& event) {
    ++state_.connects;
    state_.disconnected_by.reset();
    if (!event.has_provider) {
      state_.sources.erase(Source::votequorum);  // nobody is there to be asked
    }
    state_.present = Present{.has_provider = event.has_provider, .last_word = now_.steady};
  }

  void operator()(const ConnectFailed& event) {
    ++state_.connect_errors[{event.failure.call, event.failure.error}];
    fail(event.failure);
  }

  void operator()(const Disconnected& event) {
    pause_loss();  // what happens while nobody tells us is not ours to count
    if (is_synced(state_)) {
      tell({.kind = ChangeKind::disconnected, .failure = event.failure});
      state_.disconnected_by = event.failure;
    } else {
      fail(event.failure);
    }
    state_.present.reset();
    for (auto& [source, status] : state_.sources) {
      status.up = false;
      status.failure.reset();
      status.interrupted = false;
    }
  }

  void operator()(NodeListNotified&& event) {
    ++state_.notifications.quorum_nodelist;
    if (!heard()) {
      return;
    }
    const bool was_synced = is_synced(state_);
    state_.present->membership =
        Membership{.ring = event.ring, .members = std::move(event.members)};
    tell_sync(was_synced);
    if (auto& last = state_.membership.last_ring; last != event.ring) {
      if (last) {
        ++state_.membership.changes;
        state_.membership.last_change = now_.system;
      }
      last = event.ring;
    }
    see(state_.present->membership->members);
    count(event.joined, event.left);
    tell_nodes(ChangeKind::nodes_left, std::move(event.left));
    tell_nodes(ChangeKind::nodes_joined, std::move(event.joined));
  }

  void operator()(const QuorumNotified& event) {
    ++state_.notifications.quorum_quorum;
    // Without a provider corosync always says "quorate": nobody decided that, so it is no verdict.
    if (!heard() || !state_.present->has_provider) {
      return;
    }
    const bool was_synced = is_synced(state_);
    state_.present->verdict = Verdict{.quorate = event.quorate, .ring = event.ring};
    tell_sync(was_synced);
    QuorumHistory& history = state_.quorum;
    const bool flips = history.last_verdict && *history.last_verdict != event.quorate;
    history.last_verdict = event.quorate;
    if (flips) {
      ++history.changes;
      history.last_change = now_.system;
    }
    if (event.quorate) {
      pause_loss();
    } else if (!history.lost_since) {
      history.lost_since = now_.steady;
    }
    if (flips && event.quorate) {
      tell({.kind = ChangeKind::quorum_regained, .lasted = history.last_loss});
    } else if (flips) {
      ++history.losses;
      history.last_loss = Duration::zero();
      tell({.kind = ChangeKind::quorum_lost});
    }
  }

  void operator()(const VotequorumNodeListNotified& /*event*/) {
    ++state_.notifications.votequorum_nodelist;
    heard();
  }

  void operator()(VotequorumQuorumNotified&& event) {
    ++state_.notifications.votequorum_quorum;
    if (heard()) {
      see(event.voters);
      state_.present->voters = std::move(event.voters);
    }
  }

  void operator()(const ExpectedVotesNotified& /*event*/) {
    ++state_.notifications.votequorum_expected_votes;
    heard();
  }

  void operator()(VotesRead&& event) {
    if (!heard()) {
      return;
    }
    if (const auto& old = state_.present->votes) {
      tell_votes(*old, event.votes);
    }
    state_.present->votes = std::move(event.votes);
  }

  void operator()(ConfigurationRead&& event) {
    if (!heard()) {
      return;
    }
    state_.info = std::move(event.info);
    state_.present->waiting_for_all = event.waiting_for_all;
    auto nodes = state_.nodes.map();
    for (auto& [id, node] : nodes) {
      node.configured = false;
    }
    for (auto& [id, configuration] : event.nodes) {
      Node& node = nodes[id];
      // A node taken out of the configuration keeps the name it had there.
      if (configuration.configured || !node.name) {
        node.name = std::move(configuration.name);
      }
      node.configured = configuration.configured;
      node.configured_votes = configuration.votes;
    }
    std::erase_if(nodes,
                  [](const auto& entry) { return !entry.second.configured && !entry.second.seen; });
    state_.nodes = std::move(nodes);
  }

  void operator()(const LocalNodeRead& event) {
    if (heard()) {
      state_.local_node = event.id;
    }
  }

  void operator()(ReachabilityRead&& event) {
    if (heard()) {
      tell_links(state_.present->reachability.map(), event.nodes);
      state_.present->reachability = std::move(event.nodes);
    }
  }

  void operator()(LinkStatisticsRead&& event) {
    if (heard()) {
      state_.present->link_statistics = std::move(event.links);
    }
  }

  void operator()(TotemRead&& event) {
    if (heard()) {
      state_.present->totem = std::move(event.totem);
    }
  }

  void operator()(const SourceRead& event) {
    if (!heard()) {
      return;
    }
    SourceStatus& status = state_.sources[event.source];
    if (status.failure) {
      tell({.kind = ChangeKind::source_recovered, .source = event.source});
    }
    status.up = true;
    status.last_success = std::max(status.last_success.value_or(now_.steady), now_.steady);
    status.failure.reset();
    status.interrupted = false;
  }

  void operator()(const ReadingFailed& event) {
    if (!state_.present) {
      return;
    }
    if (event.failure.answered) {
      heard();
    }
    SourceStatus& status = state_.sources[event.source];
    if (!status.failure) {
      tell({.kind = ChangeKind::source_failed, .source = event.source, .failure = event.failure});
    }
    status.up = false;
    status.failure = event.failure;
    status.interrupted = false;
    forget(event.source);
  }

  void operator()(const ReadingInterrupted& event) {
    if (state_.present) {
      state_.sources[event.source].interrupted = true;
    }
  }

  void operator()(const CallCancelled& event) { ++state_.cancelled_calls[event.call]; }

  void operator()(const Answered& event) {
    if (state_.present) {
      hear(event.at);
    }
  }

 private:
  void tell(Change change) { changes_.push_back(std::move(change)); }

  // A try to connect, or what it led to.
  void fail(const Failure& failure) {
    if (state_.disconnected_by != failure) {
      tell({.kind = ChangeKind::connection_failed, .failure = failure});
    }
    state_.disconnected_by = failure;
  }

  // Before all that the connection says.
  void tell_sync(bool was_synced) {
    if (!was_synced && is_synced(state_)) {
      changes_.insert(changes_.begin(), {.kind = ChangeKind::connected});
    }
  }

  void tell_nodes(ChangeKind kind, std::vector<NodeId> ids) {
    if (!ids.empty()) {
      tell({.kind = kind, .nodes = in_order(std::move(ids))});
    }
  }

  void tell_votes(const Votes& before, const Votes& after) {
    if (before.expected != after.expected) {
      tell({.kind = ChangeKind::expected_votes,
            .votes = std::pair{before.expected, after.expected}});
    }
    std::vector<NodeId> silent;
    std::vector<NodeId> voting;
    for (const auto& [id, node] : after.nodes) {
      const auto old = before.nodes.find(id);
      if (old != before.nodes.end() && old->second.qdevice && node.qdevice &&
          old->second.qdevice->casting_vote != node.qdevice->casting_vote) {
        (node.qdevice->casting_vote ? voting : silent).push_back(id);
      }
    }
    tell_nodes(ChangeKind::device_silent, std::move(silent));
    tell_nodes(ChangeKind::device_votes, std::move(voting));
  }

  // Only what both know: the first reading of a link tells no change.
  void tell_links(const std::map<NodeId, Reachability>& before,
                  const std::map<NodeId, Reachability>& after) {
    std::vector<LinkId> down;
    std::vector<LinkId> up;
    for (const auto& [id, node] : after) {
      const auto old_node = before.find(id);
      if (old_node == before.end()) {
        continue;
      }
      for (const auto& [number, link] : node.links) {
        const auto old = old_node->second.links.find(number);
        if (old != old_node->second.links.end() && old->second.connected != link.connected) {
          (link.connected ? up : down).emplace_back(id, number);
        }
      }
    }
    if (!down.empty()) {
      tell({.kind = ChangeKind::links_down, .links = std::move(down)});
    }
    if (!up.empty()) {
      tell({.kind = ChangeKind::links_up, .links = std::move(up)});
    }
  }

  // False for a word that comes after its connection was given up.
  bool heard() {
    if (!state_.present) {
      return false;
    }
    hear(now_.steady);
    return true;
  }

  // Words may arrive in another order than that of their times: two threads report them.
  void hear(SteadyTime at) {
    Present& present = *state_.present;
    if (at <= present.last_word) {
      return;
    }
    present.last_word = at;
    if (present.silence_told && !is_silent(state_, now_.steady)) {
      present.silence_told = false;
      tell({.kind = ChangeKind::answers_again});
    }
  }

  // Snapshots share the nodes, so they are copied only where there is something to change.
  void see(const std::vector<NodeId>& ids) {
    const auto& known = state_.nodes.map();
    const auto seen = [&known](NodeId id) {
      const auto node = known.find(id);
      return node != known.end() && node->second.seen;
    };
    if (std::ranges::all_of(ids, seen)) {
      return;
    }
    auto nodes = known;
    for (const NodeId id : ids) {
      nodes[id].seen = true;
    }
    state_.nodes = std::move(nodes);
  }

  void count(const std::vector<NodeId>& joined, const std::vector<NodeId>& left) {
    if (joined.empty() && left.empty()) {
      return;
    }
    auto nodes = state_.nodes.map();
    for (const NodeId id : joined) {
      Node& node = nodes[id];
      node.seen = true;
      node.last_joined = now_.system;
      ++node.joins;
    }
    for (const NodeId id : left) {
      Node& node = nodes[id];
      node.seen = true;
      node.last_left = now_.system;
      ++node.leaves;
    }
    state_.nodes = std::move(nodes);
  }

  // What was read of it: the next reading may bring but a part of it.
  void forget(Source source) {
    Present& present = *state_.present;
    switch (source) {
      case Source::votequorum:
        present.votes.reset();
        break;
      case Source::cmap:
        present.link_statistics.clear();
        present.totem.reset();
        break;
      case Source::cfg:
        present.reachability.clear();
        break;
    }
  }

  void pause_loss() {
    QuorumHistory& history = state_.quorum;
    if (history.lost_since) {
      const Duration seen = time_without_quorum(state_, now_.steady) - history.lost;
      history.lost += seen;
      history.last_loss += seen;
      history.lost_since.reset();
    }
  }

  ClusterState& state_;
  const Moment now_;
  std::vector<Change> changes_;
};

}  // namespace

std::vector<Change> apply(ClusterState& state, Event event, Moment now) {
  Transition transition{state, now};
  std::visit(transition, std::move(event));
  return std::move(transition).changes();
}

std::optional<Change> fall_silent(ClusterState& state, SteadyTime now) {
  if (!is_silent(state, now) || std::exchange(state.present->silence_told, true)) {
    return std::nullopt;
  }
  return Change{.kind = ChangeKind::fell_silent};
}

}  // namespace corosync_exporter
