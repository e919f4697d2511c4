// SPDX-License-Identifier: Apache-2.0
// libqb's main loop: descriptors, timers and signals, and a way in for other threads.
//
// Threads: everything belongs to the thread that calls run(), but Wakeup::ring.
// A handler may throw: the loop stops and run() throws it on, so that no exception crosses C
// frames. One loop a process may handle signals (libqb keeps their pipe in a global).
#pragma once

#include <qb/qbloop.h>

#include <chrono>
#include <exception>
#include <functional>
#include <map>
#include <memory>

#include "descriptor.h"

namespace corosync_exporter {

class EventLoop {
 public:
  using Handler = std::function<void()>;

  EventLoop();

  void run();
  void stop();

  // Calls `handler` whenever `descriptor` can be read or its other end is gone, until remove().
  void on_readable(int descriptor, Handler handler);
  // To be called before the descriptor is closed.
  void remove(int descriptor);

  void on_signal(int signal, Handler handler);

 private:
  friend class Timer;

  struct Destroy {
    void operator()(qb_loop_t* loop) const noexcept { qb_loop_destroy(loop); }
  };

  void call(const Handler& handler) noexcept;
  static int32_t readable(int32_t descriptor, int32_t events, void* loop) noexcept;
  static int32_t signalled(int32_t signal, void* loop) noexcept;

  std::unique_ptr<qb_loop_t, Destroy> loop_;
  // Shared, so that a handler outlives its own removal until it has returned.
  std::map<int, std::shared_ptr<const Handler>> readers_;
  std::map<int, Handler> signals_;
  std::exception_ptr failure_;
};

// Calls its handler once, some time after each start. Not movable: libqb knows its address.
class Timer {
 public:
  Timer(EventLoop& loop, EventLoop::Handler handler);
  ~Timer() { cancel(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Runs afresh where it ran already.
  void start(std::chrono::nanoseconds delay);
  void cancel();
  [[nodiscard]] bool is_running() const noexcept { return handle_ != 0; }

 private:
  static void expired(void* timer) noexcept;

  EventLoop& loop_;
  EventLoop::Handler handler_;
  qb_loop_timer_handle handle_ = 0;
};

// Lets another thread call a handler on the loop's thread.
class Wakeup {
 public:
  Wakeup(EventLoop& loop, EventLoop::Handler handler);
  ~Wakeup();
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;

  // Any thread. Rings before the handler has run count as one.
  void ring() const noexcept;

 private:
  EventLoop& loop_;
  Descriptor event_;
};

}  // namespace corosync_exporter
