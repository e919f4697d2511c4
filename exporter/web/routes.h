// SPDX-License-Identifier: Apache-2.0
// From a request to its answer, without a socket: whether it is let in, which handler makes the
// answer, and what the configuration adds to it.
//
// Any thread, several at a time; so the handlers must be thread-safe, and quick.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "log.h"
#include "web/answers.h"
#include "web/live_config.h"
#include "web/running.h"

namespace corosync_exporter::web {

using Handler = std::function<Response()>;

struct Route {
  std::string path;  // compared byte by byte: nothing is decoded or tidied up
  Handler handler;
};

struct Request {
  std::string_view method;
  std::string_view path;
  std::string_view authorization{};  // the header's value, empty where there is none
  std::string address{};             // the client's, in numbers
};

class Routes {
 public:
  // REQUIRES: configuration and logger outlive it.
  Routes(std::vector<Route> routes, const LiveConfig& config, const Logger& logger);

  // GET and HEAD of a route's path are its handler's to answer; another method gets a 405, another
  // path a 404. What a handler throws is logged, and becomes a 500. Waits for bcrypt.
  [[nodiscard]] Response answer(const Request& request, std::chrono::steady_clock::time_point now);

  // As Running's since().
  [[nodiscard]] std::optional<Running::Time> handling_since() const { return running_.since(); }

 private:
  [[nodiscard]] Response admit(const Request& request, std::chrono::steady_clock::time_point now);
  [[nodiscard]] Response serve(const Request& request);

  const std::vector<Route> routes_;
  const LiveConfig& config_;
  const Logger& logger_;
  Running running_;
};

}  // namespace corosync_exporter::web
