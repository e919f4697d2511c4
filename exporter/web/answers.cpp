// SPDX-License-Identifier: Apache-2.0
#include "web/answers.h"

#include <civetweb.h>

#include <algorithm>
#include <array>
#include <ctime>

namespace corosync_exporter::web {
namespace {

std::string date(std::chrono::system_clock::time_point now) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, sizeof("Thu, 01 Jan 1970 00:00:00 GMT")> text{};
  const std::size_t length =
      std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &utc);
  return {text.data(), length};
}

// "404 Not Found"
std::string status_text(int status) {
  return std::to_string(status) + " " + mg_get_response_code_text(nullptr, status);
}

}  // namespace

bool has_header(const Response& response, std::string_view name) {
  return std::ranges::find(response.headers, name, &std::pair<std::string, std::string>::first) !=
         response.headers.end();
}

Response error_response(int status) {
  return {.status = status, .body = status_text(status) + "\n"};
}

std::string message_of(const Response& response, std::string_view method,
                       std::chrono::system_clock::time_point now) {
  std::string message;
  constexpr std::size_t head_size = 512;  // more than enough, mostly
  message.reserve(head_size + response.body.size());
  message += "HTTP/1.1 " + status_text(response.status);
  message += "\r\nDate: " + date(now);
  message += "\r\nContent-Type: " + response.content_type;
  message += "\r\nContent-Length: " + std::to_string(response.body.size());
  message += "\r\n";
  if (!has_header(response, "X-Content-Type-Options")) {
    message += "X-Content-Type-Options: nosniff\r\n";
  }
  message += "Connection: close\r\n";
  for (const auto& [name, value] : response.headers) {
    message += name;
    message += ": ";
    message += value;
    message += "\r\n";
  }
  message += "\r\n";
  if (method != "HEAD") {
    message += response.body;
  }
  return message;
}

}  // namespace corosync_exporter::web
