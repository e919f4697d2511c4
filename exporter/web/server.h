// SPDX-License-Identifier: Apache-2.0
// The way out: civetweb's life, from its start to its end. Knows nothing of metrics.
//
// Serves from construction to destruction, on threads of its own, on which the handlers run,
// several at a time: they must be thread-safe, quick, and sparing with the stack, at least
// 100 KiB. What is answered is web/routes.h's to say. Every connection is closed after its answer.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "log.h"
#include "web/listen_address.h"
#include "web/live_config.h"
#include "web/request_counter.h"
#include "web/routes.h"
#include "web/socket_address.h"

namespace corosync_exporter::web {

class Server {
 public:
  // Throws CannotListen; then it listens nowhere. Resolves host names, which may take its time.
  // REQUIRES: configuration, counter and logger outlive the server.
  Server(std::span<const ListenAddress> addresses, std::vector<Route> routes,
         const LiveConfig& config, RequestCounter& counter, const Logger& logger);

  // Lets running handlers end, waits for no client, and is done in some 50 ms.
  ~Server();

  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // The ports in use, in the order of the addresses.
  [[nodiscard]] std::vector<std::uint16_t> ports() const;

  // Since when the handler has been running that has been for longest; none: none is. Any thread.
  [[nodiscard]] std::optional<Running::Time> handling_since() const;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace corosync_exporter::web
