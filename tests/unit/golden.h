// SPDX-License-Identifier: Apache-2.0
// Texts held against files in tests/unit/golden. UPDATE_GOLDEN=1 writes the files instead, and such
// a test counts as skipped.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace corosync_exporter {

// `file`: its name in that directory.
inline void expect_golden(const std::string& actual, const std::string& file) {
  const auto path = std::filesystem::path{GOLDEN_DIRECTORY} / file;
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    std::ofstream{path} << actual;
    GTEST_SKIP() << "written: " << path;
  }
  std::ostringstream expected;
  expected << std::ifstream{path}.rdbuf();
  EXPECT_EQ(actual, expected.str());
}

}  // namespace corosync_exporter
