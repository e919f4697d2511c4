// SPDX-License-Identifier: Apache-2.0
// What the service manager that started the program wants to be told: the protocol of sd_notify(3),
// without its library.
//
// Where none did, nothing is said to anyone. Nothing waits or throws but the constructor: what
// cannot be delivered at once is lost. Any thread.
#pragma once

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

  void ready() const noexcept;
  void stopping() const noexcept;
  void alive() const noexcept;
  // One line, for who asks how the service is.
  void describe(std::string_view status) const noexcept;

  // How soon after another alive() is expected. None: never.
  [[nodiscard]] std::optional<std::chrono::microseconds> watchdog() const { return watchdog_; }

 private:
  void tell(std::string_view message) const noexcept;

  Descriptor socket_{-1};  // none: nobody to tell
  sockaddr_un address_{};
  socklen_t address_length_ = 0;
  std::optional<std::chrono::microseconds> watchdog_;
};

}  // namespace corosync_exporter
