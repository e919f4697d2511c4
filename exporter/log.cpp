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
constexpr std::size_t text_bytes = 512;

constexpr std::string_view replacement = "\uFFFD";
constexpr std::string_view ellipsis = "\u2026";

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

// How UTF-8 begins a character, by the number of its bytes.
struct Lead {
  unsigned char mask;
  unsigned char pattern;  // under the mask; the other bits begin the code point
  std::size_t bytes;
  char32_t least;  // code point: the lesser ones must be written shorter
};
constexpr std::array<Lead, 4> leads{{
    {.mask = 0x80, .pattern = 0x00, .bytes = 1, .least = 0},
    {.mask = 0xE0, .pattern = 0xC0, .bytes = 2, .least = 0x80},
    {.mask = 0xF0, .pattern = 0xE0, .bytes = 3, .least = 0x800},
    {.mask = 0xF8, .pattern = 0xF0, .bytes = 4, .least = 0x10000},
}};
constexpr Lead continuation{.mask = 0xC0, .pattern = 0x80, .bytes = 1, .least = 0};
constexpr unsigned continuation_bits = 6;

bool fits(unsigned char byte, const Lead& lead) { return (byte & lead.mask) == lead.pattern; }

struct Range {
  char32_t first;
  char32_t last;
  [[nodiscard]] constexpr bool holds(char32_t code) const { return code >= first && code <= last; }
};
constexpr Range unicode{.first = 0, .last = 0x10FFFF};
constexpr Range surrogates{.first = 0xD800, .last = 0xDFFF};
constexpr Range c0_controls{.first = 0, .last = 0x1F};
constexpr Range delete_and_c1_controls{.first = 0x7F, .last = 0x9F};  // terminals obey some

// The first character of a text: its bytes, and its code point unless they are not UTF-8.
struct Character {
  std::string_view bytes;
  std::optional<char32_t> code;
};

// REQUIRES: text is not empty.
Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto* const lead =
      std::ranges::find_if(leads, [&](const Lead& l) { return fits(byte(0), l); });
  if (lead == leads.end()) {
    return {.bytes = text.substr(0, 1), .code = std::nullopt};
  }
  char32_t code = byte(0) & ~lead->mask;
  for (std::size_t i = 1; i < lead->bytes; ++i) {
    if (i == text.size() || !fits(byte(i), continuation)) {
      return {.bytes = text.substr(0, i), .code = std::nullopt};
    }
    code = code << continuation_bits | (byte(i) & ~continuation.mask);
  }
  const bool is_valid = code >= lead->least && unicode.holds(code) && !surrogates.holds(code);
  return {.bytes = text.substr(0, lead->bytes),
          .code = is_valid ? std::optional{code} : std::nullopt};
}

// In double quotes, escaped as JSON wants it, which logfmt's readers understand too.
std::string quoted(std::string_view text) {
  std::string result = "\"";
  std::size_t taken = 0;
  while (taken < text.size()) {
    if (taken >= text_bytes) {
      result += ellipsis;
      break;
    }
    const Character character = first_character(text.substr(taken));
    taken += character.bytes.size();
    if (!character.code) {
      result += replacement;
    } else if (*character.code == U'"' || *character.code == U'\\') {
      result += '\\';
      result += character.bytes;
    } else if (*character.code == U'\n') {
      result += "\\n";
    } else if (*character.code == U'\r') {
      result += "\\r";
    } else if (*character.code == U'\t') {
      result += "\\t";
    } else if (c0_controls.holds(*character.code) ||
               delete_and_c1_controls.holds(*character.code)) {
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
