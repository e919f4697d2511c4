// SPDX-License-Identifier: Apache-2.0
// Asks cmap's statistics map for what corosync counts: links and totem.
//
// Only keys that are known by name are read, never "all there are": some carry pointers in their
// names, new ones with every connection, and to read others may crash corosync (cmap_reader.h).
//
// Threads: the collector's; it waits for corosync. Errors: CorosyncError.
#pragma once

#include "corosync/call.h"
#include "corosync/cmap_reader.h"
#include "model/cluster_state.h"

namespace corosync_exporter {

class StatisticsReader {
 public:
  explicit StatisticsReader(Calls& calls) : cmap_{calls, CMAP_MAP_STATS} {}

  // Empty where corosync has none of that link.
  [[nodiscard]] std::optional<LinkStatistics> link(LinkId id);

  // Without what ConfigurationReader adds.
  [[nodiscard]] Totem totem();

  [[nodiscard]] int descriptor() const noexcept { return cmap_.descriptor(); }

 private:
  [[nodiscard]] std::optional<std::chrono::milliseconds> milliseconds(const std::string& key);
  [[nodiscard]] std::optional<SchedulingPause> last_pause();

  CmapReader cmap_;
};

}  // namespace corosync_exporter
