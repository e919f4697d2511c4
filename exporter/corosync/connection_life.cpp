// SPDX-License-Identifier: Apache-2.0
#include "corosync/connection_life.h"

#include <algorithm>
#include <utility>

namespace corosync_exporter {

void ConnectionLife::subscribed(SteadyTime now) {
  phase_ = Phase::subscribed;
  subscribed_at_ = now;
}

std::chrono::milliseconds ConnectionLife::ended(End how, SteadyTime now) {
  const bool stood = std::exchange(phase_, Phase::down) == Phase::subscribed;
  if (stood && now - subscribed_at_ > timing_.last_retry) {
    next_retry_ = timing_.first_retry;
  }
  if (how == End::interrupted) {
    return timing_.poll_interval;  // no longer each time: nobody knows of the cluster meanwhile
  }
  const auto doubled = std::min(2 * next_retry_, timing_.last_retry);
  const auto pause = std::exchange(next_retry_, doubled);
  return how == End::refused ? timing_.refused_retry : pause;
}

}  // namespace corosync_exporter
