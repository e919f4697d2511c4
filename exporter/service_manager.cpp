// SPDX-License-Identifier: Apache-2.0
#include "service_manager.h"

#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>

namespace corosync_exporter {
namespace {

// Far more than a manager takes that works, and less than it waits for READY=1.
constexpr timeval ready_patience{.tv_sec = 10, .tv_usec = 0};

std::string_view value(const ServiceManager::Environment& environment, const char* name) {
  const char* text = environment(name);
  return text == nullptr ? std::string_view{} : std::string_view{text};
}

// Empty for what is no such number.
std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t parsed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
  if (error != std::errc{} || end != text.data() + text.size() || parsed <= 0) {
    return std::nullopt;
  }
  return parsed;
}

// WATCHDOG_PID: the environment is inherited, but only that process is watched.
std::optional<std::chrono::microseconds> watchdog_of(
    const ServiceManager::Environment& environment) {
  const auto microseconds = number(value(environment, "WATCHDOG_USEC"));
  const auto watched = value(environment, "WATCHDOG_PID");
  if (!microseconds || (!watched.empty() && number(watched) != getpid())) {
    return std::nullopt;
  }
  return std::chrono::microseconds{*microseconds};
}

}  // namespace

ServiceManager::ServiceManager(const Environment& environment)
    : watchdog_{watchdog_of(environment)} {
  const auto path = value(environment, "NOTIFY_SOCKET");
  if ((!path.starts_with('/') && !path.starts_with('@')) ||
      path.size() >= sizeof(address_.sun_path)) {
    return;
  }
  address_.sun_family = AF_UNIX;
  std::ranges::copy(path, std::begin(address_.sun_path));
  if (path.starts_with('@')) {
    address_.sun_path[0] = '\0';  // in the abstract namespace, where the length counts: unix(7)
  }
  address_length_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  socket_ = Descriptor{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &ready_patience, sizeof(ready_patience));
}

void ServiceManager::ready() const noexcept { tell("READY=1", 0); }

void ServiceManager::stopping() const noexcept { tell("STOPPING=1"); }

void ServiceManager::alive() const noexcept { tell("WATCHDOG=1"); }

void ServiceManager::describe(std::string_view status) const noexcept {
  try {
    std::string message = "STATUS=";
    message += status.substr(0, status.find('\n'));  // another line would be another message
    tell(message);
  } catch (const std::exception&) {
    // Out of memory: then it goes untold.
  }
}

void ServiceManager::tell(std::string_view message, int flags) const noexcept {
  if (socket_.get() >= 0) {
    sendto(socket_.get(), message.data(), message.size(), flags | MSG_NOSIGNAL,
           reinterpret_cast<const sockaddr*>(&address_), address_length_);
  }
}

}  // namespace corosync_exporter
