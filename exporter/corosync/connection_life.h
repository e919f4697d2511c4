// SPDX-License-Identifier: Apache-2.0
// Where the connection to corosync stands, and when the next try to make it follows.
//
//   down --connecting()--> connecting --subscribed()--> subscribed
//    ^------------------- ended() ---'-------------------'
//
// Pure: time comes in as an argument. Threads: a value; the loop's.
#pragma once

#include <chrono>

#include "corosync/timing.h"
#include "model/moment.h"

namespace corosync_exporter {

class ConnectionLife {
 public:
  enum class Phase { down, connecting, subscribed };
  // refused: corosync does not want us, or has no space for us; interrupted: it was too busy to be
  // waited for, which is no failure.
  enum class End { failed, refused, interrupted };

  explicit ConnectionLife(const Timing& timing)
      : timing_{timing}, next_retry_{timing.first_retry} {}

  [[nodiscard]] Phase phase() const { return phase_; }

  void connecting() { phase_ = Phase::connecting; }
  void subscribed(SteadyTime now);
  // Of a try, or of the connection that stood. Returns for how long to wait before the next try.
  [[nodiscard]] std::chrono::milliseconds ended(End how, SteadyTime now);

 private:
  Timing timing_;
  Phase phase_ = Phase::down;
  SteadyTime subscribed_at_{};
  std::chrono::milliseconds next_retry_;
};

}  // namespace corosync_exporter
