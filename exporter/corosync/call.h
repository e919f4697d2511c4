// SPDX-License-Identifier: Apache-2.0
// The way to make a call that waits for corosync. Such calls know no time limit (corotypes.h:
// CS_IPC_TIMEOUT_MS is -1), and corosync may spin while a request lies there that it does not read
// yet. So each has a limit here, and is taken back by another thread once it has waited for longer.
//
// Threads: one thread makes the calls, one at a time; any may ask how long the one under way has
// waited, or take it back.
#pragma once

#include <corosync/corotypes.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "clock.h"
#include "corosync/error.h"
#include "corosync/timing.h"

namespace corosync_exporter {

// The call was taken back: corosync has not failed, it was not waited for. The connection is of no
// more use.
class CallTakenBack : public std::runtime_error {
 public:
  explicit CallTakenBack(std::string_view call)
      : std::runtime_error{std::string{call} + " was taken back"}, call_{call} {}
  [[nodiscard]] const std::string& call() const noexcept { return call_; }

 private:
  std::string call_;
};

class Calls {
 public:
  struct Waiting {
    std::string_view call;
    SteadyTime since;
  };

  explicit Calls(const Timing& timing) : limit_{timing.call_limit} {}

  // `name` is the call's own name for errors, a literal; `descriptor` is the connection's, -1 where
  // there is none yet (*_initialize): then the call cannot be taken back. Throws CallTakenBack.
  template <class Call>
  cs_error_t attempt(std::string_view name, int descriptor, Call&& call) {
    InFlight in_flight{*this, name, descriptor};
    errno = 0;
    const cs_error_t code = call();
    if (in_flight.ended(code)) {
      throw CallTakenBack{name};
    }
    return code;
  }

  // The same for a call that has to succeed. Throws CorosyncError, too.
  template <class Call>
  void make(std::string_view name, int descriptor, Call&& call) {
    if (const cs_error_t code = attempt(name, descriptor, std::forward<Call>(call));
        code != CS_OK) {
      // Only a call that connects leaves an errno that is about itself.
      throw CorosyncError{name, code, descriptor < 0 ? errno : 0};
    }
  }

  [[nodiscard]] std::optional<Waiting> waiting() const {
    const std::lock_guard lock{mutex_};
    return waiting_;
  }

  // When corosync last answered a call, were it with an error.
  [[nodiscard]] std::optional<SteadyTime> answered() const {
    const std::lock_guard lock{mutex_};
    return answered_;
  }

  // Takes the call under way back if it has waited for longer than its limit: shuts its connection
  // down, at which corosync drops the request; the call itself returns within 2 s (libqb polls at
  // that interval, QB_IPC_MAX_WAIT_MS).
  void take_back_overdue(SteadyTime now) {
    const std::lock_guard lock{mutex_};
    if (waiting_ && now - waiting_->since >= limit_) {
      take_back();
    }
  }
  // However long it has waited.
  void take_back_any() {
    const std::lock_guard lock{mutex_};
    if (waiting_) {
      take_back();
    }
  }

 private:
  class InFlight {
   public:
    InFlight(Calls& calls, std::string_view name, int descriptor) : calls_{calls} {
      const std::lock_guard lock{calls_.mutex_};
      calls_.waiting_ = Waiting{.call = name, .since = current_moment().steady};
      calls_.descriptor_ = descriptor;
      calls_.taken_back_ = false;
    }
    ~InFlight() {
      const std::lock_guard lock{calls_.mutex_};
      calls_.waiting_.reset();
    }
    InFlight(const InFlight&) = delete;
    InFlight& operator=(const InFlight&) = delete;

    // With this code. Whether because it was taken back.
    [[nodiscard]] bool ended(cs_error_t code) {
      const int kept = errno;  // of the call, which a mutex need not preserve
      bool taken_back = false;
      {
        const std::lock_guard lock{calls_.mutex_};
        calls_.waiting_.reset();
        taken_back = calls_.taken_back_;
        // CS_ERR_TRY_AGAIN may be libqb's own: a request that it did not send (flow_control.cpp), or
        // a connection that the kernel has no room for.
        if (!taken_back && is_answer(code) && code != CS_ERR_TRY_AGAIN) {
          calls_.answered_ = current_moment().steady;
        }
      }
      errno = kept;
      return taken_back;
    }

   private:
    Calls& calls_;
  };

  void take_back() {
    if (descriptor_ >= 0) {
      shutdown(descriptor_, SHUT_RDWR);
      taken_back_ = true;
    }
  }

  const std::chrono::milliseconds limit_;
  mutable std::mutex
      mutex_;  // of all below; also keeps `descriptor_` from being closed while it is shut down
  std::optional<Waiting> waiting_;
  int descriptor_ = -1;      // of `waiting_`
  bool taken_back_ = false;  // `waiting_`
  std::optional<SteadyTime> answered_;
};

}  // namespace corosync_exporter
