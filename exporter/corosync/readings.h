// SPDX-License-Identifier: Apache-2.0
// What corosync announces to nobody and has to be asked for. Each source has connections of its
// own, made when they are first needed and again after an error; one that fails does not keep the
// others from being read.
//
// Threads: the collector's; reading waits for corosync.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "corosync/call.h"
#include "corosync/cfg_reader.h"
#include "corosync/configuration_reader.h"
#include "corosync/drain.h"
#include "corosync/statistics_reader.h"
#include "corosync/votequorum_reader.h"
#include "model/cluster_state.h"

namespace corosync_exporter {

// Groups of metrics that cost calls and may be turned off.
struct Groups {
  bool links = true;
  bool totem = true;
};

// What to ask about, as far as the callbacks have told.
struct Request {
  bool has_provider = false;
  std::vector<NodeId> voters{};  // nodes that votequorum knows: of others it returns garbage
  std::vector<NodeId> nodes{};   // nodes that need a name
  bool statistics = false;       // they change all the time, so only now and then
  // During a membership sync only votequorum answers. All other calls wait for its end, which a
  // quorum device may put off for 30 s, and corosync looks at them again and again meanwhile, at
  // realtime priority, with all of a core: so they are not to be made.
  bool syncing = false;
};

class Readings {
 public:
  using Report = std::function<void(Event)>;

  // Connections that broke go to `drain`. A source that refuses us is left alone for
  // `refused_retry`. Once a reading has taken `links_wait_after`, most of many links wait for the
  // next one: that bounds what it costs corosync, also where that is slow.
  Readings(Calls& calls, Drain& drain, Groups groups,
           std::chrono::milliseconds refused_retry = std::chrono::seconds{10},
           std::chrono::milliseconds links_wait_after = std::chrono::milliseconds{4})
      : calls_{calls},
        drain_{drain},
        groups_{groups},
        refused_retry_{refused_retry},
        links_wait_after_{links_wait_after} {}

  // Reads every source that may be asked and reports each part as soon as it is read, then
  // SourceRead or ReadingFailed. A call that is cancelled ends it.
  void read(const Request& request, const Report& report);

  // Gives up all connections; the next reading makes new ones.
  void disconnect();

 private:
  // Whether it was read.
  template <class Read>
  [[nodiscard]] bool try_source(Source source, const Report& report, Read read);
  void read_cmap(const Request& request, const Report& report);
  void read_cfg(const Report& report);
  void read_statistics(SteadyTime until, const Report& report);
  void give_up(Source source);
  template <class Reader>
  Reader& connected(std::unique_ptr<Reader>& reader);
  template <class Reader>
  void drain(std::unique_ptr<Reader>& reader);

  Calls& calls_;
  Drain& drain_;
  const Groups groups_;
  const std::chrono::milliseconds refused_retry_;
  const std::chrono::milliseconds links_wait_after_;
  std::map<Source, SteadyTime> not_before_;
  bool cut_short_ = false;  // the reading under way
  std::unique_ptr<VotequorumReader> votequorum_;
  std::unique_ptr<ConfigurationReader> configuration_;
  std::unique_ptr<StatisticsReader> statistics_;
  std::unique_ptr<CfgReader> cfg_;

  // What one reading tells the next where to look.
  bool has_links_ = false;          // only knet keeps count of them
  std::vector<NodeId> configured_;  // nodes
  std::vector<LinkId> links_;       // to others than the node itself
};

}  // namespace corosync_exporter
