// SPDX-License-Identifier: Apache-2.0
// The command line: what the user asked for, or what is wrong with it.
//
// Parsing reads its arguments and nothing else: it prints nothing and ends nothing.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include "log.h"
#include "web/listen_address.h"

namespace corosync_exporter {

struct Options {
  std::vector<web::ListenAddress> listen_addresses{{.host = "", .port = 10056}};  // never empty
  std::string telemetry_path = "/metrics";
  std::optional<std::filesystem::path> web_config_file{};
  bool links = true;
  bool totem = true;
  bool process = true;
  std::chrono::milliseconds poll_interval = std::chrono::seconds{5};
  std::chrono::milliseconds stale_after = std::chrono::seconds{15};
  LogLevel log_level = LogLevel::info;
  LogFormat log_format = LogFormat::logfmt;
  bool once = false;
};

// What --help and --version ask for: text for stdout, and then exit status 0.
struct Information {
  std::string text;
};

// One line that names the flag and what is wrong with its value: for stderr, and then exit
// status 2.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Throws UsageError. REQUIRES: argv as main gets it.
[[nodiscard]] std::variant<Options, Information> parse(int argc, const char* const* argv);

}  // namespace corosync_exporter
