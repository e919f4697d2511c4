// SPDX-License-Identifier: Apache-2.0
#include "watchdog.h"

#include <utility>

namespace corosync_exporter {
namespace {

// In the time that the manager allows: a machine under load may delay some.
constexpr int ticks = 4;

}  // namespace

Watchdog::Watchdog(EventLoop& loop, const ServiceManager& manager, std::function<bool()> works)
    : manager_{manager}, works_{std::move(works)}, timer_{loop, [this] { tick(); }} {
  if (manager_.watchdog()) {
    tick();
  }
}

void Watchdog::tick() {
  if (works_()) {
    manager_.alive();
  }
  timer_.start(*manager_.watchdog() / ticks);
}

}  // namespace corosync_exporter
