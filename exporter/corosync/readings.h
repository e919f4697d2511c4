// SPDX-License-Identifier: Apache-2.0
// What corosync announces to nobody and has to be asked for: a reading a source. Each source has a
// connection of its own, made when it is first needed and again after an error; one that fails does
// not keep the others from being read.
//
// Threads: the collector's; reading waits for corosync.
#pragma once

#include <corosync/cfg.h>
#include <corosync/votequorum.h>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "corosync/call.h"
#include "corosync/cmap_reader.h"
#include "corosync/drain.h"
#include "corosync/handle.h"
#include "model/cluster_state.h"

namespace corosync_exporter {

// What to ask about, as far as the callbacks have told.
struct Request {
  bool has_provider = false;
  std::vector<NodeId> voters{};  // nodes that votequorum knows: of others it returns garbage
  std::vector<NodeId> nodes{};   // nodes that need a name
  // During a membership sync only votequorum answers. All other calls wait for its end, which a
  // quorum device may put off for 30 s, and corosync looks at them again and again meanwhile, at
  // realtime priority, with all of a core: so they are not to be made.
  bool syncing = false;
};

class Readings {
 public:
  using Report = std::function<void(Event)>;

  // Connections that broke go to `drain`. A source that refuses us is left alone for
  // `refused_retry`.
  Readings(Calls& calls, Drain& drain,
           std::chrono::milliseconds refused_retry = std::chrono::seconds{10})
      : calls_{calls}, drain_{drain}, refused_retry_{refused_retry} {}

  // Reads every source and reports each as soon as it is read: VotesRead, ConfigurationRead,
  // LocalNodeRead, or ReadingFailed. votequorum comes first, as it alone answers during a
  // membership sync; cmap and cfg may then wait for as long as a quorum device is given for its
  // vote.
  void read(const Request& request, const Report& report);

  // Gives up all connections; the next reading makes new ones.
  void disconnect();

 private:
  template <class Connection, class Read>
  void read_source(Source source, std::optional<Connection>& connection, const Report& report,
                   Read read);
  template <class Connection>
  void give_up(std::optional<Connection>& connection);

  [[nodiscard]] VotesRead read_votes(const std::vector<NodeId>& voters);
  [[nodiscard]] std::optional<votequorum_info> get_info(NodeId id);
  [[nodiscard]] ConfigurationRead read_configuration(const std::vector<NodeId>& nodes);
  [[nodiscard]] LocalNodeRead read_local_node();

  Calls& calls_;
  Drain& drain_;
  const std::chrono::milliseconds refused_retry_;
  std::map<Source, SteadyTime> not_before_;
  std::optional<Connection<votequorum_finalize>> votequorum_;
  std::optional<CmapReader> cmap_;
  std::optional<Connection<corosync_cfg_finalize>> cfg_;
};

}  // namespace corosync_exporter
