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

class Page {
 public:
  // `self` and `process` (families about the process, possibly none) are of the moment.
  [[nodiscard]] std::string text(const std::shared_ptr<const ClusterState>& state, SteadyTime now,
                                 const Self& self, const Families& process);

 private:
  // The lasting part, as text. Kept with the state it was rendered from, so that no other state can
  // come to lie at the same address.
  struct Rendered {
    std::shared_ptr<const ClusterState> state;
    Known known;
    std::shared_ptr<const std::string> text;
  };
  [[nodiscard]] std::shared_ptr<const std::string> lasting(
      const std::shared_ptr<const ClusterState>& state, Known known);

  std::mutex mutex_;
  Rendered rendered_;
};

}  // namespace corosync_exporter
