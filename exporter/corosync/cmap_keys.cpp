// SPDX-License-Identifier: Apache-2.0
#include "corosync/cmap_keys.h"

#include <charconv>

namespace corosync_exporter {
namespace {

// Takes `text` off the front of `rest`; false, and `rest` as it was, where it is not there.
bool skip(std::string_view& rest, std::string_view text) {
  if (!rest.starts_with(text)) {
    return false;
  }
  rest.remove_prefix(text.size());
  return true;
}

std::optional<std::uint32_t> take_number(std::string_view& rest) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
  if (error != std::errc{}) {
    return std::nullopt;
  }
  rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
  return number;
}

}  // namespace

std::optional<NodelistKey> parse_nodelist_key(std::string_view key) {
  if (!skip(key, "nodelist.node.")) {
    return std::nullopt;
  }
  const auto position = take_number(key);
  if (!position || !skip(key, ".") || key.empty()) {
    return std::nullopt;
  }
  return NodelistKey{.position = *position, .field = key};
}

std::optional<std::string_view> first_address(std::string_view member_ip) {
  if (!skip(member_ip, "r(0) ip(")) {
    return std::nullopt;
  }
  const auto end = member_ip.find(')');
  if (end == 0 || end == std::string_view::npos) {
    return std::nullopt;
  }
  return member_ip.substr(0, end);
}

}  // namespace corosync_exporter
