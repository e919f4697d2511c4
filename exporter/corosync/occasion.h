// SPDX-License-Identifier: Apache-2.0
// What a reader of the timeline wants to see as one: a ring that formed, whoever left and joined
// with it, its verdict, and the links that went down or came up with these nodes.
//
// Pure: time comes in as an argument. Threads: a value; the loop's.
#pragma once

#include <optional>
#include <vector>

#include "model/changes.h"
#include "model/cluster_state.h"

namespace corosync_exporter {

class Occasion {
 public:
  // Whether `changes`, of one event that led to `after`, are of the occasion that is known; else
  // they are the first of the next one, which is then known in its place.
  [[nodiscard]] bool goes_on(const std::vector<Change>& changes, const ClusterState& after,
                             SteadyTime now);

 private:
  [[nodiscard]] bool belongs(const Change& change, const ClusterState& after, Duration since) const;

  std::vector<Change> changes_;    // so far; none before the first
  std::optional<RingId> forming_;  // the ring that they tell of
  SteadyTime begun_{};
  SteadyTime newest_word_{};  // words may come in another order than that of their times
};

}  // namespace corosync_exporter
