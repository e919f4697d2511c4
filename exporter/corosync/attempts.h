// SPDX-License-Identifier: Apache-2.0
// When a source of readings may be asked again.
//
// Pure: time comes in as an argument. Threads: a value; the collector's.
#pragma once

#include <optional>

#include "corosync/timing.h"
#include "model/cluster_state.h"

namespace corosync_exporter {

class Attempts {
 public:
  explicit Attempts(const Timing& timing) : timing_{timing} {}

  // ok: read in full; interrupted: corosync was too busy to be waited for; failing: it said no;
  // refused: it does not want us, or has no space for us.
  enum class Standing { ok, interrupted, failing, refused };
  [[nodiscard]] Standing standing() const { return standing_; }

  // Whether to ask now. `urgent`: something has changed, which cuts a pause short, if not now then
  // as soon as it may; but corosync is asked no more often than it is polled in calm.
  [[nodiscard]] bool may_try(SteadyTime now, bool urgent);
  // When that will be; empty if each request is fine.
  [[nodiscard]] std::optional<SteadyTime> due() const { return next_try_; }

  // What came of it. `cost`: a connection, which corosync has more work with than with the reading.
  enum class Cost { little, connection };
  void succeeded(SteadyTime now, Cost cost);
  void interrupted(SteadyTime now);
  void failed(SteadyTime now);
  void refused(SteadyTime now);

 private:
  void stand(Standing standing, SteadyTime now);
  // After the last try: the more of them in a row had no success, the later.
  [[nodiscard]] SteadyTime after_pause(Duration first) const;

  Timing timing_;
  Standing standing_ = Standing::ok;
  int tries_ = 0;  // in a row, without success
  SteadyTime last_try_{};
  std::optional<SteadyTime> next_try_{};  // none: with the next request
};

}  // namespace corosync_exporter
