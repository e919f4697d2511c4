// SPDX-License-Identifier: Apache-2.0
// Where connections end. One that still stands is finalized at once; a dead one has to wait.
//
// libqb removes a dead connection's files from /dev/shm (3 MiB each) only where corosync's process
// is gone by then; where it still exists, libqb waits 40 ms for it and then leaves them for ever
// (its lib/ipc_shm.c). A corosync that is told to stop closes its connections a while before it
// exits.
//
// Threads: the collector's.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <vector>

#include "model/cluster_state.h"

namespace corosync_exporter {

class Drain {
 public:
  // Whether corosync hung up, or we did: a call was taken back, and corosync may well go on.
  enum class EndedBy { corosync, us };

  // `connections` owns handles of one corosync; `descriptors` are theirs. They are dead together as
  // soon as one is: a corosync that is told to stop hangs up one service after the other.
  void add(std::shared_ptr<void> connections, const std::vector<int>& descriptors, SteadyTime now,
           EndedBy ended_by = EndedBy::corosync);

  // Finalizes what may be finalized by `now`.
  void empty(SteadyTime now);

  // When to call empty() again; nothing where nothing waits.
  [[nodiscard]] std::optional<Duration> next_look() const;

  // Whether something waits for a corosync that is about to exit.
  [[nodiscard]] bool expects_exit() const;

 private:
  struct Waiting {
    std::shared_ptr<void> connections;
    pid_t server;  // 0 where it cannot be told, as from another pid namespace
    SteadyTime since;
    EndedBy ended_by;
  };
  std::vector<Waiting> waiting_;
};

}  // namespace corosync_exporter
