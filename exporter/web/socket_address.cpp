// SPDX-License-Identifier: Apache-2.0
#include "web/socket_address.h"

#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <memory>
#include <system_error>
#include <utility>

#include "descriptor.h"

namespace corosync_exporter::web {
namespace {

[[noreturn]] void refuse(const ListenAddress& address, const std::string& reason) {
  throw CannotListen("cannot listen on " + to_string(address) + ": " + reason);
}

std::string system_error(int number) { return std::system_category().message(number); }

Descriptor open_socket(int family) {
  return Descriptor{::socket(family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP)};
}

bool kernel_has_ipv6() { return open_socket(AF_INET6).get() >= 0; }

SocketAddress resolve(const ListenAddress& asked, bool has_ipv6) {
  const bool both_families = asked.host.empty() && has_ipv6 && kernel_has_ipv6();
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  if (asked.host.empty()) {
    hints.ai_family = both_families ? AF_INET6 : AF_INET;
  }
  addrinfo* raw = nullptr;
  const int failed = getaddrinfo(asked.host.empty() ? nullptr : asked.host.c_str(),
                                 std::to_string(asked.port).c_str(), &hints, &raw);
  if (failed != 0) {
    refuse(asked, failed == EAI_SYSTEM ? system_error(errno) : gai_strerror(failed));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> found{raw, freeaddrinfo};
  const addrinfo* chosen = found.get();
  while (chosen != nullptr && chosen->ai_family != AF_INET) {
    chosen = chosen->ai_next;
  }
  if (chosen == nullptr) {
    chosen = found.get();
  }
  if (chosen->ai_family == AF_INET6 && !has_ipv6) {
    refuse(asked, "the HTTP library of this build has no IPv6");
  }
  SocketAddress address{
      .asked = asked, .length = chosen->ai_addrlen, .both_families = both_families};
  std::memcpy(&address.storage, chosen->ai_addr, chosen->ai_addrlen);
  return address;
}

}  // namespace

std::vector<SocketAddress> resolve_all(std::span<const ListenAddress> asked, bool has_ipv6) {
  std::vector<SocketAddress> addresses;
  std::ranges::transform(asked, std::back_inserter(addresses),
                         [&](const ListenAddress& one) { return resolve(one, has_ipv6); });
  return addresses;
}

std::string numeric(const SocketAddress& address) {
  const std::string port = std::to_string(address.asked.port);
  if (address.both_families) {
    return "+" + port;
  }
  std::array<char, NI_MAXHOST> host{};
  const int failed = getnameinfo(address.get(), address.length, host.data(), host.size(), nullptr,
                                 0, NI_NUMERICHOST);
  if (failed != 0) {
    refuse(address.asked, gai_strerror(failed));
  }
  return to_string(ListenAddress{.host = host.data(), .port = address.asked.port});
}

void try_to_listen(std::span<const SocketAddress> addresses) {
  std::vector<Descriptor> kept;  // for an address that is asked for twice
  for (const SocketAddress& address : addresses) {
    kept.push_back(open_socket(address.storage.ss_family));
    const int descriptor = kept.back().get();
    const int on = 1;
    const int ipv6_only = address.both_families ? 0 : 1;
    const bool listens =
        descriptor >= 0 && setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        (address.storage.ss_family != AF_INET6 ||
         setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &ipv6_only, sizeof(ipv6_only)) == 0) &&
        bind(descriptor, address.get(), address.length) == 0 && listen(descriptor, 1) == 0;
    if (!listens) {
      refuse(address.asked, system_error(errno));
    }
  }
}

}  // namespace corosync_exporter::web
