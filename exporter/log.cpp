// SPDX-License-Identifier: Apache-2.0
#include "log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <ctime>
#include <exception>
#include <iterator>
#include <string>
#include <utility>

namespace corosync_exporter {
namespace {

constexpr std::array<std::pair<std::string_view, LogLevel>, 4> kLevels{{
    {"debug", LogLevel::debug},
    {"info", LogLevel::info},
    {"warn", LogLevel::warn},
    {"error", LogLevel::error},
}};
constexpr std::array<std::pair<std::string_view, LogFormat>, 2> kFormats{{
    {"logfmt", LogFormat::logfmt},
    {"json", LogFormat::json},
}};

// A pipe takes up to PIPE_BUF (4096 on Linux) bytes in one piece.
constexpr std::size_t kLineBytes = 4096;
constexpr std::size_t kTextBytes = 512;

constexpr std::string_view kReplacement = "\uFFFD";
constexpr std::string_view kEllipsis = "\u2026";

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
  return std::ranges::find(kLevels, level, &decltype(kLevels)::value_type::second)->first;
}

// One character of UTF-8: its bytes, and its code point unless they are none.
struct Character {
  std::string_view bytes;
  std::optional<char32_t> code;
};

// REQUIRES: text is not empty.
Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto lead = byte(0);
  std::size_t length = 1;
  char32_t code = lead;
  char32_t least = 0;  // below it, a shorter form exists, and this one is not allowed
  if (lead >= 0xC0 && lead < 0xE0) {
    length = 2;
    code = lead & 0x1FU;
    least = 0x80;
  } else if (lead >= 0xE0 && lead < 0xF0) {
    length = 3;
    code = lead & 0x0FU;
    least = 0x800;
  } else if (lead >= 0xF0 && lead < 0xF8) {
    length = 4;
    code = lead & 0x07U;
    least = 0x10000;
  } else if (lead >= 0x80) {
    return {.bytes = text.substr(0, 1), .code = std::nullopt};
  }
  for (std::size_t i = 1; i < length; ++i) {
    if (i >= text.size() || (byte(i) & 0xC0U) != 0x80U) {
      return {.bytes = text.substr(0, i), .code = std::nullopt};
    }
    code = (code << 6U) | (byte(i) & 0x3FU);
  }
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (code < least || code > 0x10FFFF || surrogate) {
    return {.bytes = text.substr(0, length), .code = std::nullopt};
  }
  return {.bytes = text.substr(0, length), .code = code};
}

// C0, DEL and C1: terminals obey some of them.
bool is_control(char32_t code) { return code < 0x20 || (code >= 0x7F && code < 0xA0); }

// In double quotes, escaped as JSON wants it, which logfmt's readers understand too.
std::string quoted(std::string_view text) {
  std::string result = "\"";
  std::size_t taken = 0;
  while (taken < text.size()) {
    if (taken >= kTextBytes) {
      result += kEllipsis;
      break;
    }
    const Character character = first_character(text.substr(taken));
    taken += character.bytes.size();
    if (!character.code) {
      result += kReplacement;
    } else if (*character.code == U'"' || *character.code == U'\\') {
      result += '\\';
      result += character.bytes;
    } else if (*character.code == U'\n') {
      result += "\\n";
    } else if (*character.code == U'\r') {
      result += "\\r";
    } else if (*character.code == U'\t') {
      result += "\\t";
    } else if (is_control(*character.code)) {
      fmt::format_to(std::back_inserter(result), "\\u{:04x}",
                     static_cast<std::uint32_t>(*character.code));
    } else {
      result += character.bytes;
    }
  }
  result += '"';
  return result;
}

bool needs_no_quotes(std::string_view text) {
  const auto is_plain = [](char c) {
    return c > ' ' && c < 0x7F && c != '"' && c != '=' && c != '\\';
  };
  return !text.empty() && text.size() <= kTextBytes && std::ranges::all_of(text, is_plain);
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
    if (text_.size() + added.size() + kEnd.size() <= kLineBytes) {
      text_ += added;
    }
  }

  [[nodiscard]] std::string finish() && {
    text_ += json_ ? kEnd : kEnd.substr(1);
    return std::move(text_);
  }

 private:
  static constexpr std::string_view kEnd = "}\n";

  [[nodiscard]] std::string spell(std::string_view text) const {
    return !json_ && needs_no_quotes(text) ? std::string(text) : quoted(text);
  }
  [[nodiscard]] std::string spell(double number) const {
    const std::string text = fmt::format("{}", number);
    return json_ && !std::isfinite(number) ? quoted(text) : text;  // JSON has no NaN
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

// Keeps a SIGPIPE that this thread raises by writing to a closed pipe from ending the program.
class SigpipeHeld {
 public:
  SigpipeHeld() {
    sigemptyset(&sigpipe_);
    sigaddset(&sigpipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &sigpipe_, &before_);
  }
  ~SigpipeHeld() {
    if (!was_pending_) {
      const timespec at_once{};
      while (sigtimedwait(&sigpipe_, nullptr, &at_once) < 0 && errno == EINTR) {
      }
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  SigpipeHeld(const SigpipeHeld&) = delete;
  SigpipeHeld& operator=(const SigpipeHeld&) = delete;

 private:
  sigset_t sigpipe_{};
  sigset_t before_{};
  bool was_pending_ = false;
};

void write_once(int descriptor, std::string_view line) {
  const SigpipeHeld held;
  while (::write(descriptor, line.data(), line.size()) < 0 && errno == EINTR) {
  }
}

}  // namespace

std::optional<LogLevel> level_from(std::string_view name) { return value_of(kLevels, name); }

std::optional<LogFormat> format_from(std::string_view name) { return value_of(kFormats, name); }

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
