// SPDX-License-Identifier: Apache-2.0
// The connection's life, and the one place that decides about errors: connects and connects again,
// turns what arrives into the next state, notices when corosync falls silent, publishes and logs.
//
//   DOWN --retry--> CONNECTING --Subscription--> subscribed --CorosyncError--> DOWN
//
// Threads: the loop's, but waiting(), which any may call.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "corosync/collector.h"
#include "corosync/event_loop.h"
#include "log.h"
#include "model/changes.h"
#include "model/cluster_state.h"
#include "model/timeline.h"

namespace corosync_exporter {

struct Timing {
  std::chrono::milliseconds poll_interval = std::chrono::seconds{5};
  std::chrono::milliseconds stale_after = std::chrono::seconds{15};
  // A failed try is repeated after first_retry, then after twice that, up to last_retry. After a
  // connection that lasted for longer than that it begins afresh.
  std::chrono::milliseconds first_retry{250};
  std::chrono::milliseconds last_retry = std::chrono::seconds{2};
  // Where each try writes into corosync's own log: no access, no space left in /dev/shm.
  std::chrono::milliseconds refused_retry = std::chrono::seconds{30};
  // A failed reading is worth a new try before the next poll.
  std::chrono::milliseconds reading_retry = std::chrono::seconds{1};
  // Between two looks at a call that does not come back.
  std::chrono::milliseconds watch_interval = std::chrono::seconds{1};
  // When to give it up. More than the 30 s that corosync itself may wait for a quorum device's vote
  // during a membership sync, answering nobody (quorum.device.sync_timeout in corosync.conf(5)).
  std::chrono::milliseconds give_up_after = std::chrono::seconds{40};
};

class Watcher {
 public:
  using Publish = std::function<void(Snapshot)>;

  // `track` is quorum_trackstart's flags. `publish` gets every new state, with what led to it.
  Watcher(EventLoop& loop, Timing timing, Groups groups, unsigned int track, const Logger& log,
          Publish publish);

  // Begins to connect. Until then nothing can hang.
  void start() { connect(); }

  // The call to corosync that is under way.
  [[nodiscard]] std::optional<Calls::Waiting> waiting() const { return collector_.waiting(); }

  // Whether a new connection has told all there is to tell, or a try to connect has failed.
  [[nodiscard]] bool is_settled() const {
    return subscription_ ? read_ : state_.disconnected_by.has_value();
  }

  // Ends the subscription politely. False where corosync does not let it happen within `patience`:
  // then the process cannot end in good order and is to _exit.
  [[nodiscard]] bool stop(std::chrono::milliseconds patience);

 private:
  void connect();
  void connected(std::unique_ptr<Subscription> subscription);
  void receive();                           // from the subscription
  void take_reports();                      // from the collector
  void lost(const CorosyncError& error);    // the subscription
  void failed(const CorosyncError& error);  // to connect
  void retry_after(const CorosyncError& error);
  void ask(bool statistics);  // the collector for its readings
  void poll();
  void watch();  // while a call is under way
  [[nodiscard]] bool waits_for_sync(const Calls::Waiting& waiting) const;

  // One event: the next state, and the changes to log and to keep.
  void take(const Event& event, Moment at);
  void note_changes(const ClusterState& before, Moment now);
  // The state, then the log: whoever reads the log slowly holds up nobody else.
  void publish();

  EventLoop& loop_;
  const Timing timing_;
  const Logger& log_;
  const Publish publish_;

  ClusterState state_;
  SteadyTime noted_until_;       // what changed until then is in `changes_`, or was
  std::vector<Change> changes_;  // to be logged
  Timeline timeline_;
  std::shared_ptr<const Timeline> published_timeline_;  // empty: not as it is now
  std::uint64_t generation_ = 0;
  std::chrono::milliseconds next_retry_;
  bool read_ = false;       // everything, since `subscription_` began
  bool hang_told_ = false;  // of the call to connect that is under way
  std::unique_ptr<Subscription> subscription_;
  SteadyTime subscribed_at_;

  Timer retry_;
  Timer poll_;
  Timer watch_;
  Wakeup reported_;
  Collector collector_;  // last: its thread rings `reported_`
};

}  // namespace corosync_exporter
