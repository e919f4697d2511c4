// SPDX-License-Identifier: Apache-2.0
#include "web/web_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "temporary.h"

namespace corosync_exporter::web {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::StartsWith;

const std::string cost_10 = "$2y$10$abcdefghijklmnopqrstuuJ4bHvIFdbIqKGDOP05Zc5tNVMpmHzhS";
const std::string cost_12 = "$2b$12$abcdefghijklmnopqrstuuJ4bHvIFdbIqKGDOP05Zc5tNVMpmHzhS";

const std::string file = "/etc/exporter/web.yml";

WebConfig parsed(const std::string& text) { return parse_web_config(text, file); }

std::string error_of(const std::string& text) {
  try {
    const WebConfig config = parsed(text);
  } catch (const WebConfigError& error) {
    return error.what();
  }
  return "";
}

TlsSettings tls_of(const std::string& more) {
  const WebConfig config =
      parsed("tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n" + more);
  return config.tls.value();
}

// ---- Files that are right ----------------------------------------------------------------------

TEST(WebConfigTest, NothingMeansPlainHttpWithoutPasswords) {
  for (const std::string text : {"", "\n", "# nothing yet\n", "---\n", "---\n...\n", "{}", "~\n"}) {
    EXPECT_EQ(parsed(text), WebConfig{}) << text;
  }
}

TEST(WebConfigTest, AByteOrderMarkIsNoText) {
  EXPECT_EQ(parsed("\xef\xbb\xbfrate_limit: {interval: 1s, burst: 2}").rate_limit,
            (RateLimit{.interval = 1s, .burst = 2}));
}

TEST(WebConfigTest, LinesMayEndAsOnWindows) {
  EXPECT_EQ(parsed("rate_limit:\r\n  interval: 1s\r\n  burst: 2\r\n").rate_limit,
            (RateLimit{.interval = 1s, .burst = 2}));
}

TEST(WebConfigTest, TlsHasTheToolkitsDefaults) {
  EXPECT_EQ(tls_of(""), (TlsSettings{.cert_file = "/etc/exporter/server.crt",
                                     .key_file = "/etc/exporter/server.key",
                                     .client_ca_file = "",
                                     .client_auth = ClientAuth::none,
                                     .min_version = TlsVersion::tls12,
                                     .max_version = TlsVersion::tls13,
                                     .prefer_server_cipher_suites = true}));
}

TEST(WebConfigTest, EveryTlsKeyIsRead) {
  const WebConfig config = parsed(R"(
tls_server_config:
  cert_file: /tls/server.crt
  key_file: "../server.key"
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.pem
  client_allowed_sans:
    - prometheus.example.net
    - 192.0.2.1
  min_version: TLS10
  max_version: TLS11
  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256]
  curve_preferences:
  - X25519
  - CurveP256
  prefer_server_cipher_suites: false
)");
  EXPECT_EQ(config.tls, (TlsSettings{.cert_file = "/tls/server.crt",
                                     .key_file = "/etc/exporter/../server.key",
                                     .client_ca_file = "/etc/exporter/ca.pem",
                                     .client_auth = ClientAuth::require_and_verify,
                                     .client_allowed_sans = {"prometheus.example.net", "192.0.2.1"},
                                     .min_version = TlsVersion::tls10,
                                     .max_version = TlsVersion::tls11,
                                     .cipher_suites = {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
                                                       "TLS_AES_128_GCM_SHA256"},
                                     .curve_preferences = {"X25519", "CurveP256"},
                                     .prefer_server_cipher_suites = false}));
  EXPECT_THAT(config.remarks, IsEmpty());
}

TEST(WebConfigTest, AFileInTheWorkingDirectoryLeavesPathsRelative) {
  const auto config =
      parse_web_config("tls_server_config: {cert_file: a.crt, key_file: a.key}", "web.yml");
  EXPECT_EQ(config.tls->cert_file, "a.crt");
}

TEST(WebConfigTest, VersionsMayBeTheSame) {
  const auto tls = tls_of("  min_version: TLS13\n  max_version: TLS13\n");
  EXPECT_EQ(tls.min_version, TlsVersion::tls13);
  EXPECT_EQ(tls.max_version, TlsVersion::tls13);
}

TEST(WebConfigTest, ClientAuthenticationHasGosNames) {
  EXPECT_EQ(tls_of("  client_auth_type: NoClientCert\n").client_auth, ClientAuth::none);
  EXPECT_EQ(tls_of("  client_auth_type: \"\"\n").client_auth, ClientAuth::none);
  EXPECT_EQ(tls_of("  client_auth_type:\n").client_auth, ClientAuth::none);
  EXPECT_EQ(tls_of("  client_auth_type: RequestClientCert\n").client_auth, ClientAuth::request);
  EXPECT_EQ(tls_of("  client_auth_type: RequireAnyClientCert\n").client_auth,
            ClientAuth::require_any);
  EXPECT_EQ(tls_of("  client_auth_type: RequireClientCert\n").client_auth, ClientAuth::require_any);
  EXPECT_EQ(
      tls_of("  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca\n").client_auth,
      ClientAuth::verify_if_given);
}

TEST(WebConfigTest, WhatIsLeftBlankIsLeftOut) {
  const auto tls = tls_of(
      "  cert: ''\n  key: ~\n  client_ca:\n  client_ca_file: ''\n  client_allowed_sans:\n"
      "  cipher_suites: null\n  curve_preferences: []\n");
  EXPECT_EQ(tls, tls_of(""));
  EXPECT_EQ(parsed("http_server_config:\nrate_limit: {}\n"), WebConfig{});
}

TEST(WebConfigTest, HeadersKeepTheirOrder) {
  const auto config = parsed(R"(
http_server_config:
  headers:
    X-Frame-Options: deny
    Strict-Transport-Security: max-age=31536000; includeSubDomains
    X-Content-Type-Options: nosniff
    X-XSS-Protection: 1
    Content-Security-Policy: "default-src 'self' *.test.example.net"
)");
  EXPECT_THAT(
      config.headers,
      ElementsAre(Pair("X-Frame-Options", "deny"),
                  Pair("Strict-Transport-Security", "max-age=31536000; includeSubDomains"),
                  Pair("X-Content-Type-Options", "nosniff"), Pair("X-XSS-Protection", "1"),
                  Pair("Content-Security-Policy", "default-src 'self' *.test.example.net")));
  EXPECT_THAT(config.remarks, IsEmpty());
}

TEST(WebConfigTest, AHeaderLeftBlankIsNotSent) {
  const auto config = parsed(
      "http_server_config: {headers: {X-Frame-Options: '', Content-Security-Policy: ' ', "
      "X-XSS-Protection: }}");
  EXPECT_THAT(config.headers, IsEmpty());
}

TEST(WebConfigTest, AHeaderOverSeveralLinesBecomesOne) {
  const auto config = parsed(
      "http_server_config:\n  headers:\n    Content-Security-Policy: |\n"
      "      default-src 'self';\n      img-src *\n"
      "    X-XSS-Protection: \"1\\r\\nSet-Cookie: a=b\"\n");
  EXPECT_THAT(config.headers,
              ElementsAre(Pair("Content-Security-Policy", "default-src 'self'; img-src *"),
                          Pair("X-XSS-Protection", "1  Set-Cookie: a=b")));
}

TEST(WebConfigTest, UsersHaveBcryptHashes) {
  const auto config = parsed(
      "tls_server_config: {cert_file: c, key_file: k}\nbasic_auth_users:\n"
      "  alice: " +
      cost_10 + "\n  \"bob b\": '" + cost_12 + "'\n  1: " + cost_10 + "\n  yes: " + cost_10 +
      "\n  '': " + cost_10 + "\n");
  EXPECT_THAT(config.users,
              ElementsAre(Pair("", cost_10), Pair("1", cost_10), Pair("alice", cost_10),
                          Pair("bob b", cost_12), Pair("yes", cost_10)));
  EXPECT_THAT(config.remarks, IsEmpty());
}

TEST(WebConfigTest, TheRateIsLimited) {
  EXPECT_EQ(parsed("rate_limit:\n  interval: 250ms\n  burst: 20\n").rate_limit,
            (RateLimit{.interval = 250ms, .burst = 20}));
  EXPECT_EQ(parsed("rate_limit:\n  interval: 0\n  burst: 0\n").rate_limit, std::nullopt);
  EXPECT_EQ(parsed("rate_limit:\n  interval: 0s\n").rate_limit, std::nullopt);
}

TEST(WebConfigTest, DurationsAreGos) {
  const auto interval = [](const std::string& text) {
    return parsed("rate_limit: {burst: 1, interval: " + text + "}").rate_limit.value().interval;
  };
  EXPECT_EQ(interval("1ns"), 1ns);
  EXPECT_EQ(interval("2us"), 2us);
  EXPECT_EQ(interval("3\u00b5s"), 3us);
  EXPECT_EQ(interval("4\u03bcs"), 4us);
  EXPECT_EQ(interval("5ms"), 5ms);
  EXPECT_EQ(interval("\"6s\""), 6s);
  EXPECT_EQ(interval("7m"), 7min);
  EXPECT_EQ(interval("8h"), 8h);
  EXPECT_EQ(interval("1h2m3.5s"), 1h + 2min + 3500ms);
  EXPECT_EQ(interval(".5s"), 500ms);
  EXPECT_EQ(interval("+1.s"), 1s);
  EXPECT_EQ(interval("1s1s"), 2s);
}

TEST(WebConfigTest, WordsForTrueAndFalseAreTheToolkits) {
  for (const std::string word :
       {"true", "True", "TRUE", "yes", "Yes", "YES", "y", "Y", "on", "On", "ON"}) {
    EXPECT_TRUE(tls_of("  prefer_server_cipher_suites: " + word).prefer_server_cipher_suites)
        << word;
  }
  for (const std::string word :
       {"false", "False", "FALSE", "no", "No", "NO", "n", "N", "off", "Off", "OFF"}) {
    EXPECT_FALSE(tls_of("  prefer_server_cipher_suites: " + word).prefer_server_cipher_suites)
        << word;
  }
}

// ---- Remarks -----------------------------------------------------------------------------------

struct Remarkable {
  std::string text;
  std::string key;  // that the only remark is on
};
void PrintTo(const Remarkable& row, std::ostream* out) { *out << row.key; }

class RemarkTest : public ::testing::TestWithParam<Remarkable> {};

TEST_P(RemarkTest, IsMadeOnce) {
  EXPECT_THAT(parsed(GetParam().text).remarks, ElementsAre(StartsWith(GetParam().key + ": ")));
}

const std::string tls_head = "tls_server_config:\n  cert_file: c\n  key_file: k\n";

INSTANTIATE_TEST_SUITE_P(
    All, RemarkTest,
    ::testing::Values(
        Remarkable{"http_server_config: {http2: true}", "http_server_config.http2"},
        Remarkable{tls_head + "  client_auth_type: RequestClientCert\n",
                   "tls_server_config.client_auth_type"},
        Remarkable{tls_head + "  client_auth_type: RequireAnyClientCert\n  client_ca_file: ca\n",
                   "tls_server_config.client_auth_type"},
        Remarkable{tls_head + "  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca\n",
                   "tls_server_config.client_auth_type"},
        Remarkable{tls_head + "  client_auth_type: RequireAndVerifyClientCert\n",
                   "tls_server_config.client_auth_type"},
        Remarkable{"basic_auth_users:\n", "basic_auth_users"},
        Remarkable{"basic_auth_users: {alice: " + cost_10 + "}", "basic_auth_users"},
        Remarkable{tls_head + "basic_auth_users:\n  bob: $2y$15$" + cost_10.substr(7) + "\n",
                   "basic_auth_users.bob"},
        Remarkable{"rate_limit: {burst: 3}", "rate_limit"},
        Remarkable{"rate_limit: {interval: 0, burst: 3}", "rate_limit"},
        Remarkable{"rate_limit: {interval: 1s}", "rate_limit"},
        Remarkable{"rate_limit: {interval: 1s, burst: 0}", "rate_limit"}));

TEST(WebConfigTest, Http2TurnedOffNeedsNoRemark) {
  EXPECT_EQ(parsed("http_server_config: {http2: off}"), WebConfig{});
}

// ---- Files that are wrong ----------------------------------------------------------------------

struct Wrong {
  std::string text;
  int line = 0;
  std::string key;  // empty: none
};
void PrintTo(const Wrong& row, std::ostream* out) {
  *out << ::testing::PrintToString(row.text.substr(0, 100));
}

class WrongFileTest : public ::testing::TestWithParam<Wrong> {};

TEST_P(WrongFileTest, IsToldInOneLineWithItsPlace) {
  const auto& [text, line, key] = GetParam();
  const std::string place = file + ":" + std::to_string(line) + ": ";
  const std::string error = error_of(text);
  EXPECT_THAT(error, StartsWith(place + (key.empty() ? "" : key + ": ")));
  if (key.empty()) {
    EXPECT_THAT(error.substr(std::min(place.size(), error.size())), Not(HasSubstr(": ")));
  }
  EXPECT_THAT(error, Not(HasSubstr("\n")));
}

INSTANTIATE_TEST_SUITE_P(
    Yaml, WrongFileTest,
    ::testing::Values(
        Wrong{"hWkNKCp3fvIx3jKnsaBI\nTuEjdwNS8A2vYdFbiKqr\n", 1, ""},  // a text
        Wrong{"\n- tls_server_config\n", 2, ""},                       // a list
        Wrong{"rate_limit: {}\nhttp_server_confg: {}\n", 2, "http_server_confg"},
        Wrong{"tls_server_config:\n  cert_filse: server.crt\n", 2, "tls_server_config.cert_filse"},
        Wrong{"tls_server_config: true\n", 1, "tls_server_config"},
        Wrong{"http_server_config: [http2]\n", 1, "http_server_config"},
        Wrong{"http_server_config:\n  headers: deny\n", 2, "http_server_config.headers"},
        Wrong{"basic_auth_users:\n- alice\n", 1, "basic_auth_users"},
        Wrong{"rate_limit: 1s\n", 1, "rate_limit"},
        Wrong{"rate_limit: {}\n\nrate_limit: {}\n", 3, "rate_limit"},
        Wrong{"rate_limit:\n  burst: 1\n  'burst': 2\n", 3, "rate_limit.burst"},
        Wrong{"basic_auth_users:\n  a: " + cost_10 + "\n  a: " + cost_12, 3, "basic_auth_users.a"},
        Wrong{"---\nrate_limit: {}\n---\nrate_limit: {}\n", 3, ""},
        Wrong{"rate_limit: {}\n...\nbasic_auth_users: {}\n", 3, ""},
        Wrong{"rate_limit: &here {}\n", 1, "rate_limit"}, Wrong{"&here rate_limit: {}\n", 1, ""},
        Wrong{"rate_limit:\n  burst: *there\n", 2, "rate_limit.burst"},
        Wrong{"rate_limit:\n  burst: &b 1\n  interval: *b\n", 2, "rate_limit.burst"},
        Wrong{"rate_limit:\n  burst: !!int 1\n", 2, "rate_limit.burst"},
        Wrong{"rate_limit: !!map {}\n", 1, "rate_limit"}, Wrong{"!!str rate_limit: {}\n", 1, ""},
        Wrong{"rate_limit:\n  <<: {burst: 1}\n", 2, "rate_limit"},
        Wrong{"[rate_limit]: {}\n", 1, ""}, Wrong{"{a: b}: {}\n", 1, ""}, Wrong{"~: {}\n", 1, ""},
        Wrong{"rate_limit: {\n", 2, ""}, Wrong{"rate_limit:\n\tburst: 1\n", 2, ""},
        Wrong{"rate_limit: {}\n}\n", 2, ""}, Wrong{"a: \"\n", 2, ""}, Wrong{"a: 'b\nc: d\n", 3, ""},
        Wrong{"rate_limit:\n  burst: 1\n interval: 1s\n", 3, ""}, Wrong{"a: [[[[[[[[[[", 1, "a"},
        Wrong{std::string(100'000, '['), 1, ""}, Wrong{std::string(100'000, '{'), 1, ""},
        Wrong{"rate_limit: {}\0basic_auth_users: {}\n"s, 1, ""},
        Wrong{"rate_limit: {}\n\x04\nbasic_auth_users: {}\n", 2, ""},
        Wrong{"rate_limit: {}\n# \x1b[0m\n", 2, ""}, Wrong{"rate_limit: {}\n# \xff\n", 2, ""},
        Wrong{"\xff\xfer\0a\0"s, 1, ""},
        Wrong{"tls_server_config:\n  cert_file: \"a\\0b\"\n", 2, "tls_server_config.cert_file"},
        Wrong{"rate_limit: {}\n# \u0085basic_auth_users: {}", 2, ""},
        Wrong{"rate_limit: {}\n# \u2028basic_auth_users: {}", 2, ""},
        Wrong{"rate_limit: {}\n# \u2029basic_auth_users: {}", 2, ""},
        Wrong{"rate_limit: {}\r\n# \rbasic_auth_users: {}", 2, ""},
        Wrong{"rate_limit: {}\nn", 2, ""}, Wrong{"\"a\\nb\": 1\n", 1, "a?b"},
        Wrong{"x\u20ac" + std::string(98, 'k') + ": 1\n", 1,
              "x\u20ac" + std::string(96, 'k') + "..."},
        Wrong{std::string(98, 'k') + "\u20ac: 1\n", 1, std::string(98, 'k') + "..."},
        Wrong{std::string(1000, 'k') + ": 1\n", 1, std::string(100, 'k') + "..."}));

INSTANTIATE_TEST_SUITE_P(
    Tls, WrongFileTest,
    ::testing::Values(
        Wrong{"\ntls_server_config:\n  cert_file: ''\n  key_file: k\n", 3,
              "tls_server_config.cert_file"},
        Wrong{"tls_server_config:\n", 1, "tls_server_config.cert_file"},
        Wrong{"\ntls_server_config: {}\n", 2, "tls_server_config.cert_file"},
        Wrong{"tls_server_config:\n  key_file: k\n", 1, "tls_server_config.cert_file"},
        Wrong{"tls_server_config:\n  cert_file: c\n  key_file:\n", 3, "tls_server_config.key_file"},
        Wrong{"tls_server_config:\n  cert_file: c\n", 1, "tls_server_config.key_file"},
        Wrong{"tls_server_config:\n  cert: ''\n  key_file: k\n", 1, "tls_server_config.cert_file"},
        Wrong{"tls_server_config:\n  min_version: TLS13\n", 1, "tls_server_config.cert_file"},
        Wrong{"tls_server_config:\n  cert_file: [c]\n", 2, "tls_server_config.cert_file"},
        Wrong{"tls_server_config:\n  cert_file: {c: d}\n", 2, "tls_server_config.cert_file"},
        Wrong{"tls_server_config:\n  cert: |\n    -----BEGIN CERTIFICATE-----\n  key_file: k\n", 2,
              "tls_server_config.cert"},
        Wrong{"tls_server_config:\n  cert_file: c\n  key: PEM\n", 3, "tls_server_config.key"},
        Wrong{tls_head + "  client_ca: PEM\n", 4, "tls_server_config.client_ca"},
        Wrong{tls_head + "  min_version: TLS111\n", 4, "tls_server_config.min_version"},
        Wrong{tls_head + "  min_version:\n", 4, "tls_server_config.min_version"},
        Wrong{tls_head + "  max_version: 1.3\n", 4, "tls_server_config.max_version"},
        Wrong{tls_head + "  max_version: TLS12\n  min_version: TLS13\n", 4,
              "tls_server_config.max_version"},
        Wrong{tls_head + "  max_version: TLS11\n", 4, "tls_server_config.max_version"},
        Wrong{tls_head + "  client_auth_type: x\n", 4, "tls_server_config.client_auth_type"},
        Wrong{tls_head + "  client_auth_type: requireandverifyclientcert\n", 4,
              "tls_server_config.client_auth_type"},
        Wrong{tls_head + "  client_ca_file: ca\n", 4, "tls_server_config.client_ca_file"},
        Wrong{tls_head + "  client_auth_type: NoClientCert\n  client_ca_file: ca\n", 5,
              "tls_server_config.client_ca_file"},
        Wrong{tls_head + "  client_allowed_sans: [a]\n", 4,
              "tls_server_config.client_allowed_sans"},
        Wrong{tls_head + "  client_auth_type: RequireAnyClientCert\n  client_allowed_sans: [a]\n",
              5, "tls_server_config.client_allowed_sans"},
        Wrong{tls_head + "  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca\n"
                         "  client_allowed_sans: [a]\n",
              6, "tls_server_config.client_allowed_sans"},
        Wrong{tls_head + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca\n"
                         "  client_allowed_sans: []\n",
              6, "tls_server_config.client_allowed_sans"},
        Wrong{tls_head + "  client_allowed_sans: a\n", 4, "tls_server_config.client_allowed_sans"},
        Wrong{tls_head + "  client_allowed_sans:\n    - a\n    - ''\n", 6,
              "tls_server_config.client_allowed_sans"},
        Wrong{tls_head + "  cipher_suites: TLS_AES_128_GCM_SHA256\n", 4,
              "tls_server_config.cipher_suites"},
        Wrong{tls_head + "  cipher_suites:\n    -\n", 5, "tls_server_config.cipher_suites"},
        Wrong{tls_head + "  curve_preferences: {X25519: true}\n", 4,
              "tls_server_config.curve_preferences"},
        Wrong{tls_head + "  curve_preferences:\n    - [X25519]\n", 5,
              "tls_server_config.curve_preferences"},
        Wrong{tls_head + "  prefer_server_cipher_suites: 1\n", 4,
              "tls_server_config.prefer_server_cipher_suites"},
        Wrong{tls_head + "  prefer_server_cipher_suites: 'true'\n", 4,
              "tls_server_config.prefer_server_cipher_suites"},
        Wrong{tls_head + "  prefer_server_cipher_suites:\n", 4,
              "tls_server_config.prefer_server_cipher_suites"},
        Wrong{tls_head + "  prefer_server_cipher_suites: tRUE\n", 4,
              "tls_server_config.prefer_server_cipher_suites"}));

INSTANTIATE_TEST_SUITE_P(
    Http, WrongFileTest,
    ::testing::Values(Wrong{"http_server_config:\n  http2: maybe\n", 2, "http_server_config.http2"},
                      Wrong{"http_server_config:\n  http3: true\n", 2, "http_server_config.http3"},
                      Wrong{"http_server_config:\n  headers:\n    Content-Type: foo\n", 3,
                            "http_server_config.headers.Content-Type"},
                      Wrong{"http_server_config:\n  headers:\n    x-frame-options: deny\n", 3,
                            "http_server_config.headers.x-frame-options"},
                      Wrong{"http_server_config:\n  headers:\n    X-Frame-Options: foo\n", 3,
                            "http_server_config.headers.X-Frame-Options"},
                      Wrong{"http_server_config:\n  headers:\n    X-Frame-Options: DENY\n", 3,
                            "http_server_config.headers.X-Frame-Options"},
                      Wrong{"http_server_config:\n  headers:\n    X-Content-Type-Options: sniff\n",
                            3, "http_server_config.headers.X-Content-Type-Options"},
                      Wrong{"http_server_config:\n  headers:\n    X-XSS-Protection: [1]\n", 3,
                            "http_server_config.headers.X-XSS-Protection"},
                      Wrong{"http_server_config:\n  headers:\n    X-XSS-Protection: \"\\x07\"\n", 3,
                            "http_server_config.headers.X-XSS-Protection"}));

INSTANTIATE_TEST_SUITE_P(
    Users, WrongFileTest,
    ::testing::Values(
        Wrong{"basic_auth_users:\n  john: doe\n", 2, "basic_auth_users.john"},
        Wrong{"basic_auth_users:\n  john:\n", 2, "basic_auth_users.john"},
        Wrong{"basic_auth_users:\n  john: [" + cost_10 + "]\n", 2, "basic_auth_users.john"},
        Wrong{"basic_auth_users:\n  'j:d': " + cost_10 + "\n", 2, "basic_auth_users.j:d"},
        Wrong{"basic_auth_users:\n  ~: " + cost_10 + "\n", 2, "basic_auth_users"},
        Wrong{"basic_auth_users:\n  a: " + cost_10 + "x\n", 2, "basic_auth_users.a"},
        Wrong{"basic_auth_users:\n  a: " + cost_10.substr(0, 59) + "\n", 2, "basic_auth_users.a"},
        Wrong{"basic_auth_users:\n  a: " + cost_10.substr(0, 59) + "-\n", 2, "basic_auth_users.a"},
        Wrong{"basic_auth_users:\n  a: $2x" + cost_10.substr(3) + "\n", 2, "basic_auth_users.a"},
        Wrong{"basic_auth_users:\n  a: $2y$03" + cost_10.substr(6) + "\n", 2, "basic_auth_users.a"},
        Wrong{"basic_auth_users:\n  a: $2y$19" + cost_10.substr(6) + "\n", 2, "basic_auth_users.a"},
        Wrong{"basic_auth_users:\n  a: $2y$32" + cost_10.substr(6) + "\n", 2, "basic_auth_users.a"},
        Wrong{"basic_auth_users:\n  a: $2y$1x" + cost_10.substr(6) + "\n", 2, "basic_auth_users.a"},
        Wrong{"basic_auth_users:\n  a: $6$salt$hash\n", 2, "basic_auth_users.a"}));

INSTANTIATE_TEST_SUITE_P(
    RateLimit, WrongFileTest,
    ::testing::Values(Wrong{"rate_limit:\n  burst: 1\n  interval: 5\n", 3, "rate_limit.interval"},
                      Wrong{"rate_limit:\n  interval: -1s\n", 2, "rate_limit.interval"},
                      Wrong{"rate_limit:\n  interval:\n", 2, "rate_limit.interval"},
                      Wrong{"rate_limit:\n  interval: s\n", 2, "rate_limit.interval"},
                      Wrong{"rate_limit:\n  interval: 1d\n", 2, "rate_limit.interval"},
                      Wrong{"rate_limit:\n  interval: 1 s\n", 2, "rate_limit.interval"},
                      Wrong{"rate_limit:\n  interval: 1s1\n", 2, "rate_limit.interval"},
                      Wrong{"rate_limit:\n  interval: 1.2.3s\n", 2, "rate_limit.interval"},
                      Wrong{"rate_limit:\n  interval: .s\n", 2, "rate_limit.interval"},
                      Wrong{"rate_limit:\n  interval: inf\n", 2, "rate_limit.interval"},
                      Wrong{"rate_limit:\n  interval: +\n", 2, "rate_limit.interval"},
                      Wrong{"rate_limit:\n  interval: 999999999h\n", 2, "rate_limit.interval"},
                      Wrong{"rate_limit:\n  interval: [1s]\n", 2, "rate_limit.interval"},
                      Wrong{"rate_limit:\n  burst: -1\n", 2, "rate_limit.burst"},
                      Wrong{"rate_limit:\n  burst: 1.0\n", 2, "rate_limit.burst"},
                      Wrong{"rate_limit:\n  burst: 010\n", 2, "rate_limit.burst"},
                      Wrong{"rate_limit:\n  burst: 0x10\n", 2, "rate_limit.burst"},
                      Wrong{"rate_limit:\n  burst: '1'\n", 2, "rate_limit.burst"},
                      Wrong{"rate_limit:\n  burst:\n", 2, "rate_limit.burst"},
                      Wrong{"rate_limit:\n  burst: many\n", 2, "rate_limit.burst"},
                      Wrong{"rate_limit:\n  burst: 4294967296\n", 2, "rate_limit.burst"},
                      Wrong{"rate_limit:\n  bursts: 1\n", 2, "rate_limit.bursts"}));

TEST(WebConfigTest, ErrorsTellNoSecret) {
  EXPECT_THAT(error_of("basic_auth_users: {john: hunter2}"), Not(HasSubstr("hunter2")));
  EXPECT_THAT(error_of("tls_server_config: {key: hunter2}"), Not(HasSubstr("hunter2")));
}

// ---- Files -------------------------------------------------------------------------------------

class WebConfigFileTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path path() const { return directory_.path() / "web.yml"; }

  void write(const std::string& text) const { std::ofstream{path(), std::ios::binary} << text; }

  [[nodiscard]] std::string error() const {
    try {
      const WebConfig config = read_web_config(path());
    } catch (const WebConfigError& error) {
      return error.what();
    }
    return "";
  }

 private:
  const TemporaryDirectory directory_;
};

TEST_F(WebConfigFileTest, IsReadAndNamed) {
  write("tls_server_config: {cert_file: c, key_file: k}\n");
  EXPECT_EQ(read_web_config(path()).tls->cert_file, path().parent_path() / "c");
  write("tls_server_config: {cert_file: c}\n");
  EXPECT_THAT(error(), StartsWith(path().string() + ":1: tls_server_config.key_file: "));
}

TEST_F(WebConfigFileTest, IsMissing) {
  EXPECT_EQ(error(), path().string() + ": No such file or directory");
}

TEST_F(WebConfigFileTest, IsNoRegularFile) {
  ASSERT_EQ(mkfifo(path().c_str(), 0600), 0);
  EXPECT_EQ(error(), path().string() + ": is not a regular file");
  std::filesystem::remove(path());
  std::filesystem::create_directory(path());
  EXPECT_EQ(error(), path().string() + ": is not a regular file");
}

TEST_F(WebConfigFileTest, IsOneMebibyteAtMost) {
  write(std::string(std::size_t{1} << 20U, '\n'));
  EXPECT_EQ(error(), "");
  write(std::string((std::size_t{1} << 20U) + 1, '\n'));
  EXPECT_EQ(error(), path().string() + ": is larger than 1 MiB");
}

}  // namespace
}  // namespace corosync_exporter::web
