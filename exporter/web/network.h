// SPDX-License-Identifier: Apache-2.0
// Who counts as one client. Values and pure functions.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstdint>
#include <string>

namespace corosync_exporter::web {

// An IPv4 address, or an IPv6 /64, which is what one is given at the least.
struct Network {
  std::array<std::uint8_t, sizeof(in6_addr)> bytes{};  // IPv4 is mapped; all zero: neither

  auto operator<=>(const Network&) const = default;
};

[[nodiscard]] Network network_of(const sockaddr& address);
[[nodiscard]] Network network_of(const std::string& numeric_address);

}  // namespace corosync_exporter::web
