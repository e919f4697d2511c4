// SPDX-License-Identifier: Apache-2.0
// Runs the program's own event loop until something has happened, or it takes too long.
#pragma once

#include <chrono>

#include "corosync/event_loop.h"

namespace corosync_exporter {

// Whether `done` came to hold; it is asked on the loop's thread, every millisecond. The limit is
// for what never happens: far more than anything that does can take.
template <class Condition>
[[nodiscard]] bool run_until(EventLoop& loop, Condition done,
                             std::chrono::milliseconds limit = std::chrono::seconds{20}) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + limit;
  bool is_done = false;
  Timer look{loop, [&] {
               is_done = done();
               if (is_done || Clock::now() >= deadline) {
                 loop.stop();
               } else {
                 look.start(std::chrono::milliseconds{1});
               }
             }};
  look.start(std::chrono::milliseconds{0});
  loop.run();
  return is_done;
}

}  // namespace corosync_exporter
