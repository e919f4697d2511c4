// SPDX-License-Identifier: Apache-2.0
#include "web/connections.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace corosync_exporter::web {

Connections::~Connections() {
  for (const Connection& left : open_) {
    ::close(left.descriptor);
  }
}

bool Connections::add(int descriptor, const Network& network) {
  const std::lock_guard lock{mutex_};
  const auto held = std::ranges::count(open_, network, &Connection::network);
  if (static_cast<std::size_t>(held) >= limit_) {
    return false;
  }
  open_.push_back({.descriptor = descriptor, .network = network});
  if (shut_down_) {
    ::shutdown(descriptor, *shut_down_);
  }
  return true;
}

void Connections::remove(int descriptor) {
  const std::lock_guard lock{mutex_};
  std::erase_if(open_, [&](const Connection& known) { return known.descriptor == descriptor; });
  if (open_.empty()) {
    none_left_.notify_all();
  }
}

void Connections::shut_down(int how) {
  const std::lock_guard lock{mutex_};
  shut_down_ = how;
  for (const Connection& connection : open_) {
    ::shutdown(connection.descriptor, how);
  }
}

void Connections::wait_until_none(std::chrono::milliseconds limit) {
  std::unique_lock lock{mutex_};
  none_left_.wait_for(lock, limit, [&] { return open_.empty(); });
}

}  // namespace corosync_exporter::web
