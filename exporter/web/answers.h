// SPDX-License-Identifier: Apache-2.0
// An answer as a handler makes it, and the text of it that goes to the client. Values and pure
// functions.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace corosync_exporter::web {

constexpr int unauthorized = 401;
constexpr int not_found = 404;
constexpr int method_not_allowed = 405;
constexpr int too_many_requests = 429;
constexpr int internal_error = 500;

struct Response {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body{};
  std::vector<std::pair<std::string, std::string>> headers{};  // others than the server's own
};

// `name` in its usual spelling, which all of ours have.
[[nodiscard]] bool has_header(const Response& response, std::string_view name);

// All that is to be said about an error: "404 Not Found".
[[nodiscard]] Response error_response(int status);

// From the status line to the last byte of the body, of which an answer to HEAD has none, only its
// size. It says that the connection is closed after it.
[[nodiscard]] std::string message_of(const Response& response, std::string_view method,
                                     std::chrono::system_clock::time_point now);

}  // namespace corosync_exporter::web
