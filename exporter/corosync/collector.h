// SPDX-License-Identifier: Apache-2.0
// A thread whose calls may wait for corosync: it connects, reads and finalizes, and may hang for as
// long as corosync hangs. Nobody waits for it. The watcher has two: one only to prove that corosync
// is alive while the other one's calls are not answered.
//
// Threads: all members belong to the loop's thread, except waiting(), which any may call. What the
// collector has to report it leaves in an outbox, and rings.
// Lifetime: the destructor waits for the thread. Where stop() came back false, that may take as
// long as corosync pleases, and the process is better ended with _exit.
#pragma once

#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "corosync/call.h"
#include "corosync/drain.h"
#include "corosync/readings.h"
#include "corosync/subscription.h"

namespace corosync_exporter {

class Collector {
 public:
  // A subscription as asked for, or why there is none; a reading, or what else was heard.
  struct ConnectFailure {
    Failure failure;
    bool is_refusal = false;
  };
  struct ConnectInterrupted {};  // its call was taken back
  struct Reading {
    Moment at;
    Event event;
  };
  // A request was worked off, all of its readings reported.
  struct Done {
    bool statistics = false;
    SteadyTime began{};
    Duration took{};
    std::optional<SteadyTime> due{};  // when a source is to be tried again: Request::only_due
  };
  // The collector's own work broke, and goes on.
  struct Broken {
    std::string what;
  };
  using Report = std::variant<std::unique_ptr<Subscription>, ConnectFailure, ConnectInterrupted,
                              Reading, Done, Broken>;

  // `track`: quorum_trackstart's flags. `groups`: what to read. `ring` is called on the collector's
  // thread whenever there are reports to take.
  Collector(unsigned int track, Groups groups, const Timing& timing, std::function<void()> ring);
  ~Collector();
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  // What to do next. None waits; a request that has not been begun is replaced by a newer one.
  void connect();
  void read(Request request);
  // Makes a connection, asks one thing and goes: Answered is the proof that corosync is alive.
  void probe();
  // Ends a subscription, and the readings' connections with it.
  void end(std::unique_ptr<Subscription> subscription);

  [[nodiscard]] std::vector<Report> take_reports();

  // Whether anything is left to do, or under way.
  [[nodiscard]] bool is_busy() const;

  // The call under way, and how to take it back if it has waited for too long: it returns within
  // 2 s, unless it is one that connects.
  [[nodiscard]] std::optional<Calls::Waiting> waiting() const { return calls_.waiting(); }
  void take_back_overdue(SteadyTime now) { calls_.take_back_overdue(now); }

  // Finishes what was asked for, `subscription`'s polite end last, and gives dead connections the
  // rest of `patience` for theirs (Drain). False if that takes longer: corosync hangs.
  [[nodiscard]] bool stop(std::unique_ptr<Subscription> subscription,
                          std::chrono::milliseconds patience);

 private:
  struct Work {
    std::vector<std::unique_ptr<Subscription>> ended;
    bool connect = false;
    std::optional<Request> read;
    bool probe = false;
    bool stop = false;
    std::unique_ptr<Subscription> last{};  // to be ended politely
    SteadyTime until{};                    // when to leave what still waits in the drain
    [[nodiscard]] bool any() const { return !ended.empty() || connect || read || probe || stop; }
  };

  void run();
  [[nodiscard]] Work next_work();
  void do_work(Work& work);
  void end_all(Work& work);
  void connect_now();
  void probe_now();
  void finish(std::unique_ptr<Subscription> subscription,
              Drain::EndedBy ended_by = Drain::EndedBy::corosync);
  void report(Report report);
  void report_broken(const std::exception& error) noexcept;
  void report_event(Event event);
  void read_now(const Request& request);
  template <class Change>
  void order(Change change);

  const unsigned int track_;
  const std::chrono::milliseconds watch_interval_;
  const std::function<void()> ring_;
  Calls calls_;

  // The collector's thread only
  Drain drain_;
  Readings readings_;

  mutable std::mutex mutex_;  // of all below
  std::condition_variable changed_;
  Work work_;
  bool working_ = false;
  std::vector<Report> outbox_;
  bool stopped_ = false;

  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace corosync_exporter
