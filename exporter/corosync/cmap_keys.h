// SPDX-License-Identifier: Apache-2.0
// The structure that cmap hides in the names of its keys and in some of its texts (cmap_keys(7)).
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace corosync_exporter {

// "nodelist.node.2.ring0_addr" -> {2, "ring0_addr"}. The position is no identity: it shifts when
// the nodelist changes.
struct NodelistKey {
  std::uint32_t position = 0;
  std::string_view field;
  bool operator==(const NodelistKey&) const = default;
};
[[nodiscard]] std::optional<NodelistKey> parse_nodelist_key(std::string_view key);

// Link 0's address out of runtime.members.ID.ip: "r(0) ip(10.0.0.1) r(1) ip(10.1.0.1) " ->
// "10.0.0.1".
[[nodiscard]] std::optional<std::string_view> first_address(std::string_view member_ip);

}  // namespace corosync_exporter
