// SPDX-License-Identifier: Apache-2.0
#include "web/routes.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace corosync_exporter::web {

Routes::Routes(std::vector<Route> routes, const LiveConfig& config, const Logger& logger)
    : routes_{std::move(routes)}, config_{config}, logger_{logger} {}

Response Routes::answer(const Request& request, std::chrono::steady_clock::time_point now) {
  try {
    return admit(request, now);
  } catch (const std::exception& error) {
    logger_.error("cannot answer", {{"path", request.path}, {"error", error.what()}});
    return error_response(internal_error);
  }
}

// As the exporter-toolkit does: who asks too often gets no headers of the configuration's.
Response Routes::admit(const Request& request, std::chrono::steady_clock::time_point now) {
  const auto rules = config_.rules();
  const Admission admission = rules->access->admit(request.authorization, request.address, now);
  if (admission == Admission::too_many) {
    return error_response(too_many_requests);
  }
  Response response =
      admission == Admission::granted ? serve(request) : error_response(unauthorized);
  if (admission == Admission::denied) {
    response.headers.emplace_back("WWW-Authenticate", "Basic realm=\"corosync-exporter\"");
  }
  for (const auto& [name, value] : rules->config.headers) {
    if (!has_header(response, name)) {  // the status page has a policy of its own
      response.headers.emplace_back(name, value);
    }
  }
  return response;
}

Response Routes::serve(const Request& request) {
  const auto route = std::ranges::find(routes_, request.path, &Route::path);
  if (route == routes_.end()) {
    return error_response(not_found);
  }
  if (request.method != "GET" && request.method != "HEAD") {
    Response response = error_response(method_not_allowed);
    response.headers = {{"Allow", "GET, HEAD"}};
    return response;
  }
  // Not `now`: bcrypt may have taken its time.
  const Running::Turn turn{running_, std::chrono::steady_clock::now()};
  return route->handler();
}

}  // namespace corosync_exporter::web
