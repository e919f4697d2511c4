// SPDX-License-Identifier: Apache-2.0
// The way to make a call that waits for corosync. Such calls know no time limit (corotypes.h:
// CS_IPC_TIMEOUT_MS is -1) and last for as long as corosync is frozen, so others want to know how
// long the one under way has waited, and to cut it short.
//
// Threads: one thread makes the calls, one at a time; any may ask or cancel.
#pragma once

#include <corosync/corotypes.h>
#include <sys/socket.h>

#include <cerrno>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

#include "clock.h"
#include "corosync/error.h"

namespace corosync_exporter {

class Calls {
 public:
  struct Waiting {
    std::string_view call;
    SteadyTime since;
  };

  // `call`'s own name for errors, a literal; `descriptor` is the connection's, -1 where there is
  // none yet (*_initialize): then the call cannot be cancelled.
  template <class Call>
  cs_error_t attempt(std::string_view name, int descriptor, Call&& call) {
    const InFlight guard{*this, name, descriptor};
    errno = 0;
    return call();
  }

  // The same for a call that has to succeed. Throws CorosyncError.
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

  // Shuts the waiting call's connection down: it returns CS_ERR_LIBRARY within 2 s (libqb polls at
  // that interval, QB_IPC_MAX_WAIT_MS), and the connection is of no more use.
  //
  // `judged`: the call that is meant; another one that waits by now is left alone.
  void cancel(const Waiting& judged) {
    const std::lock_guard lock{mutex_};
    if (waiting_ && waiting_->since == judged.since && descriptor_ >= 0) {
      shutdown(descriptor_, SHUT_RDWR);
      cancelled_ = true;
    }
  }

  // Whether a call was cancelled since this was last asked.
  [[nodiscard]] bool was_cancelled() {
    const std::lock_guard lock{mutex_};
    return std::exchange(cancelled_, false);
  }

 private:
  class InFlight {
   public:
    InFlight(Calls& calls, std::string_view name, int descriptor) : calls_{calls} {
      const std::lock_guard lock{calls_.mutex_};
      calls_.waiting_ = Waiting{.call = name, .since = current_moment().steady};
      calls_.descriptor_ = descriptor;
    }
    ~InFlight() {
      const int kept = errno;  // of the call, which a mutex need not preserve
      {
        const std::lock_guard lock{calls_.mutex_};
        calls_.waiting_.reset();
      }
      errno = kept;
    }
    InFlight(const InFlight&) = delete;
    InFlight& operator=(const InFlight&) = delete;

   private:
    Calls& calls_;
  };

  mutable std::mutex mutex_;  // also keeps `descriptor_` from being closed while cancel() uses it
  std::optional<Waiting> waiting_;
  int descriptor_ = -1;
  bool cancelled_ = false;
};

}  // namespace corosync_exporter
