// SPDX-License-Identifier: Apache-2.0
// Reads a page back, as strictly as a scraper may: what it says, and whether it is one.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

namespace corosync_exporter {

struct PageText {
  std::map<std::string, double> samples{};     // by series, as written: name{label="value"}
  std::map<std::string, std::string> types{};  // by family
  std::map<std::string, std::string> helps{};
  std::vector<std::string> families{};  // in their order
  std::vector<std::string> faults{};    // what no scraper should have to read

  [[nodiscard]] bool has(const std::string& series) const { return samples.contains(series); }
  // A series that is not there fails the test.
  [[nodiscard]] double at(const std::string& series) const;
  [[nodiscard]] std::set<std::string> family_set() const {
    return {families.begin(), families.end()};
  }
};

[[nodiscard]] PageText read_page(const std::string& text);

}  // namespace corosync_exporter
