// SPDX-License-Identifier: Apache-2.0
// The one place that decides about errors: connects and connects again as ConnectionLife says, asks
// for what is not announced, notices when corosync falls silent, and hands what it hears to the
// Chronicle.
//
// A call that is not answered is taken back soon (Timing), and is no sign of death: corosync may be
// busy. Silent is one that says nothing at all: no callback, no answer, not even on a connection
// that was made to ask.
//
// Threads: the loop's, except waiting(), which any may call.
#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "corosync/chronicle.h"
#include "corosync/collector.h"
#include "corosync/connection_life.h"
#include "corosync/event_loop.h"
#include "corosync/timing.h"
#include "log.h"
#include "model/cluster_state.h"
#include "model/events.h"

namespace corosync_exporter {

class Watcher {
 public:
  // `track` is quorum_trackstart's flags. `publish` gets every new state, with what led to it.
  Watcher(EventLoop& loop, Timing timing, Groups groups, unsigned int track, const Logger& log,
          Chronicle::Publish publish);

  // Begins to connect. Until then nothing can hang.
  void start() { connect(); }

  // The call to corosync that is under way; of several, the one that has waited longest.
  [[nodiscard]] std::optional<Calls::Waiting> waiting() const;

  // Whether a new connection has told all there is to tell, or a try to connect has failed.
  [[nodiscard]] bool is_settled() const {
    return subscription_ ? read_ : state().disconnected_by.has_value();
  }

  // Ends the subscription politely. False where corosync does not let it happen within `patience`:
  // then the process cannot end in good order and is to _exit.
  [[nodiscard]] bool stop(std::chrono::milliseconds patience);

 private:
  using End = ConnectionLife::End;

  [[nodiscard]] const ClusterState& state() const { return chronicle_.state(); }
  void connect();
  void connected(std::unique_ptr<Subscription> subscription);
  void receive();  // from the subscription
  void take_reports(Collector& collector);
  void take_report(Collector::Report& report);
  void lost(const CorosyncError& error);  // the subscription
  void retry_after(End how);              // of the try, or of the subscription
  void finished(const Collector::Done& done);
  void ask(Request request);  // the collector for its readings
  void poll();
  void watch();  // while a call is under way
  void look_for_silence();
  void prove_life();

  void take(Event event, Moment at);

  EventLoop& loop_;
  const Timing timing_;
  const Logger& log_;

  Chronicle chronicle_;
  ConnectionLife life_;
  bool read_ = false;       // everything, since `subscription_` began
  bool hang_told_ = false;  // of the call to connect that is under way
  bool busy_told_ = false;  // that corosync does not answer readings
  SteadyTime polled_at_;    // last
  bool probed_ = false;     // since then
  std::unique_ptr<Subscription> subscription_;

  Timer retry_;
  Timer poll_;
  Timer reread_;  // what is due before the next poll
  Timer watch_;
  Timer silence_;
  Wakeup reported_;
  Wakeup probe_reported_;
  Collector collector_;  // last, both: their threads ring
  Collector prober_;
};

}  // namespace corosync_exporter
