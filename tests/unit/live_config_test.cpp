// SPDX-License-Identifier: Apache-2.0
#include "web/live_config.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "temporary.h"

namespace corosync_exporter {
namespace {

using namespace std::chrono_literals;

class LiveConfigTest : public ::testing::Test {
 protected:
  void write(const std::string& text) {
    const auto fresh = directory_.path() / "fresh";
    std::ofstream{fresh} << text;
    std::filesystem::rename(fresh, file_);
  }

  template <class Condition>
  [[nodiscard]] static bool wait_until(Condition done) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) {
        return false;
      }
      std::this_thread::sleep_for(1ms);
    }
    return true;
  }

  static std::size_t count(const std::string& text, const std::string& part) {
    std::size_t found = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
      ++found;
    }
    return found;
  }

  const TemporaryDirectory directory_;
  const std::filesystem::path file_ = directory_.path() / "web.yml";
  const LogFile log_file_;
  Logger log_{LogLevel::info, LogFormat::logfmt, log_file_.descriptor()};
};

constexpr auto header = "http_server_config:\n  headers:\n    X-Frame-Options: deny\n";

constexpr auto hash = "$2b$04$abcdefghijklmnopqrstuuMFdJu9yVgmagVAIC24fOZkaFqd3s9JC";

TEST_F(LiveConfigTest, WithoutAFileAllIsAllowed) {
  const LiveConfig config{std::nullopt, log_};
  EXPECT_EQ(config.rules()->config, WebConfig{});
  EXPECT_EQ(config.tls(), nullptr);
  EXPECT_FALSE(config.reloads());
}

TEST_F(LiveConfigTest, AWrongFileAtTheStartIsThrown) {
  write("basic_auth_user: {}\n");
  try {
    const LiveConfig config{file_, log_};
    FAIL() << "did not throw";
  } catch (const WebConfigError& error) {
    EXPECT_EQ(std::string{error.what()}.find(file_.string() + ":1: basic_auth_user"), 0U)
        << error.what();
  }
}

TEST_F(LiveConfigTest, AMissingCertificateAtTheStartIsThrown) {
  write("# TLS\ntls_server_config:\n  cert_file: none.crt\n  key_file: none.key\n");
  try {
    const LiveConfig config{file_, log_};
    FAIL() << "did not throw";
  } catch (const WebConfigError& error) {
    const std::string text = error.what();
    EXPECT_EQ(text.find(file_.string() + ":2: tls_server_config: "), 0U) << text;
    EXPECT_EQ(text.find('\n'), std::string::npos);
    if (COROSYNC_EXPORTER_HAS_TLS != 0) {
      EXPECT_NE(text.find((directory_.path() / "none.crt").string()), std::string::npos) << text;
    } else {
      EXPECT_NE(text.find("this build cannot serve HTTPS"), std::string::npos) << text;
    }
  }
}

TEST_F(LiveConfigTest, AChangeIsTakenOver) {
  write("");
  const LiveConfig config{file_, log_, 1ms};
  EXPECT_TRUE(config.rules()->config.headers.empty());
  write(header);
  EXPECT_TRUE(wait_until([&] { return !config.rules()->config.headers.empty(); }));
  EXPECT_EQ(config.reloads()->failures, 0U);
  EXPECT_TRUE(
      wait_until([&] { return count(log_file_.text(), "web configuration reloaded") == 1; }));
}

TEST_F(LiveConfigTest, WhatHasNotChangedKeepsItsMemory) {
  const std::string limit = "rate_limit:\n  interval: 1h\n  burst: 1\n";
  write(limit);
  const LiveConfig config{file_, log_, 1ms};
  const auto before = config.rules();
  write("# the same\n" + limit + header);
  ASSERT_TRUE(wait_until([&] { return config.rules() != before; }));
  EXPECT_EQ(config.rules()->access, before->access);
  write("# as it was\n" + limit);
  ASSERT_TRUE(wait_until([&] { return config.rules()->config.headers.empty(); }));
  write("rate_limit:\n  interval: 1h\n  burst: 2\n");
  ASSERT_TRUE(wait_until([&] { return config.rules()->access != before->access; }));
}

TEST_F(LiveConfigTest, ThatMoreAreLetInIsToldApart) {
  write("basic_auth_users:\n  alice: " + std::string{hash} + "\n");
  const LiveConfig config{file_, log_, 1ms};
  EXPECT_EQ(count(log_file_.text(), "lets in more"), 0U);
  write("");
  ASSERT_TRUE(wait_until([&] { return config.rules()->config.users.empty(); }));
  EXPECT_TRUE(wait_until([&] { return count(log_file_.text(), "lets in more") == 1; }));
}

TEST_F(LiveConfigTest, AFailureLeavesTheOldOneAndIsToldAndCountedOnce) {
  write(header);
  const LiveConfig config{file_, log_, 1ms};
  write("nonsense: 1\n");
  ASSERT_TRUE(wait_until([&] { return config.reloads()->failures == 1; }));
  EXPECT_FALSE(config.reloads()->last_succeeded);
  EXPECT_EQ(config.rules()->config.headers.size(), 1U);
  std::filesystem::remove(file_);
  ASSERT_TRUE(wait_until([&] { return config.reloads()->failures == 2; }));
  write(header);
  ASSERT_TRUE(wait_until([&] { return config.reloads()->last_succeeded; }));
  EXPECT_EQ(config.reloads()->failures, 2U);
  EXPECT_EQ(count(log_file_.text(), "not reloaded"), 2U);
  EXPECT_EQ(count(log_file_.text(), "nonsense"), 1U);
}

TEST_F(LiveConfigTest, FromHttpToHttpsTakesARestart) {
  write("");
  const LiveConfig config{file_, log_, 1ms};
  write("tls_server_config:\n  cert_file: a\n  key_file: b\n");
  ASSERT_TRUE(wait_until([&] { return config.reloads()->failures == 1; }));
  EXPECT_EQ(count(log_file_.text(), "takes a restart"), 1U);
  EXPECT_EQ(config.tls(), nullptr);
}

TEST_F(LiveConfigTest, WhatIsHardlyMeantIsRemarkedOn) {
  write("http_server_config:\n  http2: true\n");
  const LiveConfig config{file_, log_};
  EXPECT_EQ(count(log_file_.text(), "level=warn"), config.rules()->config.remarks.size());
  EXPECT_FALSE(config.rules()->config.remarks.empty());
}

}  // namespace
}  // namespace corosync_exporter
