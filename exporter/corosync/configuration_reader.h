// SPDX-License-Identifier: Apache-2.0
// Asks cmap's icmap what is configured: the cluster, its nodes, totem's times.
//
// Threads: the collector's; it waits for corosync. Errors: CorosyncError.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "corosync/call.h"
#include "corosync/cmap_reader.h"
#include "model/events.h"

namespace corosync_exporter {

class ConfigurationReader {
 public:
  explicit ConfigurationReader(Calls& calls);

  // `nodes`: those that need a name, whether configured or not.
  [[nodiscard]] ConfigurationRead cluster(const std::vector<NodeId>& nodes);

  // The part of `totem` that is configured rather than counted.
  void add_settings(Totem& totem);

  [[nodiscard]] int descriptor() const noexcept { return cmap_.descriptor(); }

 private:
  CmapReader cmap_;
  // Cannot change while corosync runs, though a reload drops the keys of lines that are gone.
  std::optional<ClusterInfo> info_;
  // Read again only when corosync says that it changed: each of its keys costs a call.
  std::optional<std::map<NodeId, NodeConfiguration>> nodelist_;
};

}  // namespace corosync_exporter
