// SPDX-License-Identifier: Apache-2.0
// What the service manager that started the program wants to be told: the protocol of sd_notify(3),
// without its library.
//
// Where none did, nothing is said to anyone. Nothing throws but the constructor, and nothing waits
// but ready(): what cannot be delivered at once is lost. Any thread.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string_view>

#include "descriptor.h"

namespace corosync_exporter {

class ServiceManager {
 public:
  // What a variable is set to, null where it is not: std::getenv, but in tests.
  using Environment = std::function<const char*(const char*)>;

  explicit ServiceManager(const Environment& environment);

  // Waits some seconds where the manager has much to read: one that missed it would hold the start
  // for failed.
  void ready() const noexcept;
  void stopping() const noexcept;
  void alive() const noexcept;
  // One line, for who asks how the service is.
  void describe(std::string_view status) const noexcept;

  // How soon after another alive() is expected. None: never.
  [[nodiscard]] std::optional<std::chrono::microseconds> watchdog() const { return watchdog_; }

 private:
  void tell(std::string_view message, int flags = MSG_DONTWAIT) const noexcept;

  Descriptor socket_{-1};  // none: nobody to tell
  sockaddr_un address_{};
  socklen_t address_length_ = 0;
  std::optional<std::chrono::microseconds> watchdog_;
};

}  // namespace corosync_exporter
