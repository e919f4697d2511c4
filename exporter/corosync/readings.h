// SPDX-License-Identifier: Apache-2.0
// What corosync announces to nobody and has to be asked for. Each source has connections of its
// own, made when they are first needed and again after an error; one that fails does not keep the
// others from being read, and is tried again by itself (Attempts).
//
// Threads: the collector's; reading waits for corosync, though no call for longer than its limit.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "corosync/attempts.h"
#include "corosync/call.h"
#include "corosync/cfg_reader.h"
#include "corosync/configuration_reader.h"
#include "corosync/drain.h"
#include "corosync/statistics_reader.h"
#include "corosync/votequorum_reader.h"
#include "model/events.h"

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
  bool urgent = false;           // something has changed: a source need not wait until it is due
  bool only_due = false;         // none but the sources that are tried again by now
  // During a membership sync only votequorum answers. All other calls wait for its end, which a
  // quorum device may put off for 30 s, and corosync looks at them again and again meanwhile, at
  // realtime priority, with all of a core: so they are not to be made.
  bool syncing = false;
};

class Readings {
 public:
  using Report = std::function<void(Event)>;

  // Connections that broke go to `drain`.
  Readings(Calls& calls, Drain& drain, Groups groups, const Timing& timing)
      : calls_{calls}, drain_{drain}, groups_{groups}, timing_{timing} {}

  // Reads every source that may be asked `now` and reports each part as soon as it is read, then
  // SourceRead, ReadingFailed or ReadingInterrupted. A call that is taken back ends it: what is
  // left would only wait as well.
  void read(const Request& request, SteadyTime now, const Report& report);

  // Makes a connection, asks one thing and goes. Reports Answered if corosync lives.
  void prove_life(const Report& report);

  // When a source is to be tried again, if that is before the next poll.
  [[nodiscard]] std::optional<SteadyTime> due() const;

  // Gives up all connections; the next reading makes new ones.
  void disconnect();

 private:
  using Read = std::function<void()>;
  // put_off: corosync does not take requests for now, and says so (CS_ERR_TRY_AGAIN).
  enum class Outcome { read, put_off, taken_back, failed };

  [[nodiscard]] bool is_asked(Source source, const Request& request, SteadyTime now);
  // Whether it was read.
  [[nodiscard]] bool try_source(Source source, SteadyTime now, const Report& report,
                                const Read& read);
  [[nodiscard]] Outcome attempt(Source source, SteadyTime now, const Report& report,
                                const Read& read);
  void succeed(Source source, SteadyTime now, const Report& report);
  void interrupt(Source source, SteadyTime now, const Report& report);
  void report_answer(SteadyTime since, const Report& report) const;
  [[nodiscard]] Attempts& attempts(Source source);
  void read_cmap(const Request& request, const Report& report);
  void read_cfg(const Report& report);
  void read_statistics(SteadyTime until, const Report& report);
  void give_up(Source source, Drain::EndedBy ended_by = Drain::EndedBy::corosync);
  template <class Reader>
  Reader& connected(std::unique_ptr<Reader>& reader);
  template <class Reader>
  void drain(std::unique_ptr<Reader>& reader, Drain::EndedBy ended_by);

  Calls& calls_;
  Drain& drain_;
  const Groups groups_;
  const Timing timing_;
  std::map<Source, Attempts> attempts_;

  // Of the reading under way
  bool interrupted_ = false;
  std::set<Source> afresh_;  // read on a connection made for it

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
