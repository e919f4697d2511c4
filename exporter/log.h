// SPDX-License-Identifier: Apache-2.0
// The program's voice: one event, one line, one write(2).
//
// Any thread may log through the same Logger: it keeps no state, and a line is written in one
// piece, so that lines never mix. Nothing here throws or waits, and a line that cannot be written
// at once is lost: there is nowhere left to say so. SIGPIPE is the program's to ignore. Texts may
// come from clients or from corosync: what could forge or break a line is escaped, what is long is
// cut.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <type_traits>
#include <variant>

namespace corosync_exporter {

enum class LogLevel { debug, info, warn, error };
enum class LogFormat { logfmt, json };

// As the command line spells them; empty for any other text.
[[nodiscard]] std::optional<LogLevel> level_from(std::string_view name);
[[nodiscard]] std::optional<LogFormat> format_from(std::string_view name);

// One `key=value` of a line. Views what it is given, so it belongs into the call that logs, not
// into a variable. REQUIRES: key is a literal of lower-case letters and underscores.
struct Field {
  std::string_view key;
  std::variant<std::string_view, bool, std::int64_t, std::uint64_t, double> value;

  Field(std::string_view name, std::string_view text) : key(name), value(text) {}

  template <typename Number>
  requires std::is_arithmetic_v<Number> Field(std::string_view name, Number number) : key(name) {
    if constexpr (std::is_same_v<Number, bool>) {
      value = number;
    } else if constexpr (std::is_floating_point_v<Number>) {
      value = static_cast<double>(number);
    } else if constexpr (std::is_signed_v<Number>) {
      value = std::int64_t{number};
    } else {
      value = std::uint64_t{number};
    }
  }
};

// log.info("quorum lost", {{"members", 1}, {"provider", provider}});
class Logger {
 public:
  using Fields = std::initializer_list<Field>;

  // Lines below `least` are not written. The descriptor stays the caller's.
  explicit Logger(LogLevel least, LogFormat format = LogFormat::logfmt,
                  int descriptor = STDERR_FILENO)
      : least_(least), format_(format), descriptor_(descriptor) {}

  void debug(std::string_view message, Fields fields = {}) const noexcept;
  void info(std::string_view message, Fields fields = {}) const noexcept;
  void warn(std::string_view message, Fields fields = {}) const noexcept;
  void error(std::string_view message, Fields fields = {}) const noexcept;

 private:
  void log(LogLevel level, std::string_view message, Fields fields) const noexcept;

  LogLevel least_;
  LogFormat format_;
  int descriptor_;
};

}  // namespace corosync_exporter
