// SPDX-License-Identifier: Apache-2.0
// What the exporter has heard, and what it made of that: events become the next state, its changes
// the timeline and the log, and all of it is published.
//
// Pure but for the log and for `publish`: time comes in as an argument. Threads: the loop's.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "corosync/occasion.h"
#include "log.h"
#include "model/changes.h"
#include "model/cluster_state.h"
#include "model/events.h"
#include "model/timeline.h"

namespace corosync_exporter {

class Chronicle {
 public:
  using Publish = std::function<void(Snapshot)>;

  // `publish` gets every new state, with what led to it. `log` has to outlive the chronicle.
  Chronicle(std::chrono::milliseconds stale_after, SystemTime begun, const Logger& log,
            Publish publish);

  [[nodiscard]] const ClusterState& state() const { return state_; }

  void take(Event event, Moment at);
  // Time alone makes silence, so it has to be looked for.
  void look_for_silence(Moment now);

  // The state, then the log: whoever reads the log slowly holds up nobody else.
  void publish();

 private:
  void note(std::vector<Change> changes, Moment now);

  const Logger& log_;
  const Publish publish_;
  ClusterState state_;
  Timeline timeline_;
  Occasion occasion_;                                   // of its newest entry
  std::shared_ptr<const Timeline> published_timeline_;  // empty: not as it is now
  std::vector<Change> changes_;                         // to be logged
  std::uint64_t generation_ = 0;
};

}  // namespace corosync_exporter
