// SPDX-License-Identifier: Apache-2.0
#include "page_text.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>
#include <sstream>
#include <string_view>

namespace corosync_exporter {
namespace {

constexpr std::string_view name_characters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:";

bool skip(std::string_view& rest, std::string_view text) {
  if (!rest.starts_with(text)) {
    return false;
  }
  rest.remove_prefix(text.size());
  return true;
}

// Empty where there is no name.
std::string_view take_name(std::string_view& rest) {
  const std::string_view name = rest.substr(0, rest.find_first_not_of(name_characters));
  rest.remove_prefix(name.size());
  return name;
}

// A quoted text in which nothing stands bare that has to be escaped.
bool skip_value(std::string_view& rest) {
  if (!skip(rest, "\"")) {
    return false;
  }
  while (!rest.empty() && rest.front() != '"') {
    if (rest.front() == '\\' && rest.find_first_of("\\\"n", 1) != 1) {
      return false;
    }
    rest.remove_prefix(rest.front() == '\\' ? 2 : 1);
  }
  return skip(rest, "\"");
}

bool skip_labels(std::string_view& rest) {
  if (!skip(rest, "{")) {
    return true;
  }
  do {
    if (take_name(rest).empty() || !skip(rest, "=") || !skip_value(rest)) {
      return false;
    }
  } while (skip(rest, ","));
  return skip(rest, "}");
}

std::optional<double> number(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  return text.empty() || *end != '\0' ? std::nullopt : std::optional{value};
}

class Reader {
 public:
  // What is wrong with the line; empty where nothing is.
  std::string_view take(std::string_view line) {
    if (skip(line, "# HELP ")) {
      return help(line);
    }
    if (skip(line, "# TYPE ")) {
      return type(line);
    }
    return sample(line);
  }

  PageText page;

 private:
  std::string_view help(std::string_view rest) {
    const std::string family{take_name(rest)};
    if (family.empty() || !skip(rest, " ") || rest.empty()) {
      return "no help";
    }
    page.families.push_back(family);
    return page.helps.emplace(family, rest).second ? "" : "a second help";
  }

  std::string_view type(std::string_view rest) {
    const std::string family{take_name(rest)};
    if (!skip(rest, " ") || (rest != "counter" && rest != "gauge")) {
      return "no type";
    }
    if (page.families.empty() || page.families.back() != family) {
      return "not after its help";
    }
    return page.types.emplace(family, rest).second ? "" : "a second type";
  }

  std::string_view sample(std::string_view rest) {
    const std::string_view line = rest;
    const std::string family{take_name(rest)};
    if (family.empty() || !skip_labels(rest)) {
      return "no series";
    }
    const std::string series{line.substr(0, line.size() - rest.size())};
    if (!skip(rest, " ")) {
      return "no value";
    }
    const auto value = number(std::string{rest});
    if (!value) {
      return "no number";
    }
    if (page.families.empty() || page.families.back() != family || !page.types.contains(family)) {
      return "not below its help and type";
    }
    return page.samples.emplace(series, *value).second ? "" : "a second sample";
  }
};

}  // namespace

double PageText::at(const std::string& series) const {
  const auto found = samples.find(series);
  if (found == samples.end()) {
    ADD_FAILURE() << "the page has no " << series;
    return 0;
  }
  return found->second;
}

PageText read_page(const std::string& text) {
  Reader reader;
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line);) {
    if (const auto fault = reader.take(line); !fault.empty()) {
      reader.page.faults.push_back(std::string{fault} + ": " + line);
    }
  }
  if (!text.ends_with('\n')) {
    reader.page.faults.push_back("the last line does not end");
  }
  return std::move(reader.page);
}

}  // namespace corosync_exporter
