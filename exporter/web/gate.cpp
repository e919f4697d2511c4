// SPDX-License-Identifier: Apache-2.0
#include "web/gate.h"

#include <arpa/inet.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <thread>
#include <utility>

namespace corosync_exporter::web {
namespace {

// More than the server has threads; closed ones are looked for no later.
constexpr std::size_t most_remembered = 256;
constexpr std::chrono::milliseconds exhausted_pause{50};

const sockaddr_in& as_ipv4(const sockaddr_storage& address) {
  return reinterpret_cast<const sockaddr_in&>(address);
}

const sockaddr_in6& as_ipv6(const sockaddr_storage& address) {
  return reinterpret_cast<const sockaddr_in6&>(address);
}

std::string address_text(const sockaddr_storage& peer) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* address = peer.ss_family == AF_INET
                            ? static_cast<const void*>(&as_ipv4(peer).sin_addr)
                            : &as_ipv6(peer).sin6_addr;
  return inet_ntop(peer.ss_family, address, text.data(), text.size()) != nullptr ? text.data() : "";
}

bool is_same_port(const sockaddr_storage& one, const sockaddr_storage& other) {
  return one.ss_family == other.ss_family &&
         (one.ss_family == AF_INET ? as_ipv4(one).sin_port == as_ipv4(other).sin_port
                                   : as_ipv6(one).sin6_port == as_ipv6(other).sin6_port);
}

}  // namespace

Gate::Gate(std::size_t limit, Callbacks callbacks)
    : limit_{limit}, callbacks_{std::move(callbacks)} {
  connections_.reserve(most_remembered);
}

int Gate::accept(int listener, sockaddr* address, socklen_t* length) noexcept {
  sockaddr_storage peer{};
  socklen_t peer_length = sizeof(peer);
  const int descriptor = ::accept(listener, reinterpret_cast<sockaddr*>(&peer), &peer_length);
  const int error = errno;
  try {
    if (descriptor < 0) {
      if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM) {
        callbacks_.exhausted(error);
        std::this_thread::sleep_for(exhausted_pause);
      }
      errno = error;
      return -1;
    }
    if (admit(descriptor, peer)) {
      std::memcpy(address, &peer, std::min(*length, peer_length));
      *length = peer_length;
      return descriptor;
    }
    callbacks_.refused(descriptor, address_text(peer));
  } catch (const std::exception&) {
    // Out of memory.
  }
  if (descriptor >= 0) {
    ::close(descriptor);
  }
  errno = EAGAIN;
  return -1;
}

bool Gate::admit(int descriptor, const sockaddr_storage& peer) {
  // The descriptor was free: whoever had it is gone.
  std::erase_if(connections_, [&](const Connection& old) { return old.descriptor == descriptor; });
  const Connection fresh{.descriptor = descriptor,
                         .network = network_of(reinterpret_cast<const sockaddr&>(peer)),
                         .peer = peer};
  const auto is_full = [&] {
    const auto held = std::ranges::count(connections_, fresh.network, &Connection::network);
    return static_cast<std::size_t>(held) >= limit_ || connections_.size() >= most_remembered;
  };
  if (is_full()) {
    forget_closed();
    if (is_full()) {
      return false;
    }
  }
  connections_.push_back(fresh);
  return true;
}

void Gate::forget_closed() {
  std::erase_if(connections_, [](const Connection& connection) {
    sockaddr_storage peer{};
    socklen_t length = sizeof(peer);
    // The descriptor may have become something else.
    return getpeername(connection.descriptor, reinterpret_cast<sockaddr*>(&peer), &length) != 0 ||
           network_of(reinterpret_cast<const sockaddr&>(peer)) != connection.network ||
           !is_same_port(peer, connection.peer);
  });
}

}  // namespace corosync_exporter::web
