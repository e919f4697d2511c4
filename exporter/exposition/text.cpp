// SPDX-License-Identifier: Apache-2.0
#include "exposition/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <system_error>

namespace corosync_exporter {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

void append_number(std::string& text, double value) {
  if (std::isnan(value)) {
    text += "Nan";
    return;
  }
  if (std::isinf(value)) {
    text += value > 0 ? "+Inf" : "-Inf";
    return;
  }
  constexpr int digits = 16;               // as many as TextSerializer shows
  constexpr double all_digits_fit = 1e15;  // of a whole number
  constexpr std::size_t most = 32;
  std::array<char, most> buffer{};
  char* const begin = buffer.begin();
  char* const end = buffer.end();
  const bool is_whole =
      value > -all_digits_fit && value < all_digits_fit && std::trunc(value) == value;
  const bool is_minus_zero = value == 0 && std::signbit(value);
  const auto written = is_whole && !is_minus_zero
                           ? std::to_chars(begin, end, static_cast<std::int64_t>(value))
                           : std::to_chars(begin, end, value, std::chars_format::general, digits);
  text.append(begin, written.ptr);
}

constexpr bool needs_escape(char character) {
  return character == '\n' || character == '\\' || character == '"';
}

void append_escaped(std::string& text, std::string_view value) {
  if (std::ranges::none_of(value, needs_escape)) {
    text += value;
    return;
  }
  for (const char character : value) {
    switch (character) {
      case '\n':
        text += "\\n";
        break;
      case '\\':
        text += "\\\\";
        break;
      case '"':
        text += "\\\"";
        break;
      default:
        text += character;
    }
  }
}

void append_series(std::string& text, const MetricFamily& family, const ClientMetric& metric) {
  text += family.name;
  for (const char* before = "{"; const auto& label : metric.label) {
    text += before;
    text += label.name;
    text += "=\"";
    append_escaped(text, label.value);
    text += '"';
    before = ",";
  }
  text += metric.label.empty() ? " " : "} ";
  append_number(text,
                family.type == MetricType::Counter ? metric.counter.value : metric.gauge.value);
  text += '\n';
}

}  // namespace

void append_text(std::string& text, const MetricFamily& family) {
  if (!family.help.empty()) {
    text += "# HELP " + family.name + " " + family.help + "\n";
  }
  text += "# TYPE " + family.name;
  text += family.type == MetricType::Counter ? " counter\n" : " gauge\n";
  for (const ClientMetric& metric : family.metric) {
    append_series(text, family, metric);
  }
}

std::string text_of(const std::vector<MetricFamily>& families) {
  std::string text;
  for (const MetricFamily& family : families) {
    append_text(text, family);
  }
  return text;
}

}  // namespace corosync_exporter
