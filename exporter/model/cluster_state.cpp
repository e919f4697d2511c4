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

}  // namespace

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
