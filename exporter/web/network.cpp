// SPDX-License-Identifier: Apache-2.0
#include "web/network.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace corosync_exporter::web {
namespace {

Network network_of(const in_addr& address) {
  constexpr std::array<std::uint8_t, 12> prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, UINT8_MAX, UINT8_MAX};
  Network network;
  std::ranges::copy(prefix, network.bytes.begin());
  std::memcpy(network.bytes.data() + prefix.size(), &address, sizeof(address));
  return network;
}

Network network_of(const in6_addr& address) {
  constexpr std::size_t of_one_client = 8;
  Network network;
  std::memcpy(network.bytes.data(), &address,
              IN6_IS_ADDR_V4MAPPED(&address) ? sizeof(address) : of_one_client);
  return network;
}

}  // namespace

Network network_of(const sockaddr& address) {
  switch (address.sa_family) {
    case AF_INET:
      return network_of(reinterpret_cast<const sockaddr_in&>(address).sin_addr);
    case AF_INET6:
      return network_of(reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
    default:
      return {};
  }
}

Network network_of(const std::string& numeric_address) {
  const std::string without_zone = numeric_address.substr(0, numeric_address.find('%'));
  in_addr four{};
  if (inet_pton(AF_INET, without_zone.c_str(), &four) == 1) {
    return network_of(four);
  }
  in6_addr six{};
  return inet_pton(AF_INET6, without_zone.c_str(), &six) == 1 ? network_of(six) : Network{};
}

}  // namespace corosync_exporter::web
