// SPDX-License-Identifier: Apache-2.0
// Where to listen, as people write it: `host:port`, `:port` for all addresses, `[::1]:port`.
//
// Values and pure functions: whether a name resolves, or a port is free, shows at the start of the
// server.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace corosync_exporter::web {

struct ListenAddress {
  std::string host;        // without brackets; empty: all addresses
  std::uint16_t port = 0;  // 0: any free one

  bool operator==(const ListenAddress&) const = default;
};

// Throws std::invalid_argument, which says in one sentence what is wrong.
[[nodiscard]] ListenAddress parse_listen_address(std::string_view text);

// The form that parse_listen_address reads.
[[nodiscard]] std::string to_string(const ListenAddress& address);

}  // namespace corosync_exporter::web
