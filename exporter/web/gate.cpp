// SPDX-License-Identifier: Apache-2.0
#include "web/gate.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <thread>
#include <utility>

namespace corosync_exporter::web {
namespace {

// A client that has connected and says nothing stays in the kernel for so long, and costs no
// thread.
constexpr int defer_seconds = 3600;

constexpr std::chrono::milliseconds exhausted_pause{50};

// In numbers.
std::string address_of(const sockaddr_storage& peer, socklen_t length) {
  std::array<char, NI_MAXHOST> text{};
  getnameinfo(reinterpret_cast<const sockaddr*>(&peer), length, text.data(), text.size(), nullptr,
              0, NI_NUMERICHOST);
  return text.data();
}

}  // namespace

Gate::Gate(Connections& connections, Callbacks callbacks)
    : connections_{connections}, callbacks_{std::move(callbacks)} {}

int Gate::listen(int descriptor, int backlog) noexcept {
  try {
    if (setsockopt(descriptor, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer_seconds,
                   sizeof(defer_seconds)) != 0) {
      callbacks_.not_deferred(errno);
    }
    listeners_.push_back(descriptor);
  } catch (const std::exception&) {
    errno = ENOMEM;
    return -1;
  }
  return ::listen(descriptor, backlog);
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
    if (connections_.add(descriptor, network_of(reinterpret_cast<const sockaddr&>(peer)))) {
      std::memcpy(address, &peer, std::min(*length, peer_length));
      *length = peer_length;
      return descriptor;
    }
    callbacks_.refused(descriptor, address_of(peer, peer_length));
  } catch (const std::exception&) {
    // Out of memory.
  }
  if (descriptor >= 0) {
    ::close(descriptor);
  }
  errno = EAGAIN;
  return -1;
}

int Gate::close(int descriptor) noexcept {
  connections_.remove(descriptor);  // first: its number may be another connection's at once
  return ::close(descriptor);
}

void Gate::stop_listening() {
  for (const int listener : listeners_) {
    ::shutdown(listener, SHUT_RD);
  }
}

}  // namespace corosync_exporter::web
