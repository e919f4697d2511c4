// SPDX-License-Identifier: Apache-2.0
#include "corosync/drain.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

namespace corosync_exporter {
namespace {

using std::chrono::seconds;

// Between two looks whether corosync's process is gone: it takes part of a second to exit.
constexpr seconds interval{1};
// For a process that outlives its connections: a hung exit, or a zombie that nobody waits for.
constexpr seconds patience{60};

bool is_dead(int descriptor) {
  pollfd connection{.fd = descriptor, .events = POLLIN, .revents = 0};
  return poll(&connection, 1, 0) > 0 && (connection.revents & (POLLHUP | POLLERR)) != 0;
}

pid_t server_of(int descriptor) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return 0;
  }
  return credentials.pid;
}

bool is_gone(pid_t process) { return process > 0 && kill(process, 0) != 0 && errno == ESRCH; }

}  // namespace

void Drain::add(std::shared_ptr<void> connections, const std::vector<int>& descriptors,
                SteadyTime now, EndedBy ended_by) {
  if (std::ranges::any_of(descriptors, is_dead)) {
    waiting_.push_back({.connections = std::move(connections),
                        .server = server_of(descriptors.front()),
                        .since = now,
                        .ended_by = ended_by});
  }
}

void Drain::empty(SteadyTime now) {
  std::erase_if(waiting_, [now](const Waiting& entry) {
    return is_gone(entry.server) || now - entry.since >= patience;
  });
}

std::optional<Duration> Drain::next_look() const {
  if (waiting_.empty()) {
    return std::nullopt;
  }
  return interval;
}

bool Drain::expects_exit() const {
  return std::ranges::any_of(
      waiting_, [](const Waiting& entry) { return entry.ended_by == EndedBy::corosync; });
}

}  // namespace corosync_exporter
