// SPDX-License-Identifier: Apache-2.0
// Where sockets come and go: lets connections in, refuses a network more than its share of them,
// and knows each until it is closed.
//
// A connection holds one of the server's threads until its request is complete or has timed out.
// Who refuses it only then has lost the thread already; so it happens as it is accepted, where it
// costs none.
//
// Threads: listen() and stop_listening() belong to who starts and ends the server, accept() to the
// one thread that accepts; close() to any.
#pragma once

#include <sys/socket.h>

#include <functional>
#include <string>
#include <vector>

#include "web/connections.h"

namespace corosync_exporter::web {

class Gate {
 public:
  // What becomes of a connection that is refused, or cannot be accepted.
  struct Callbacks {
    // `descriptor` is closed after it.
    std::function<void(int descriptor, const std::string& address)> refused;
    // Without descriptors or memory left: `error` is the errno that says which.
    std::function<void(int error)> exhausted;
    // Those who connect and say nothing will be let in, and cost threads.
    std::function<void(int error)> not_deferred;
  };

  // REQUIRES: the connections outlive it.
  Gate(Connections& connections, Callbacks callbacks);

  // As listen(2); and who connects to it and says nothing stays in the kernel for an hour.
  int listen(int descriptor, int backlog) noexcept;

  // As accept(2), without SOCK_CLOEXEC or the like; EAGAIN also after a refusal. Without
  // descriptors or memory left it takes its time, so that who calls it again at once does not spin.
  int accept(int listener, sockaddr* address, socklen_t* length) noexcept;

  // As close(2), of any descriptor.
  int close(int descriptor) noexcept;

  // Ends the listening, and wakes up who waits for connections. REQUIRES: listeners are still open.
  void stop_listening();

 private:
  Connections& connections_;
  const Callbacks callbacks_;
  std::vector<int> listeners_;  // all there are before the first thread
};

}  // namespace corosync_exporter::web
