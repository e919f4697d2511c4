// SPDX-License-Identifier: Apache-2.0
// Asks cmap's statistics map for what corosync counts: links and totem.
//
// Only keys that are known by name are read, never "all there are": some carry pointers in their
// names, new ones with every connection, and to read others may crash corosync (cmap_reader.h).
//
// Threads: the collector's; it waits for corosync. Errors: CorosyncError.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <span>

#include "corosync/call.h"
#include "corosync/cmap_reader.h"
#include "model/cluster_state.h"

namespace corosync_exporter {

class StatisticsReader {
 public:
  explicit StatisticsReader(Calls& calls) : cmap_{calls, CMAP_MAP_STATS} {}

  // Of those among `ids`, which ascend, that corosync has. A link takes 29 calls, and nothing is
  // lost of what it counts if it is read less often: so one link after the other is read until the
  // time is `until`, `least` in any case, and the next time those that follow. The others keep what
  // they had; those that have nothing yet are always read.
  [[nodiscard]] std::map<LinkId, LinkStatistics> links(std::span<const LinkId> ids,
                                                       std::size_t least, SteadyTime until);

  // Without what ConfigurationReader adds.
  [[nodiscard]] Totem totem();

  [[nodiscard]] int descriptor() const noexcept { return cmap_.descriptor(); }

 private:
  [[nodiscard]] std::optional<LinkStatistics> link(LinkId id);
  // None where some of it is missing: the link is being taken out.
  [[nodiscard]] std::map<Traffic, TrafficCounters> traffic(LinkId id);
  [[nodiscard]] std::optional<std::chrono::microseconds> microseconds(const std::string& key);
  [[nodiscard]] std::optional<std::chrono::milliseconds> milliseconds(const std::string& key);
  [[nodiscard]] std::optional<SchedulingPause> last_pause();

  CmapReader cmap_;
  std::map<LinkId, LinkStatistics> links_;  // as last read
  LinkId last_read_{};                      // node 0 is none
};

}  // namespace corosync_exporter
