// SPDX-License-Identifier: Apache-2.0
#include "web/listen_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>
#include <utility>

namespace corosync_exporter::web {
namespace {

[[noreturn]] void refuse(std::string_view text, std::string_view complaint) {
  throw std::invalid_argument("\"" + std::string(text) + "\" " + std::string(complaint));
}

struct Halves {
  std::string host;
  std::string_view port;
};

Halves split(std::string_view text) {
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) {
      refuse(text, "lacks the closing bracket of its IPv6 address");
    }
    std::string host{text.substr(1, end - 1)};
    in6_addr ignored{};
    if (inet_pton(AF_INET6, host.c_str(), &ignored) != 1) {
      refuse(text, "has no IPv6 address between its brackets");
    }
    if (end + 1 == text.size() || text[end + 1] != ':') {
      refuse(text, "has no :port after the bracket");
    }
    return {.host = std::move(host), .port = text.substr(end + 2)};
  }
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) {
    refuse(text, "has no port: write host:port, :port or [::1]:port");
  }
  if (text.find(':', colon + 1) != std::string_view::npos) {
    refuse(text, "has more than one colon: an IPv6 address is written in brackets, [::1]:port");
  }
  return {.host = std::string(text.substr(0, colon)), .port = text.substr(colon + 1)};
}

bool is_host_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
         c == '-' || c == '_';
}

}  // namespace

ListenAddress parse_listen_address(std::string_view text) {
  auto [host, digits] = split(text);
  if (!text.starts_with('[') && !std::ranges::all_of(host, is_host_character)) {
    refuse(text, "has a host that is neither a name nor an address");
  }
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || end != digits.data() + digits.size()) {
    refuse(text, "has no port from 0 to 65535 after the colon");
  }
  return {.host = std::move(host), .port = port};
}

std::string to_string(const ListenAddress& address) {
  const bool is_ipv6 = address.host.find(':') != std::string::npos;
  const std::string host = is_ipv6 ? "[" + address.host + "]" : address.host;
  return host + ":" + std::to_string(address.port);
}

}  // namespace corosync_exporter::web
