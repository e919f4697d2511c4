// SPDX-License-Identifier: Apache-2.0
// The way out: listens, routes, limits. Knows nothing of metrics.
//
// Serves from construction to destruction, on threads of its own, on which the handlers run,
// several at a time: they must be thread-safe, quick, and sparing with the stack, at least
// 100 KiB. What they throw becomes a 500. GET and HEAD of a route's exact path are answered;
// another method with 405, another path with 404. Every connection is closed after its answer.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "log.h"
#include "web/listen_address.h"
#include "web/socket_address.h"

struct mg_connection;
struct mg_context;

namespace corosync_exporter::web {

class LiveConfig;

struct Response {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers{};  // others than the server's own
};

using Handler = std::function<Response()>;

struct Route {
  std::string path;  // compared byte by byte: nothing is decoded or tidied up
  Handler handler;
};

// Counts answers by status code. Any thread. Outlives the server, so that a handler can show the
// counts.
class RequestCounter {
 public:
  void count(int status);

  // 200 is there from the start, so that its rate has a beginning.
  [[nodiscard]] std::map<int, std::uint64_t> answered() const;

 private:
  mutable std::mutex mutex_;
  std::map<int, std::uint64_t> answered_{{200, 0}};
};

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
  [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> handling_since() const;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace corosync_exporter::web
