// SPDX-License-Identifier: Apache-2.0
// The one place that asks what time it is; everything else is told.
#pragma once

#include "model/moment.h"

namespace corosync_exporter {

inline Moment current_moment() {
  return {.steady = std::chrono::steady_clock::now(), .system = std::chrono::system_clock::now()};
}

}  // namespace corosync_exporter
