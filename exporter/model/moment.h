// SPDX-License-Identifier: Apache-2.0
// Time, as the whole program has it: two clocks, and spans in between.
#pragma once

#include <chrono>

namespace corosync_exporter {

using SteadyTime = std::chrono::steady_clock::time_point;
using SystemTime = std::chrono::system_clock::time_point;
using Duration = std::chrono::nanoseconds;

// One instant on both clocks: ages are measured on the steady one, timestamps shown from the other.
struct Moment {
  SteadyTime steady{};
  SystemTime system{};
};

[[nodiscard]] inline double in_seconds(Duration duration) {
  return std::chrono::duration<double>{duration}.count();
}

}  // namespace corosync_exporter
