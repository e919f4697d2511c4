// SPDX-License-Identifier: Apache-2.0
// Tells the service manager, where it wants to know, that the program does its work: from the
// loop's thread, so that a loop that stands still falls silent, and only while `works` says that
// the other threads do theirs. A corosync that hangs holds up neither.
//
// Threads: the loop's, on which `works` is asked. It must not wait.
#pragma once

#include <functional>

#include "corosync/event_loop.h"
#include "service_manager.h"

namespace corosync_exporter {

class Watchdog {
 public:
  // REQUIRES: the manager outlives it.
  Watchdog(EventLoop& loop, const ServiceManager& manager, std::function<bool()> works);

 private:
  void tick();

  const ServiceManager& manager_;
  const std::function<bool()> works_;
  Timer timer_;
};

}  // namespace corosync_exporter
