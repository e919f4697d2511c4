// SPDX-License-Identifier: Apache-2.0
#include "corosync/event_loop.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <new>
#include <system_error>
#include <utility>

namespace corosync_exporter {
namespace {

// libqb answers 0 or -errno.
void check_qb(int32_t result, const char* call) {
  if (result < 0) {
    throw std::system_error{-result, std::generic_category(), call};
  }
}

int make_event() {
  const int descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (descriptor < 0) {
    throw std::system_error{errno, std::generic_category(), "eventfd"};
  }
  return descriptor;
}

}  // namespace

EventLoop::EventLoop() : loop_{qb_loop_create()} {
  if (!loop_) {
    throw std::bad_alloc{};
  }
}

void EventLoop::run() {
  qb_loop_run(loop_.get());
  if (failure_) {
    std::rethrow_exception(std::exchange(failure_, nullptr));
  }
}

void EventLoop::stop() { qb_loop_stop(loop_.get()); }

void EventLoop::on_readable(int descriptor, Handler handler) {
  check_qb(qb_loop_poll_add(loop_.get(), QB_LOOP_HIGH, descriptor, POLLIN, this, readable),
           "qb_loop_poll_add");
  readers_[descriptor] = std::make_shared<const Handler>(std::move(handler));
}

void EventLoop::remove(int descriptor) {
  if (readers_.erase(descriptor) > 0) {
    qb_loop_poll_del(loop_.get(), descriptor);
  }
}

void EventLoop::on_signal(int signal, Handler handler) {
  check_qb(qb_loop_signal_add(loop_.get(), QB_LOOP_HIGH, signal, this, signalled, nullptr),
           "qb_loop_signal_add");
  signals_[signal] = std::move(handler);
}

void EventLoop::call(const Handler& handler) noexcept {
  try {
    handler();
  } catch (...) {  // the frames below are C: run() throws it on
    failure_ = std::current_exception();
    stop();
  }
}

// Always 0: to libqb -1 means "forget the handler", but it would leave the descriptor in epoll and
// spin.
int32_t EventLoop::readable(int32_t descriptor, int32_t /*events*/, void* loop) noexcept {
  auto* self = static_cast<EventLoop*>(loop);
  if (const auto reader = self->readers_.find(descriptor); reader != self->readers_.end()) {
    const std::shared_ptr<const Handler> handler = reader->second;
    self->call(*handler);
  }
  return 0;
}

int32_t EventLoop::signalled(int32_t signal, void* loop) noexcept {
  auto* self = static_cast<EventLoop*>(loop);
  if (const auto handler = self->signals_.find(signal); handler != self->signals_.end()) {
    self->call(handler->second);
  }
  return 0;
}

Timer::Timer(EventLoop& loop, EventLoop::Handler handler)
    : loop_{loop}, handler_{std::move(handler)} {}

void Timer::start(std::chrono::nanoseconds delay) {
  cancel();
  check_qb(qb_loop_timer_add(loop_.loop_.get(), QB_LOOP_HIGH,
                             static_cast<std::uint64_t>(delay.count()), this, expired, &handle_),
           "qb_loop_timer_add");
}

void Timer::cancel() {
  if (handle_ != 0) {
    qb_loop_timer_del(loop_.loop_.get(), std::exchange(handle_, 0));
  }
}

void Timer::expired(void* timer) noexcept {
  auto* self = static_cast<Timer*>(timer);
  self->handle_ = 0;  // libqb's is void from here on
  self->loop_.call(self->handler_);
}

Wakeup::Wakeup(EventLoop& loop, EventLoop::Handler handler) : loop_{loop}, event_{make_event()} {
  loop_.on_readable(event_.get(), [this, handler = std::move(handler)] {
    eventfd_t rings = 0;
    eventfd_read(event_.get(), &rings);
    handler();
  });
}

Wakeup::~Wakeup() { loop_.remove(event_.get()); }

void Wakeup::ring() const noexcept { eventfd_write(event_.get(), 1); }

}  // namespace corosync_exporter
