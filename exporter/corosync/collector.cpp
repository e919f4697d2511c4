// SPDX-License-Identifier: Apache-2.0
#include "corosync/collector.h"

#include <csignal>
#include <utility>

#include "clock.h"

namespace corosync_exporter {
namespace {

constexpr std::chrono::milliseconds drain_at_end_interval{20};

}  // namespace

Collector::Collector(unsigned int track, Groups groups, const Timing& timing,
                     std::function<void()> ring)
    : track_{track},
      watch_interval_{timing.watch_interval},
      ring_{std::move(ring)},
      calls_{timing},
      readings_{calls_, drain_, groups, timing},
      thread_{[this] { run(); }} {}

Collector::~Collector() {
  order([](Work& work) { work.stop = true; });
  calls_.take_back_any();
}

template <class Change>
void Collector::order(Change change) {
  {
    const std::lock_guard lock{mutex_};
    change(work_);
  }
  changed_.notify_all();
}

void Collector::connect() {
  order([](Work& work) { work.connect = true; });
}

void Collector::read(Request request) {
  order([&](Work& work) {
    if (work.read) {
      request.statistics |= work.read->statistics;
      request.urgent |= work.read->urgent;
      request.only_due &= work.read->only_due;
    }
    work.read = std::move(request);
  });
}

void Collector::probe() {
  order([](Work& work) { work.probe = true; });
}

void Collector::end(std::unique_ptr<Subscription> subscription) {
  order([&](Work& work) {
    work.ended.push_back(std::move(subscription));
    work.read.reset();  // of a connection that is no more
  });
}

bool Collector::is_busy() const {
  const std::lock_guard lock{mutex_};
  return working_ || work_.any();
}

std::vector<Collector::Report> Collector::take_reports() {
  const std::lock_guard lock{mutex_};
  return std::exchange(outbox_, {});
}

bool Collector::stop(std::unique_ptr<Subscription> subscription,
                     std::chrono::milliseconds patience) {
  order([&](Work& work) {
    work.connect = false;
    work.read.reset();
    work.probe = false;
    work.stop = true;
    work.last = std::move(subscription);
    work.until = current_moment().steady + patience * 4 / 5;
  });
  const SteadyTime until = current_moment().steady + patience;
  std::unique_lock lock{mutex_};
  // Nobody else takes calls back by now.
  while (!stopped_ && current_moment().steady < until) {
    changed_.wait_for(lock, std::min<Duration>(watch_interval_, patience));
    lock.unlock();
    calls_.take_back_overdue(current_moment().steady);
    lock.lock();
  }
  return stopped_;
}

void Collector::run() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);  // signals are for the loop's thread
  while (true) {
    Work work = next_work();
    try {
      do_work(work);
    } catch (const std::exception& error) {
      report_broken(error);
    }
    if (work.stop) {
      break;
    }
  }
  {
    const std::lock_guard lock{mutex_};
    stopped_ = true;
  }
  changed_.notify_all();
}

void Collector::do_work(Work& work) {
  for (auto& subscription : work.ended) {
    finish(std::move(subscription));
  }
  if (work.connect) {
    connect_now();
  }
  if (work.read) {
    read_now(*work.read);
  }
  if (work.probe) {
    probe_now();
  }
  drain_.empty(current_moment().steady);
  if (work.stop) {
    end_all(work);
  }
}

void Collector::end_all(Work& work) {
  if (work.last) {
    auto ended_by = Drain::EndedBy::corosync;
    try {
      work.last->stop(calls_);
    } catch (const CorosyncError&) {
      // corosync has gone in the meantime, and with it what there was to stop
    } catch (const CallTakenBack&) {
      ended_by = Drain::EndedBy::us;  // it is too busy for politeness
    }
    finish(std::move(work.last), ended_by);
  }
  // A corosync that was told to stop together with us is gone in a moment.
  while (drain_.expects_exit() && current_moment().steady < work.until) {
    std::this_thread::sleep_for(drain_at_end_interval);
    drain_.empty(current_moment().steady);
  }
}

Collector::Work Collector::next_work() {
  const auto look = drain_.next_look();
  std::unique_lock lock{mutex_};
  working_ = false;
  const auto ordered = [this] { return work_.any(); };
  if (look) {
    changed_.wait_for(lock, *look, ordered);
  } else {
    changed_.wait(lock, ordered);
  }
  working_ = work_.any();
  return std::exchange(work_, {});
}

void Collector::connect_now() {
  auto subscription = std::make_unique<Subscription>();
  Report why_not;
  auto ended_by = Drain::EndedBy::corosync;
  try {
    subscription->open(calls_, track_);
    report(std::move(subscription));
    return;
  } catch (const CallTakenBack& taken_back) {
    report_event(CallCancelled{.call = taken_back.call()});
    why_not = ConnectInterrupted{};
    ended_by = Drain::EndedBy::us;
  } catch (const CorosyncError& error) {
    why_not = ConnectFailure{.failure = error.failure(), .is_refusal = error.is_refusal()};
  } catch (const std::exception& error) {  // no memory, above all
    why_not = ConnectFailure{.failure = own_failure(error), .is_refusal = true};
  }
  finish(std::move(subscription), ended_by);
  report(std::move(why_not));
}

void Collector::probe_now() {
  readings_.prove_life([this](Event event) { report_event(std::move(event)); });
}

void Collector::finish(std::unique_ptr<Subscription> subscription, Drain::EndedBy ended_by) {
  const auto descriptors = subscription->descriptors();
  drain_.add(std::move(subscription), descriptors, current_moment().steady, ended_by);
  readings_.disconnect();
}

void Collector::read_now(const Request& request) {
  const SteadyTime begin = current_moment().steady;
  readings_.read(request, begin, [this](Event event) { report_event(std::move(event)); });
  {
    const std::lock_guard lock{mutex_};
    outbox_.emplace_back(Done{.statistics = request.statistics && !request.syncing,
                              .began = begin,
                              .took = current_moment().steady - begin,
                              .due = readings_.due()});
    working_ = false;  // together, so that whoever takes this report knows that it was the last
  }
  ring_();
}

void Collector::report_event(Event event) {
  report(Reading{.at = current_moment(), .event = std::move(event)});
}

void Collector::report_broken(const std::exception& error) noexcept {
  try {
    report(Broken{error.what()});
  } catch (const std::exception&) {
    // no memory for this either
  }
}

void Collector::report(Report report) {
  {
    const std::lock_guard lock{mutex_};
    outbox_.push_back(std::move(report));
  }
  ring_();
}

}  // namespace corosync_exporter
