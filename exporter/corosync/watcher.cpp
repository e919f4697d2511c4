// SPDX-License-Identifier: Apache-2.0
#include "corosync/watcher.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "clock.h"
#include "corosync/change_log.h"

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
                 const Logger& log, Publish publish)
    : loop_{loop},
      timing_{timing},
      log_{log},
      publish_{std::move(publish)},
      state_{.stale_after = timing.stale_after},
      noted_until_{current_moment().steady},
      timeline_{current_moment().system},
      next_retry_{timing.first_retry},
      retry_{loop, [this] { connect(); }},
      poll_{loop, [this] { poll(); }},
      watch_{loop, [this] { watch(); }},
      reported_{loop, [this] { take_reports(); }},
      collector_{track, groups, [this] { reported_.ring(); }} {}

bool Watcher::stop(std::chrono::milliseconds patience) {
  retry_.cancel();
  poll_.cancel();
  watch_.cancel();
  if (subscription_) {
    for (const int descriptor : subscription_->descriptors()) {
      loop_.remove(descriptor);
    }
  }
  return collector_.stop(std::move(subscription_), patience);
}

void Watcher::connect() {
  collector_.connect();
  watch_.start(timing_.watch_interval);
}

void Watcher::connected(std::unique_ptr<Subscription> subscription) {
  subscription_ = std::move(subscription);
  read_ = false;
  for (const int descriptor : subscription_->descriptors()) {
    loop_.on_readable(descriptor, [this] { receive(); });
  }
  subscribed_at_ = current_moment().steady;
  take(Connected{.has_provider = subscription_->has_provider()}, current_moment());
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
  const bool was_syncing = is_syncing(state_);
  const auto events = subscription_->take_events();
  for (const auto& [at, event] : events) {
    take(event, at);
  }
  if (failure) {
    lost(*failure);
  } else if (!events.empty()) {
    ask(was_syncing && !is_syncing(state_));  // what was not to be asked for meanwhile
  }
  publish();
}

void Watcher::take_reports() {
  for (auto& report : collector_.take_reports()) {
    std::visit(
        Overloaded{[this](std::unique_ptr<Subscription>& subscription) {
                     connected(std::move(subscription));
                   },
                   [this](const Collector::ConnectFailure& failure) { failed(failure.error); },
                   [this](const Collector::Reading& reading) {
                     take(reading.event, reading.at);
                     if (std::holds_alternative<ReadingFailed>(reading.event) && subscription_) {
                       poll_.start(std::min(timing_.reading_retry, timing_.poll_interval));
                     }
                   },
                   [this](const Collector::Done& done) {
                     read_ = read_ || done.statistics;
                     log_.debug("read", {{"statistics", done.statistics},
                                         {"seconds", in_seconds(done.took)}});
                   }},
        report);
  }
  if (!collector_.is_busy()) {
    watch_.cancel();
    hang_told_ = false;
  }
  publish();
}

void Watcher::failed(const CorosyncError& error) {
  take(ConnectFailed{.failure = error.failure()}, current_moment());
  retry_after(error);
}

void Watcher::lost(const CorosyncError& error) {
  for (const int descriptor : subscription_->descriptors()) {
    loop_.remove(descriptor);
  }
  poll_.cancel();
  collector_.end(std::move(subscription_));
  const Moment now = current_moment();
  take(Disconnected{.failure = error.failure()}, now);
  if (now.steady - subscribed_at_ > timing_.last_retry) {
    next_retry_ = timing_.first_retry;
  }
  retry_after(error);
}

void Watcher::retry_after(const CorosyncError& error) {
  retry_.start(error.is_refusal() ? timing_.refused_retry : next_retry_);
  next_retry_ = std::min(2 * next_retry_, timing_.last_retry);
}

void Watcher::ask(bool statistics) {
  Request request{.has_provider = subscription_->has_provider(),
                  .statistics = statistics,
                  .syncing = is_syncing(state_)};
  if (state_.present) {
    request.voters = state_.present->voters;
  }
  for (const auto& [id, node] : state_.nodes) {
    request.nodes.push_back(id);
  }
  collector_.read(std::move(request));
  if (!watch_.is_running()) {
    watch_.start(timing_.watch_interval);
  }
}

void Watcher::poll() {
  ask(true);
  poll_.start(timing_.poll_interval);
}

void Watcher::watch() {
  if (!collector_.is_busy()) {
    return;
  }
  watch_.start(timing_.watch_interval);
  const Moment now = current_moment();
  note_changes(state_, now);  // silence, where there is a connection to fall silent
  publish();
  const auto waiting = collector_.waiting();
  if (!waiting) {
    return;  // between two calls
  }
  const Duration waited = now.steady - waiting->since;
  if (waits_for_sync(*waiting) && waited >= timing_.watch_interval) {
    collector_.cancel(*waiting);
    return;
  }
  if (!subscription_ && waited >= timing_.stale_after && !std::exchange(hang_told_, true)) {
    log_.warn("corosync does not answer", {{"call", waiting->call}});
  }
  if (waited >= timing_.give_up_after) {
    collector_.cancel(*waiting);
    if (subscription_) {
      hang_told_ = true;  // as the reason for the loss
      lost(CorosyncError{waiting->call, CS_ERR_TIMEOUT});
      publish();
    }
  }
}

// A call to another service than votequorum that was made just before a membership sync began, and
// may keep corosync busy until its end (Request::syncing).
bool Watcher::waits_for_sync(const Calls::Waiting& waiting) const {
  return subscription_ && is_syncing(state_) && !waiting.call.starts_with("votequorum");
}

void Watcher::take(const Event& event, Moment at) {
  const ClusterState before = state_;
  state_ = apply(std::move(state_), event, at);
  note_changes(before, at);
}

void Watcher::note_changes(const ClusterState& before, Moment now) {
  auto changes = changes_between(before, noted_until_, state_, now.steady);
  noted_until_ = std::max(noted_until_, now.steady);
  if (!changes.empty()) {
    timeline_.note(changes, state_, now);
    published_timeline_.reset();
    std::ranges::move(changes, std::back_inserter(changes_));
  }
}

void Watcher::publish() {
  if (!published_timeline_) {
    published_timeline_ = std::make_shared<const Timeline>(timeline_);
  }
  publish_({.state = state_, .timeline = published_timeline_, .generation = ++generation_});
  for (const Change& change : std::exchange(changes_, {})) {
    log_change(log_, change, state_);
  }
}

}  // namespace corosync_exporter
