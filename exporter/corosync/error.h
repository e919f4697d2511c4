// SPDX-License-Identifier: Apache-2.0
// The one error that leaves this room's edge towards corosync: which call failed, and how.
#pragma once

#include <corosync/corotypes.h>

#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>

#include "model/cluster_state.h"

namespace corosync_exporter {

// "CS_ERR_LIBRARY" for CS_ERR_LIBRARY; "CS_ERR_77" for a number that corotypes.h does not name.
[[nodiscard]] std::string error_name(cs_error_t code);

// Whether this code came from corosync, and not from the library without it.
[[nodiscard]] bool is_answer(cs_error_t code);

class CorosyncError : public std::runtime_error {
 public:
  // `system_error`: errno as the call left it, 0 where it says nothing.
  CorosyncError(std::string_view call, cs_error_t code, int system_error = 0);

  [[nodiscard]] cs_error_t code() const noexcept { return code_; }
  // No access, no space left in /dev/shm, no address space of our own: a new try will not do better
  // soon, and each costs: lines in corosync's log, or memory that libqb leaks.
  [[nodiscard]] bool is_refusal() const noexcept {
    return code_ == CS_ERR_ACCESS || code_ == CS_ERR_NO_SPACE || code_ == CS_ERR_NO_MEMORY;
  }
  [[nodiscard]] const Failure& failure() const noexcept { return failure_; }

 private:
  cs_error_t code_;
  Failure failure_;
};

// For whatever else goes wrong in this room: not corosync's fault, and reported all the same.
[[nodiscard]] Failure own_failure(const std::exception& error);

// For calls that never wait for corosync; those that may go through Calls (call.h).
// Throws CorosyncError. CS_OK is 1, so a result is never to be tested as a bool.
void check(cs_error_t code, std::string_view call);

}  // namespace corosync_exporter
