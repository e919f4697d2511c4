// SPDX-License-Identifier: Apache-2.0
#include "corosync/attempts.h"

#include <algorithm>

namespace corosync_exporter {

bool Attempts::may_try(SteadyTime now, bool urgent) {
  if (next_try_ && urgent && standing_ != Standing::refused) {
    next_try_ = std::min(*next_try_, last_try_ + timing_.poll_interval);
  }
  return !next_try_ || now >= *next_try_;
}

void Attempts::succeeded(SteadyTime now, Cost cost) {
  stand(Standing::ok, now);
  if (cost == Cost::connection) {
    // Half as often as it is polled, but before it is too old.
    next_try_ = now + std::min(2 * timing_.poll_interval,
                               timing_.stale_after - timing_.poll_interval);
  }
}

void Attempts::interrupted(SteadyTime now) {
  stand(Standing::interrupted, now);
  next_try_ = after_pause(timing_.poll_interval);
}

void Attempts::failed(SteadyTime now) {
  stand(Standing::failing, now);
  next_try_ = after_pause(timing_.reading_retry);
}

void Attempts::refused(SteadyTime now) {
  stand(Standing::refused, now);
  next_try_ = now + timing_.refused_retry;
}

void Attempts::stand(Standing standing, SteadyTime now) {
  tries_ = standing == Standing::ok ? 0 : tries_ + 1;
  standing_ = standing;
  last_try_ = now;
  next_try_.reset();
}

SteadyTime Attempts::after_pause(Duration first) const {
  Duration pause = first;
  for (int i = 1; i < tries_ && pause < timing_.longest_pause; ++i) {
    pause *= 2;
  }
  return last_try_ + std::min<Duration>(pause, timing_.longest_pause);
}

}  // namespace corosync_exporter
