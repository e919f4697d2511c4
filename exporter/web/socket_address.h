// SPDX-License-Identifier: Apache-2.0
// Addresses to listen on, as the kernel takes them.
#pragma once

#include <sys/socket.h>

#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "web/listen_address.h"

namespace corosync_exporter::web {

// An address cannot be had: it is taken, forbidden, foreign or unknown. The message names it and
// says why.
class CannotListen : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct SocketAddress {
  ListenAddress asked{};
  sockaddr_storage storage{};
  socklen_t length = 0;
  bool both_families = false;  // IPv4 too, on an IPv6 socket

  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

// Looks up host names, which may take its time. A name stands for its first IPv4 address, or else
// for its first one. Throws CannotListen, also for IPv6 where `has_ipv6` says that there is none.
[[nodiscard]] std::vector<SocketAddress> resolve_all(std::span<const ListenAddress> asked,
                                                     bool has_ipv6);

// The address in numbers: "127.0.0.1:80", "[::1]:80", and "+80" for all of both families.
[[nodiscard]] std::string numeric(const SocketAddress& address);

// Listens on all for a moment. Throws CannotListen, with what the kernel says.
void try_to_listen(std::span<const SocketAddress> addresses);

}  // namespace corosync_exporter::web
