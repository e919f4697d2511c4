// SPDX-License-Identifier: Apache-2.0
#include "web/live_config.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "temporary.h"

#if COROSYNC_EXPORTER_HAS_TLS
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#endif

namespace corosync_exporter::web {
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

// ---- Who asks does not wait for the next look ---------------------------------------------------

constexpr auto never = 24h;

std::string only_https(const std::string& seconds) {
  return "http_server_config:\n  headers:\n    Strict-Transport-Security: " + seconds + "\n";
}

TEST_F(LiveConfigTest, WhatIsAskedForIsInForceAfterOneLook) {
  write("");
  LiveConfig config{file_, log_, never};
  for (const std::string value : {"max-age=1", "max-age=2", "max-age=3", "max-age=4"}) {
    write(only_https(value));
    config.reread();
    ASSERT_TRUE(wait_until([&] {
      const auto rules = config.rules();
      return !rules->config.headers.empty() && rules->config.headers.front().second == value;
    })) << value;
  }
  EXPECT_TRUE(config.reloads()->last_succeeded);
  EXPECT_EQ(config.reloads()->failures, 0U);
  EXPECT_TRUE(
      wait_until([&] { return count(log_file_.text(), "web configuration reloaded") == 4; }));
}

TEST_F(LiveConfigTest, WhoAsksInVainIsAnsweredEachTime) {
  write(header);
  LiveConfig config{file_, log_, never};
  write("nonsense: 1\n");
  for (std::size_t times = 1; times <= 3; ++times) {
    config.reread();
    ASSERT_TRUE(wait_until([&] { return count(log_file_.text(), "not reloaded") == times; }));
  }
  EXPECT_EQ(count(log_file_.text(), "nonsense"), 3U);
  ASSERT_TRUE(wait_until([&] { return config.reloads()->failures == 1; }));
  EXPECT_FALSE(config.reloads()->last_succeeded);
  EXPECT_EQ(config.rules()->config.headers.size(), 1U);

  write(header);
  config.reread();
  ASSERT_TRUE(wait_until([&] { return config.reloads()->last_succeeded; }));
  EXPECT_EQ(config.reloads()->failures, 1U);
  EXPECT_EQ(count(log_file_.text(), "nothing has changed"), 1U);
}

TEST_F(LiveConfigTest, WithoutAFileThereIsNothingToReread) {
  LiveConfig config{std::nullopt, log_};
  config.reread();
  EXPECT_EQ(count(log_file_.text(), "level=info"), 1U);
  EXPECT_EQ(count(log_file_.text(), "nothing to reread"), 1U);
  EXPECT_FALSE(config.reloads());
}

#if COROSYNC_EXPORTER_HAS_TLS

constexpr auto tls = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n";

// Its own issuer; nobody is to trust it.
void write_certificate(const std::filesystem::path& directory) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_pubkey(certificate, key);
  X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  EXPECT_GT(X509_sign(certificate, key, EVP_sha256()), 0);
  const auto write = [&](const char* name, const auto& content) {
    const auto fresh = directory / "fresh.pem";
    std::FILE* file = std::fopen(fresh.c_str(), "w");
    ASSERT_NE(file, nullptr);
    EXPECT_EQ(content(file), 1);
    std::fclose(file);
    std::filesystem::rename(fresh, directory / name);
  };
  write("server.crt", [&](std::FILE* file) { return PEM_write_X509(file, certificate); });
  write("server.key", [&](std::FILE* file) {
    return PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
  X509_free(certificate);
  EVP_PKEY_free(key);
}

TEST_F(LiveConfigTest, ACertificateThatIsAskedForIsLoaded) {
  write_certificate(directory_.path());
  write(tls);
  LiveConfig config{file_, log_, never};
  write_certificate(directory_.path());
  config.reread();
  ASSERT_TRUE(wait_until([&] { return count(log_file_.text(), "certificates loaded") == 1; }));
  std::filesystem::remove(directory_.path() / "server.key");
  config.reread();
  ASSERT_TRUE(wait_until([&] { return config.reloads()->failures == 1; }));
  EXPECT_EQ(count(log_file_.text(), "server.key"), 1U);
  EXPECT_EQ(count(log_file_.text(), "nothing has changed"), 0U);
}

// A look that has to see twice what it takes over would call the first of them a success.
TEST_F(LiveConfigTest, WhatFailedWhenAskedForDoesNotSucceedInBetween) {
  write_certificate(directory_.path());
  write(tls);
  LiveConfig config{file_, log_, 200ms};
  write(std::string{tls} +
        "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: none.crt\n");
  config.reread();
  ASSERT_TRUE(wait_until([&] { return config.reloads()->failures == 1; }));
  const auto until = std::chrono::steady_clock::now() + 1s;
  while (std::chrono::steady_clock::now() < until) {
    ASSERT_FALSE(config.reloads()->last_succeeded);
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_EQ(config.reloads()->failures, 1U);
}

#endif

TEST_F(LiveConfigTest, AskedForItMayEndAtOnce) {
  write("");
  for (int times = 0; times < 20; ++times) {
    LiveConfig config{file_, log_, never};
    config.reread();
  }
}

}  // namespace
}  // namespace corosync_exporter::web
