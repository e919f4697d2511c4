// SPDX-License-Identifier: Apache-2.0
// Files of a test's own, which go with their object.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "descriptor.h"

namespace corosync_exporter {

class TemporaryDirectory {
 public:
  TemporaryDirectory() { EXPECT_NE(mkdtemp(path_.data()), nullptr) << path_; }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  [[nodiscard]] std::filesystem::path path() const { return path_; }

 private:
  std::string path_ = ::testing::TempDir() + "corosync-exporter-test.XXXXXX";
};

// In memory. May be read while a logger writes to it.
class LogFile {
 public:
  [[nodiscard]] int descriptor() const { return file_.get(); }

  [[nodiscard]] std::string text() const {
    std::string text(static_cast<std::size_t>(lseek(descriptor(), 0, SEEK_END)), '\0');
    EXPECT_EQ(pread(descriptor(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    return text;
  }

 private:
  Descriptor file_{memfd_create("log", MFD_CLOEXEC)};
};

}  // namespace corosync_exporter
