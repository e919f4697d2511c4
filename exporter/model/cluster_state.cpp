// SPDX-License-Identifier: Apache-2.0
#include "model/cluster_state.h"

#include <algorithm>
#include <utility>

namespace corosync_exporter {
namespace {

// Events may carry the time of another thread, a little after `now`.
Duration passed(SteadyTime since, SteadyTime now) {
  return std::max<Duration>(now - since, Duration::zero());
}

// REQUIRES: lost_since, and a connection.
Duration loss_under_way(const ClusterState& state, SteadyTime now) {
  const SteadyTime known_until = state.present->last_word + state.stale_after;
  return std::max(std::min(now, known_until) - *state.quorum.lost_since, Duration::zero());
}

// One overload an event. Each changes `state` in place; `apply` hands in its own copy.
class Transition {
 public:
  Transition(ClusterState& state, Moment now) : state_(state), now_(now) {}

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
    state_.disconnected_by = event.failure;
  }

  void operator()(const Disconnected& event) {
    pause_loss();  // what happens while nobody tells us is not ours to count
    state_.present.reset();
    state_.disconnected_by = event.failure;
    for (auto& [source, status] : state_.sources) {
      status.up = false;
      status.failure.reset();
      status.interrupted = false;
    }
  }

  void operator()(const NodeListNotified& event) {
    ++state_.notifications.quorum_nodelist;
    if (!heard()) {
      return;
    }
    state_.present->membership = Membership{.ring = event.ring, .members = event.members};
    if (auto& last = state_.membership.last_ring; last != event.ring) {
      if (last) {
        ++state_.membership.changes;
        state_.membership.last_change = now_.system;
      }
      last = event.ring;
    }
    for (const NodeId id : event.members) {
      state_.nodes[id].seen = true;
    }
    for (const NodeId id : event.joined) {
      Node& node = state_.nodes[id];
      node.seen = true;
      ++node.joins;
    }
    for (const NodeId id : event.left) {
      Node& node = state_.nodes[id];
      node.seen = true;
      ++node.leaves;
    }
  }

  void operator()(const QuorumNotified& event) {
    ++state_.notifications.quorum_quorum;
    // Without a provider corosync always says "quorate": nobody decided that, so it is no verdict.
    if (!heard() || !state_.present->has_provider) {
      return;
    }
    state_.present->verdict = Verdict{.quorate = event.quorate, .ring = event.ring};
    QuorumHistory& history = state_.quorum;
    if (history.last_verdict && *history.last_verdict != event.quorate) {
      ++history.changes;
      history.last_change = now_.system;
      if (!event.quorate) {
        ++history.losses;
        history.last_loss = Duration::zero();
      }
    }
    history.last_verdict = event.quorate;
    if (event.quorate) {
      pause_loss();
    } else if (!history.lost_since) {
      history.lost_since = now_.steady;
    }
  }

  void operator()(const VotequorumNodeListNotified& /*event*/) {
    ++state_.notifications.votequorum_nodelist;
    heard();
  }

  void operator()(const VotequorumQuorumNotified& event) {
    ++state_.notifications.votequorum_quorum;
    if (!heard()) {
      return;
    }
    state_.present->voters = event.voters;
    for (const NodeId id : event.voters) {
      state_.nodes[id].seen = true;
    }
  }

  void operator()(const ExpectedVotesNotified& /*event*/) {
    ++state_.notifications.votequorum_expected_votes;
    heard();
  }

  void operator()(const VotesRead& event) {
    if (heard()) {
      state_.present->votes = event.votes;
    }
  }

  void operator()(const ConfigurationRead& event) {
    if (!heard()) {
      return;
    }
    state_.info = event.info;
    state_.present->waiting_for_all = event.waiting_for_all;
    for (auto& [id, node] : state_.nodes) {
      node.configured = false;
    }
    for (const auto& [id, configuration] : event.nodes) {
      Node& node = state_.nodes[id];
      // A node taken out of the configuration keeps the name it had there.
      if (configuration.configured || !node.name) {
        node.name = configuration.name;
      }
      node.configured = configuration.configured;
      node.configured_votes = configuration.votes;
    }
    std::erase_if(state_.nodes,
                  [](const auto& entry) { return !entry.second.configured && !entry.second.seen; });
  }

  void operator()(const LocalNodeRead& event) {
    if (heard()) {
      state_.local_node = event.id;
    }
  }

  void operator()(const ReachabilityRead& event) {
    if (heard()) {
      state_.present->reachability = event.nodes;
    }
  }

  void operator()(const LinkStatisticsRead& event) {
    if (heard()) {
      state_.present->link_statistics = event.links;
    }
  }

  void operator()(const TotemRead& event) {
    if (heard()) {
      state_.present->totem = event.totem;
    }
  }

  void operator()(const SourceRead& event) {
    if (heard()) {
      SourceStatus& status = state_.sources[event.source];
      status.up = true;
      status.last_success = std::max(status.last_success.value_or(now_.steady), now_.steady);
      status.failure.reset();
      status.interrupted = false;
    }
  }

  void operator()(const ReadingFailed& event) {
    if (!state_.present) {
      return;
    }
    if (event.failure.answered) {
      heard();
    }
    SourceStatus& status = state_.sources[event.source];
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
  // False for a word that comes after its connection was given up.
  bool heard() {
    if (!state_.present) {
      return false;
    }
    hear(now_.steady);
    return true;
  }

  // Words may arrive in another order than that of their times: two threads report them.
  void hear(SteadyTime at) { state_.present->last_word = std::max(state_.present->last_word, at); }

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
      const Duration seen = loss_under_way(state_, now_.steady);
      history.lost += seen;
      history.last_loss += seen;
      history.lost_since.reset();
    }
  }

  ClusterState& state_;
  Moment now_;
};

}  // namespace

ClusterState apply(ClusterState state, const Event& event, Moment now) {
  std::visit(Transition{state, now}, event);
  return state;
}

bool is_synced(const ClusterState& state) {
  const auto& present = state.present;
  return present && present->membership && (present->verdict || !present->has_provider);
}

bool is_syncing(const ClusterState& state) {
  return is_synced(state) && state.present->verdict &&
         state.present->verdict->ring != state.present->membership->ring;
}

bool is_silent(const ClusterState& state, SteadyTime now) {
  return state.present && now - state.present->last_word > state.stale_after;
}

std::optional<Duration> silence(const ClusterState& state, SteadyTime now) {
  return state.present ? std::optional{passed(state.present->last_word, now)} : std::nullopt;
}

std::optional<Duration> age(const SourceStatus& source, SteadyTime now) {
  return source.last_success ? std::optional{passed(*source.last_success, now)} : std::nullopt;
}

SystemTime silent_since(const ClusterState& state, Moment now) {
  const Duration silent = now.steady - (state.present->last_word + state.stale_after);
  return now.system - std::chrono::duration_cast<SystemTime::duration>(silent);
}

bool is_up(const ClusterState& state, SteadyTime now) {
  return is_synced(state) && !is_silent(state, now);
}

bool is_current(const ClusterState& state, Source source, SteadyTime now) {
  const auto found = state.sources.find(source);
  return found != state.sources.end() && found->second.up &&
         now - *found->second.last_success <= state.stale_after;
}

Known known_at(const ClusterState& state, SteadyTime now) {
  const bool present = is_up(state, now);
  return {.present = present,
          .votes = present && is_current(state, Source::votequorum, now),
          .configuration = present && is_current(state, Source::cmap, now),
          .reachability = present && is_current(state, Source::cfg, now)};
}

std::optional<Duration> loss_so_far(const ClusterState& state, SteadyTime now) {
  const QuorumHistory& history = state.quorum;
  return history.lost_since ? std::optional{history.last_loss + loss_under_way(state, now)}
                            : std::nullopt;
}

Duration time_without_quorum(const ClusterState& state, SteadyTime now) {
  const QuorumHistory& history = state.quorum;
  return history.lost + (history.lost_since ? loss_under_way(state, now) : Duration::zero());
}

}  // namespace corosync_exporter
