// SPDX-License-Identifier: Apache-2.0
#include "log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <poll.h>
#include <utf8cpp/utf8.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <ctime>
#include <exception>
#include <iterator>
#include <string>
#include <utility>

namespace corosync_exporter {
namespace {

constexpr std::array<std::pair<std::string_view, LogLevel>, 4> levels{{
    {"debug", LogLevel::debug},
    {"info", LogLevel::info},
    {"warn", LogLevel::warn},
    {"error", LogLevel::error},
}};
constexpr std::array<std::pair<std::string_view, LogFormat>, 2> formats{{
    {"logfmt", LogFormat::logfmt},
    {"json", LogFormat::json},
}};

// A pipe takes up to PIPE_BUF (4096 on Linux) bytes in one piece.
constexpr std::size_t line_bytes = 4096;
constexpr std::ptrdiff_t text_bytes = 512;

template <typename Named>
std::optional<typename Named::value_type::second_type> value_of(const Named& names,
                                                                std::string_view name) {
  const auto* const found = std::ranges::find(names, name, &Named::value_type::first);
  if (found == names.end()) {
    return std::nullopt;
  }
  return found->second;
}

std::string_view name_of(LogLevel level) {
  return std::ranges::find(levels, level, &decltype(levels)::value_type::second)->first;
}

// C0, DEL and C1: terminals obey some of them.
bool is_control(std::uint32_t code) {
  constexpr std::uint32_t last_of_c0 = 0x1F;
  constexpr std::uint32_t del = 0x7F;
  constexpr std::uint32_t last_of_c1 = 0x9F;
  return code <= last_of_c0 || (code >= del && code <= last_of_c1);
}

std::string escaped(std::uint32_t code) {
  std::string text;
  switch (code) {
    case '"':
      return "\\\"";
    case '\\':
      return R"(\\)";
    case '\n':
      return R"(\n)";
    case '\r':
      return R"(\r)";
    case '\t':
      return R"(\t)";
    default:
      if (is_control(code)) {
        return fmt::format("\\u{:04x}", code);
      }
      utf8::unchecked::append(code, std::back_inserter(text));
      return text;
  }
}

// In double quotes, escaped as JSON wants it, which logfmt's readers understand too.
std::string in_quotes(std::string_view text) {
  std::string valid;
  utf8::replace_invalid(text.begin(), text.end(), std::back_inserter(valid));
  std::string result = "\"";
  auto at = valid.cbegin();
  while (at != valid.cend() && at - valid.cbegin() < text_bytes) {
    result += escaped(utf8::unchecked::next(at));
  }
  result += at == valid.cend() ? "\"" : "\u2026\"";
  return result;
}

bool needs_no_quotes(std::string_view text) {
  const auto is_plain = [](char c) {
    return c > ' ' && c <= '~' && c != '"' && c != '=' && c != '\\';
  };
  return !text.empty() && text.size() <= text_bytes && std::ranges::all_of(text, is_plain);
}

// How one format spells a line: `key=value key=value`, or {"key":value,"key":value}.
class Line {
 public:
  explicit Line(LogFormat format) : json_(format == LogFormat::json), text_(json_ ? "{" : "") {}

  // A field for which the line has no room left is left out, so that the others stay whole.
  void add(const Field& field) {
    const std::string value =
        std::visit([this](const auto& held) { return spell(held); }, field.value);
    const std::string_view separator = text_.size() <= 1 ? "" : (json_ ? "," : " ");
    const std::string added = json_ ? fmt::format("{}\"{}\":{}", separator, field.key, value)
                                    : fmt::format("{}{}={}", separator, field.key, value);
    if (text_.size() + added.size() + line_end.size() <= line_bytes) {
      text_ += added;
    }
  }

  [[nodiscard]] std::string finish() && {
    text_ += json_ ? line_end : line_end.substr(1);
    return std::move(text_);
  }

 private:
  static constexpr std::string_view line_end = "}\n";

  [[nodiscard]] std::string spell(std::string_view text) const {
    return !json_ && needs_no_quotes(text) ? std::string(text) : in_quotes(text);
  }
  [[nodiscard]] std::string spell(double number) const {
    const std::string text = fmt::format("{}", number);
    return json_ && !std::isfinite(number) ? in_quotes(text) : text;  // JSON has no NaN
  }
  template <typename Whole>
  [[nodiscard]] std::string spell(Whole value) const {
    return fmt::format("{}", value);
  }

  bool json_;
  std::string text_;
};

std::string now() {
  const auto time =
      std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
  return fmt::format("{:%Y-%m-%dT%H:%M:}{:%S}Z",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(time)),
                     time.time_since_epoch() % std::chrono::minutes{1});
}

void write_once(int descriptor, std::string_view line) {
  // A reader that has stalled must not hold up what the line is about: better no line.
  pollfd output{.fd = descriptor, .events = POLLOUT, .revents = 0};
  if (poll(&output, 1, 0) == 0) {
    return;
  }
  while (::write(descriptor, line.data(), line.size()) < 0 && errno == EINTR) {
  }
}

}  // namespace

std::optional<LogLevel> level_from(std::string_view name) { return value_of(levels, name); }

std::optional<LogFormat> format_from(std::string_view name) { return value_of(formats, name); }

void Logger::debug(std::string_view message, Fields fields) const noexcept {
  log(LogLevel::debug, message, fields);
}

void Logger::info(std::string_view message, Fields fields) const noexcept {
  log(LogLevel::info, message, fields);
}

void Logger::warn(std::string_view message, Fields fields) const noexcept {
  log(LogLevel::warn, message, fields);
}

void Logger::error(std::string_view message, Fields fields) const noexcept {
  log(LogLevel::error, message, fields);
}

void Logger::log(LogLevel level, std::string_view message, Fields fields) const noexcept {
  if (level < least_) {
    return;
  }
  try {
    Line line{format_};
    const std::string time = now();
    line.add({"time", time});
    line.add({"level", name_of(level)});
    line.add({"msg", message});
    for (const Field& field : fields) {
      line.add(field);
    }
    write_once(descriptor_, std::move(line).finish());
  } catch (const std::exception&) {
    // Out of memory: the line is lost, as the header says, and the program goes on.
  }
}

}  // namespace corosync_exporter
