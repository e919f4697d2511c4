// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "version.h"

namespace corosync_exporter {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Arguments = std::vector<const char*>;

std::variant<Options, Information> parse(Arguments arguments) {
  arguments.insert(arguments.begin(), "corosync-exporter");
  return corosync_exporter::parse(static_cast<int>(arguments.size()), arguments.data());
}

Options options(const Arguments& arguments) { return std::get<Options>(parse(arguments)); }

std::string information(const Arguments& arguments) {
  return std::get<Information>(parse(arguments)).text;
}

std::string complaint(const Arguments& arguments) {
  try {
    parse(arguments);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(OptionsTest, WithoutArgumentsTheDefaultsHold) {
  const Options defaults = options({});
  EXPECT_EQ(defaults.listen_addresses, (std::vector<web::ListenAddress>{{"", 10056}}));
  EXPECT_EQ(defaults.telemetry_path, "/metrics");
  EXPECT_TRUE(defaults.links);
  EXPECT_TRUE(defaults.totem);
  EXPECT_TRUE(defaults.process);
  EXPECT_EQ(defaults.poll_interval, seconds{5});
  EXPECT_EQ(defaults.stale_after, seconds{15});
  EXPECT_EQ(defaults.log_level, LogLevel::info);
  EXPECT_EQ(defaults.log_format, LogFormat::logfmt);
  EXPECT_FALSE(defaults.once);
}

TEST(OptionsTest, EveryFlagReachesItsOption) {
  const Options given = options(
      {"--web.listen-address=127.0.0.1:9100", "--web.telemetry-path=/other", "--no-collector.links",
       "--no-collector.totem", "--no-collector.process", "--corosync.poll-interval=2s",
       "--corosync.stale-after=7s", "--log.level=debug", "--log.format=json", "--once"});
  EXPECT_EQ(given.listen_addresses, (std::vector<web::ListenAddress>{{"127.0.0.1", 9100}}));
  EXPECT_EQ(given.telemetry_path, "/other");
  EXPECT_FALSE(given.links);
  EXPECT_FALSE(given.totem);
  EXPECT_FALSE(given.process);
  EXPECT_EQ(given.poll_interval, seconds{2});
  EXPECT_EQ(given.stale_after, seconds{7});
  EXPECT_EQ(given.log_level, LogLevel::debug);
  EXPECT_EQ(given.log_format, LogFormat::json);
  EXPECT_TRUE(given.once);
}

TEST(OptionsTest, AValueMayBeAnArgumentOfItsOwn) {
  EXPECT_EQ(options({"--web.telemetry-path", "/other"}).telemetry_path, "/other");
}

TEST(OptionsTest, ListenAddressesAddUp) {
  EXPECT_EQ(
      options({"--web.listen-address", ":1", "--web.listen-address=[::1]:2"}).listen_addresses,
      (std::vector<web::ListenAddress>{{"", 1}, {"::1", 2}}));
}

TEST(OptionsTest, EachCollectorHasASwitchOfItsOwn) {
  EXPECT_TRUE(options({"--no-collector.links"}).totem);
  EXPECT_TRUE(options({"--no-collector.totem"}).process);
  EXPECT_TRUE(options({"--no-collector.process"}).links);
}

TEST(OptionsTest, OfASwitchAndItsOppositeTheLastOneCounts) {
  EXPECT_FALSE(options({"--collector.links", "--no-collector.links"}).links);
  EXPECT_TRUE(options({"--no-collector.links", "--collector.links"}).links);
}

TEST(OptionsTest, HelpNamesEveryFlagAndFitsATerminal) {
  const std::string help = information({"--help"});
  EXPECT_EQ(information({"-h"}), help);
  for (const char* flag :
       {"--web.listen-address", "--web.telemetry-path", "--[no-]collector.links",
        "--[no-]collector.totem", "--[no-]collector.process", "--corosync.poll-interval",
        "--corosync.stale-after", "--log.level", "--log.format", "--once", "--version", "--help"}) {
    EXPECT_NE(help.find(flag), std::string::npos) << flag;
  }
  for (std::size_t begin = 0; begin < help.size();) {
    const std::size_t end = help.find('\n', begin);
    EXPECT_LE(end - begin, 80) << help.substr(begin, end - begin);
    begin = end + 1;
  }
}

TEST(OptionsTest, VersionIsOneLineAsPrometheusPrograms) {
  EXPECT_EQ(information({"--version"}), "corosync-exporter, version " + std::string(version()) +
                                            " (revision " + std::string(revision()) + ")\n");
}

struct Duration {
  const char* text;
  milliseconds value;
};
void PrintTo(const Duration& row, std::ostream* out) { *out << row.text; }

class DurationTest : public testing::TestWithParam<Duration> {};

TEST_P(DurationTest, IsReadAsPrometheusReadsIt) {
  EXPECT_EQ(options({"--corosync.stale-after", GetParam().text}).stale_after, GetParam().value);
}

INSTANTIATE_TEST_SUITE_P(
    , DurationTest,
    testing::Values(Duration{"10s", seconds{10}}, Duration{"10001ms", milliseconds{10001}},
                    Duration{"2m", seconds{120}}, Duration{"3h", seconds{10'800}},
                    Duration{"4d", seconds{345'600}}, Duration{"5w", seconds{3'024'000}},
                    Duration{"1y", seconds{31'536'000}}, Duration{"1m30s", seconds{90}},
                    Duration{"1h1ms", milliseconds{3'600'001}},
                    Duration{"1w2d3h4m5s6ms", milliseconds{788'645'006}},
                    Duration{"00010s", seconds{10}}, Duration{"0w10s", seconds{10}}));

struct Refusal {
  Arguments arguments;
  std::string complaint;
};
void PrintTo(const Refusal& row, std::ostream* out) {
  for (const char* argument : row.arguments) {
    *out << testing::PrintToString(std::string(argument)) << ' ';
  }
}

class RefusalTest : public testing::TestWithParam<Refusal> {};

TEST_P(RefusalTest, NamesTheFlagAndTheValue) {
  EXPECT_EQ(complaint(GetParam().arguments), GetParam().complaint);
}

INSTANTIATE_TEST_SUITE_P(
    Flags, RefusalTest,
    testing::Values(
        Refusal{{"--colector.links"}, "The following argument was not expected: --colector.links"},
        Refusal{{"metrics"}, "The following argument was not expected: metrics"},
        Refusal{{"--web.listen-address", ":1", ":2"},
                "The following argument was not expected: :2"},
        Refusal{{"--once=perhaps"}, "Could not convert: --once = perhaps"},
        Refusal{{"--log.level"}, "--log.level: 1 required LEVEL missing"},
        Refusal{{"--log.level=", "debug"}, "--log.level= has no value"},
        Refusal{{"--log.level=debug", "--log.level=info"},
                R"(--log.level: "info" is one value too many: the flag may be given once)"}));

INSTANTIATE_TEST_SUITE_P(
    Values, RefusalTest,
    testing::Values(
        Refusal{{"--web.listen-address=localhost"},
                R"(--web.listen-address: "localhost" has no port: write host:port, :port or )"
                "[::1]:port"},
        Refusal{{"--web.listen-address=[a,b]:1"},
                R"(--web.listen-address: "[a,b]:1" has no IPv6 address between its brackets)"},
        Refusal{{"--web.telemetry-path=metrics"},
                R"(--web.telemetry-path: "metrics" does not begin with a slash)"},
        Refusal{{"--web.telemetry-path", ""},
                R"(--web.telemetry-path: "" does not begin with a slash)"},
        Refusal{
            {"--web.telemetry-path=/a?b"},
            R"(--web.telemetry-path: "/a?b" is not a plain path: letters, digits and -._~/ are)"},
        Refusal{
            {"--web.telemetry-path=/a\nb"},
            R"(--web.telemetry-path: "/a?b" is not a plain path: letters, digits and -._~/ are)"},
        Refusal{{"--web.telemetry-path=/"},
                R"(--web.telemetry-path: "/" is taken: something else answers there)"},
        Refusal{{"--web.telemetry-path=/-/ready"},
                R"(--web.telemetry-path: "/-/ready" is taken: something else answers there)"},
        Refusal{{"--web.telemetry-path=/-/healthy"},
                R"(--web.telemetry-path: "/-/healthy" is taken: something else answers there)"},
        Refusal{{"--log.level=INFO"},
                R"(--log.level: "INFO" is none of debug, info, warn and error)"},
        Refusal{{"--log.format=xml"}, R"(--log.format: "xml" is neither logfmt nor json)"}));

INSTANTIATE_TEST_SUITE_P(
    Durations, RefusalTest,
    testing::Values(
        Refusal{{"--corosync.poll-interval=0"},
                R"(--corosync.poll-interval: "0" is shorter than 100ms)"},
        Refusal{{"--corosync.poll-interval=99ms"},
                R"(--corosync.poll-interval: "99ms" is shorter than 100ms)"},
        Refusal{{"--corosync.poll-interval=1y1ms"},
                R"(--corosync.poll-interval: "1y1ms" is longer than a year)"},
        Refusal{{"--corosync.stale-after=9223372036854775808ms"},
                R"(--corosync.stale-after: "9223372036854775808ms" is longer than a year)"},
        Refusal{{"--corosync.stale-after=9999ms"},
                "--corosync.stale-after: 9s999ms is less than twice --corosync.poll-interval "
                "(5s), so it must be at least 10s"},
        Refusal{{"--corosync.poll-interval=1m"},
                "--corosync.stale-after: 15s is less than twice --corosync.poll-interval (1m), so "
                "it must be at least 2m"}));

class NoDurationTest : public testing::TestWithParam<const char*> {};

TEST_P(NoDurationTest, IsRefused) {
  EXPECT_EQ(complaint({"--corosync.stale-after", GetParam()}),
            "--corosync.stale-after: \"" + std::string(GetParam()) +
                "\" is not a duration such as 500ms, 5s or 1m30s");
}

INSTANTIATE_TEST_SUITE_P(, NoDurationTest,
                         testing::Values("", "5", "s", "5 s", " 5s", "+5s", "-5s", "1.5s", "5S",
                                         "5sec", "1s1m", "1s1s", "1ms1s", "1h30", "00", "0x5s"));

TEST(OptionsTest, APollIntervalOfATenthOfASecondIsAllowed) {
  EXPECT_EQ(options({"--corosync.poll-interval=100ms"}).poll_interval, milliseconds{100});
}

TEST(OptionsTest, StaleAfterMayBeExactlyTwiceThePollInterval) {
  EXPECT_EQ(options({"--corosync.poll-interval=7500ms"}).stale_after, seconds{15});
}

}  // namespace
}  // namespace corosync_exporter
