// SPDX-License-Identifier: Apache-2.0
// The exposition of a state, in Prometheus's text format 0.0.4.
//
// Most of it is rendered once a state, on the first scrape that wants it, and kept; only what moves
// with time is rendered for each scrape.
//
// Threads: any may call text().
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "exposition/families.h"
#include "model/cluster_state.h"

namespace corosync_exporter {

// A page of what corosync says, and nothing that only a process that stays can tell.
[[nodiscard]] std::string glance(const ClusterState& state, SteadyTime now, const Build& build);

class Page {
 public:
  explicit Page(const Build& build);

  // `now` is not before `state` was published. `self` and `process` (the process's families as
  // text, possibly none) are of the moment.
  [[nodiscard]] std::string text(const std::shared_ptr<const ClusterState>& state, SteadyTime now,
                                 const Self& self, const std::string& process);

 private:
  // The lasting part, as text. Kept with the state it was rendered from, so that no other state can
  // come to lie at the same address.
  struct Lasting {
    std::shared_ptr<const ClusterState> state;
    Known known;
    std::shared_ptr<const std::string> text;
  };

  const std::string build_;
  std::mutex mutex_;  // of all below
  Lasting lasting_;
  // A loss ends at its callback's time, which is a moment before the state says so: what was shown
  // in between must not be taken back, as a counter that falls counts as one that began again.
  Duration lost_shown_{};
};

}  // namespace corosync_exporter
