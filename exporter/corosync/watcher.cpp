// SPDX-License-Identifier: Apache-2.0
#include "corosync/watcher.h"

#include <algorithm>
#include <utility>

#include "clock.h"

namespace corosync_exporter {
namespace {

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

}  // namespace

Watcher::Watcher(EventLoop& loop, Timing timing, Groups groups, unsigned int track,
                 const Logger& log, Chronicle::Publish publish)
    : loop_{loop},
      timing_{timing},
      log_{log},
      chronicle_{timing.stale_after, current_moment().system, log, std::move(publish)},
      life_{timing},
      retry_{loop, [this] { connect(); }},
      poll_{loop, [this] { poll(); }},
      reread_{loop, [this] { ask({.only_due = true}); }},
      watch_{loop, [this] { watch(); }},
      silence_{loop, [this] { look_for_silence(); }},
      reported_{loop, [this] { take_reports(collector_); }},
      probe_reported_{loop, [this] { take_reports(prober_); }},
      collector_{track, groups, timing, [this] { reported_.ring(); }},
      prober_{track, groups, timing, [this] { probe_reported_.ring(); }} {}

bool Watcher::stop(std::chrono::milliseconds patience) {
  retry_.cancel();
  poll_.cancel();
  reread_.cancel();
  watch_.cancel();
  silence_.cancel();
  if (subscription_) {
    for (const int descriptor : subscription_->descriptors()) {
      loop_.remove(descriptor);
    }
  }
  const SteadyTime until = current_moment().steady + patience;
  bool stopped = collector_.stop(std::move(subscription_), patience);
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - current_moment().steady);
  stopped &= prober_.stop(nullptr, std::max(left, std::chrono::milliseconds{0}));
  return stopped;
}

std::optional<Calls::Waiting> Watcher::waiting() const {
  const auto reading = collector_.waiting();
  const auto probing = prober_.waiting();
  return !reading || (probing && probing->since < reading->since) ? probing : reading;
}

void Watcher::connect() {
  life_.connecting();
  collector_.connect();
  watch_.start(timing_.watch_interval);
}

void Watcher::connected(std::unique_ptr<Subscription> subscription) {
  subscription_ = std::move(subscription);
  read_ = false;
  for (const int descriptor : subscription_->descriptors()) {
    loop_.on_readable(descriptor, [this] { receive(); });
  }
  life_.subscribed(current_moment().steady);
  take(Connected{.has_provider = subscription_->has_provider()}, current_moment());
  look_for_silence();
  receive();
  if (subscription_) {
    poll();
  }
}

void Watcher::receive() {
  std::optional<CorosyncError> failure;
  try {
    subscription_->dispatch();
  } catch (const CorosyncError& error) {
    failure = error;
  }
  const bool was_syncing = is_syncing(state());
  auto events = subscription_->take_events();
  for (auto& [at, event] : events) {
    take(std::move(event), at);
  }
  if (failure) {
    lost(*failure);
  } else if (!events.empty()) {
    // The statistics were not to be asked for meanwhile.
    ask({.statistics = was_syncing && !is_syncing(state()), .urgent = true});
  }
  chronicle_.publish();
}

void Watcher::take_reports(Collector& collector) {
  for (auto& report : collector.take_reports()) {
    take_report(report);
  }
  if (!collector_.is_busy()) {
    hang_told_ = false;
    if (!prober_.is_busy()) {
      watch_.cancel();
    }
  }
  chronicle_.publish();
}

void Watcher::take_report(Collector::Report& report) {
  std::visit(
      Overloaded{
          [this](std::unique_ptr<Subscription>& subscription) {
            connected(std::move(subscription));
          },
          [this](const Collector::ConnectFailure& failure) {
            take(ConnectFailed{.failure = failure.failure}, current_moment());
            retry_after(failure.is_refusal ? End::refused : End::failed);
          },
          [this](const Collector::ConnectInterrupted&) { retry_after(End::interrupted); },
          [this](Collector::Reading& reading) { take(std::move(reading.event), reading.at); },
          [this](const Collector::Done& done) { finished(done); },
          [this](const Collector::Broken& broken) {
            log_.error("the collector goes on after an error", {{"error", broken.what}});
            if (life_.phase() == ConnectionLife::Phase::connecting) {
              retry_after(End::refused);
            }
          }},
      report);
}

void Watcher::finished(const Collector::Done& done) {
  read_ = read_ || done.statistics;
  log_.debug("read", {{"statistics", done.statistics}, {"seconds", in_seconds(done.took)}});
  if (!subscription_) {
    return;
  }
  const bool busy = std::ranges::any_of(state().sources,
                                        [](const auto& entry) { return entry.second.interrupted; });
  if (busy != std::exchange(busy_told_, busy)) {
    log_.info(busy ? "corosync is busy: what it does not answer is asked for later"
                   : "corosync answers all readings again");
  }
  if (done.due && !is_syncing(state())) {  // else its end brings the next reading
    reread_.start(std::max<Duration>(*done.due - current_moment().steady, {}));
  } else {
    reread_.cancel();
  }
  if (done.began >= polled_at_) {  // else one that was asked for before
    prove_life();
  }
}

void Watcher::lost(const CorosyncError& error) {
  for (const int descriptor : subscription_->descriptors()) {
    loop_.remove(descriptor);
  }
  poll_.cancel();
  reread_.cancel();
  silence_.cancel();
  busy_told_ = false;
  collector_.end(std::move(subscription_));
  take(Disconnected{.failure = error.failure()}, current_moment());
  retry_after(error.is_refusal() ? End::refused : End::failed);
}

void Watcher::retry_after(End how) { retry_.start(life_.ended(how, current_moment().steady)); }

void Watcher::ask(Request request) {
  request.has_provider = subscription_->has_provider();
  request.syncing = is_syncing(state());
  if (state().present) {
    request.voters = state().present->voters;
  }
  for (const auto& [id, node] : state().nodes) {
    request.nodes.push_back(id);
  }
  collector_.read(std::move(request));
  if (!watch_.is_running()) {
    watch_.start(timing_.watch_interval);
  }
}

void Watcher::poll() {
  polled_at_ = current_moment().steady;
  probed_ = false;
  ask({.statistics = true});
  poll_.start(timing_.poll_interval);
}

void Watcher::watch() {
  if (!collector_.is_busy() && !prober_.is_busy()) {
    return;
  }
  watch_.start(timing_.watch_interval);
  const SteadyTime now = current_moment().steady;
  collector_.take_back_overdue(now);
  prober_.take_back_overdue(now);
  const auto waiting = collector_.waiting();
  const Duration waited = waiting ? now - waiting->since : Duration::zero();
  // One call, or many that were answered late: either way it may be some time until a word comes.
  if (collector_.is_busy() && std::max(waited, now - polled_at_) >= timing_.call_limit) {
    prove_life();
  }
  if (!subscription_ && waiting && waited >= timing_.stale_after &&
      !std::exchange(hang_told_, true)) {
    log_.warn("corosync does not answer", {{"call", waiting->call}});
  }
}

// Time alone makes silence, so somebody has to look.
void Watcher::look_for_silence() {
  const Moment now = current_moment();
  chronicle_.look_for_silence(now);
  chronicle_.publish();
  if (subscription_ && !is_silent(state(), now.steady)) {
    silence_.start(timing_.stale_after - *silence(state(), now.steady) + timing_.watch_interval);
  }
}

// A poll that brings no word leaves open whether corosync is busy or hangs.
void Watcher::prove_life() {
  if (subscription_ && state().present->last_word < polled_at_ && !prober_.is_busy() &&
      !std::exchange(probed_, true)) {
    prober_.probe();
    if (!watch_.is_running()) {
      watch_.start(timing_.watch_interval);
    }
  }
}

void Watcher::take(Event event, Moment at) {
  chronicle_.take(std::move(event), at);
  if (subscription_ && !silence_.is_running() && !is_silent(state(), at.steady)) {
    silence_.start(timing_.stale_after);  // it was silent, and is no longer
  }
}

}  // namespace corosync_exporter
