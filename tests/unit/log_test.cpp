// SPDX-License-Identifier: Apache-2.0
#include "log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <ctime>
#include <limits>
#include <ostream>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace corosync_exporter {
namespace {

// Where a logger writes. Each datagram read is one write of the logger's.
class LogTest : public testing::Test {
 protected:
  LogTest() { EXPECT_EQ(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends_.data()), 0); }
  ~LogTest() override {
    close(ends_[0]);
    close(ends_[1]);
  }

  [[nodiscard]] int descriptor() const { return ends_[0]; }

  // Empty if nothing was written.
  [[nodiscard]] std::string written() const {
    std::string text(64 * 1024, '\0');
    const auto length = read(ends_[1], text.data(), text.size());
    text.resize(length < 0 ? 0 : static_cast<std::size_t>(length));
    return text;
  }

  // The line without the time, which is the one part that differs from run to run.
  [[nodiscard]] std::string written_after_the_time() const {
    const std::string line = written();
    const bool is_json = line.starts_with('{');
    const std::size_t length = std::string_view("2026-01-02T03:04:05.678Z").size();
    return line.size() < length
               ? line
               : line.substr(std::string_view(is_json ? R"({"time":"",)" : "time= ").size() +
                             length);
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

TEST_F(LogTest, ALineBeginsWithTheTimeInUtcToTheMillisecond) {
  using Clock = std::chrono::system_clock;
  const auto before = Clock::to_time_t(Clock::now());
  Logger{LogLevel::info, LogFormat::logfmt, descriptor()}.info("started");
  const auto after = Clock::to_time_t(Clock::now());

  const std::string line = written();
  std::string form = line;
  std::ranges::replace_if(
      form, [](char c) { return c >= '1' && c <= '9'; }, '0');
  EXPECT_EQ(form, "time=0000-00-00T00:00:00.000Z level=info msg=started\n");
  std::tm utc{};
  ASSERT_NE(strptime(line.c_str(), "time=%Y-%m-%dT%H:%M:%S", &utc), nullptr);
  EXPECT_LE(before, timegm(&utc));
  EXPECT_GE(after, timegm(&utc));
}

TEST_F(LogTest, LogfmtWritesKeysWithPlainValues) {
  Logger{LogLevel::info, LogFormat::logfmt, descriptor()}.warn(
      "quorum lost", {{"members", 1}, {"after", 2.5}, {"known", true}, {"provider", "votequorum"}});
  EXPECT_EQ(written_after_the_time(),
            "level=warn msg=\"quorum lost\" members=1 after=2.5 known=true "
            "provider=votequorum\n");
}

TEST_F(LogTest, JsonWritesOneObjectWithNumbersAsNumbers) {
  Logger{LogLevel::info, LogFormat::json, descriptor()}.error(
      "quorum lost", {{"members", 1}, {"after", 2.5}, {"known", true}, {"provider", "votequorum"}});
  EXPECT_EQ(written_after_the_time(),
            R"("level":"error","msg":"quorum lost","members":1,"after":2.5,)"
            R"("known":true,"provider":"votequorum"})"
            "\n");
}

TEST_F(LogTest, IntegersOfEverySizeKeepTheirDigits) {
  Logger{LogLevel::info, LogFormat::json, descriptor()}.info(
      "x", {{"least", std::numeric_limits<std::int64_t>::min()},
            {"most", std::numeric_limits<std::uint64_t>::max()},
            {"port", std::uint16_t{10056}}});
  EXPECT_EQ(written_after_the_time(), R"("level":"info","msg":"x","least":-9223372036854775808,)"
                                      R"("most":18446744073709551615,"port":10056})"
                                      "\n");
}

TEST_F(LogTest, JsonWritesWhatIsNoNumberAsText) {
  Logger{LogLevel::info, LogFormat::json, descriptor()}.info(
      "x", {{"ratio", std::numeric_limits<double>::quiet_NaN()}});
  EXPECT_EQ(written_after_the_time(), R"("level":"info","msg":"x","ratio":"nan"})"
                                      "\n");
}

TEST_F(LogTest, LinesBelowTheLevelAreNotWritten) {
  const Logger log{LogLevel::warn, LogFormat::logfmt, descriptor()};
  log.debug("x");
  log.info("x");
  EXPECT_EQ(written(), "");
  log.warn("x");
  EXPECT_NE(written(), "");
  log.error("x");
  EXPECT_NE(written(), "");
}

struct Escape {
  const char* claim;
  std::string value;
  std::string logfmt;
  std::string json;
};
void PrintTo(const Escape& row, std::ostream* out) { *out << row.claim; }

class LogEscapeTest : public LogTest, public testing::WithParamInterface<Escape> {};

TEST_P(LogEscapeTest, ValueStaysInItsPlace) {
  Logger{LogLevel::info, LogFormat::logfmt, descriptor()}.info("x", {{"value", GetParam().value}});
  EXPECT_EQ(written_after_the_time(), "level=info msg=x value=" + GetParam().logfmt + "\n");
  Logger{LogLevel::info, LogFormat::json, descriptor()}.info("x", {{"value", GetParam().value}});
  EXPECT_EQ(written_after_the_time(),
            R"("level":"info","msg":"x","value":)" + GetParam().json + "}\n");
}

Escape same_in_both(const char* claim, std::string value, const std::string& quoted) {
  return {.claim = claim, .value = std::move(value), .logfmt = quoted, .json = quoted};
}

INSTANTIATE_TEST_SUITE_P(
    , LogEscapeTest,
    testing::Values(Escape{"plain", "CS_ERR_LIBRARY", "CS_ERR_LIBRARY", R"("CS_ERR_LIBRARY")"},
                    same_in_both("empty", "", R"("")"), same_in_both("a space", "a b", R"("a b")"),
                    same_in_both("an equals sign", "a=b", R"("a=b")"),
                    same_in_both("a quote", "a\"b", R"("a\"b")"),
                    same_in_both("a backslash", "a\\b", R"("a\\b")"),
                    same_in_both("a newline", "a\nlevel=error", R"("a\nlevel=error")"),
                    same_in_both("a carriage return and a tab", "\r\t", R"("\r\t")"),
                    same_in_both("a zero byte", std::string("a\0b", 3), R"("a\u0000b")"),
                    same_in_both("a terminal's escape", "\x1b[31m", R"("\u001b[31m")"),
                    same_in_both("delete", "\x7f", R"("\u007f")"),
                    same_in_both("a terminal's escape in one character", "\xC2\x9B", R"("\u009b")"),
                    same_in_both("two bytes of UTF-8", "\xC3\xA9", "\"\xC3\xA9\""),
                    same_in_both("three bytes of UTF-8", "\xE2\x82\xAC", "\"\xE2\x82\xAC\""),
                    same_in_both("four bytes of UTF-8", "\xF0\x9F\x90\x98", "\"\xF0\x9F\x90\x98\""),
                    same_in_both("a stray continuation", "a\x80z", "\"a\xEF\xBF\xBDz\""),
                    same_in_both("a cut character", "a\xE2\x82", "\"a\xEF\xBF\xBD\""),
                    same_in_both("an overlong slash", "\xC0\xAF", "\"\xEF\xBF\xBD\""),
                    same_in_both("a surrogate", "\xED\xA0\x80", "\"\xEF\xBF\xBD\""),
                    same_in_both("beyond Unicode", "\xF4\x90\x80\x80", "\"\xEF\xBF\xBD\""),
                    same_in_both("no lead at all", "\xFF\xFE", "\"\xEF\xBF\xBD\xEF\xBF\xBD\"")));

TEST_F(LogTest, ALongValueIsCutBetweenCharacters) {
  std::string value;
  while (value.size() < 10'000) {
    value += "a\xC3\xA9";
  }
  Logger{LogLevel::info, LogFormat::json, descriptor()}.info("x", {{"value", value}, {"last", 7}});
  const std::string line = written();
  EXPECT_LT(line.size(), 1000);
  EXPECT_TRUE(line.ends_with("\xE2\x80\xA6\",\"last\":7}\n")) << line;
  EXPECT_EQ(line.find("\xEF\xBF\xBD"), std::string::npos) << line;
}

TEST_F(LogTest, AFieldWithoutRoomIsLeftOutAndTheLineStaysWhole) {
  const std::string escapes(10'000, '\x01');
  for (const LogFormat format : {LogFormat::logfmt, LogFormat::json}) {
    Logger{LogLevel::info, format, descriptor()}.info(escapes, {{"value", escapes}, {"last", 7}});
    const std::string line = written();
    EXPECT_LE(line.size(), 4096);  // what a pipe takes in one piece
    EXPECT_EQ(line.find("value"), std::string::npos);
    EXPECT_TRUE(line.ends_with(format == LogFormat::json ? "\",\"last\":7}\n" : "\" last=7\n"));
  }
}

TEST_F(LogTest, LinesOfSeveralThreadsAreWrittenOneByOne) {
  constexpr int threads = 8;
  const Logger log{LogLevel::info, LogFormat::logfmt, descriptor()};
  {
    std::vector<std::jthread> writers;
    for (int i = 0; i < threads; ++i) {
      writers.emplace_back([&log, i] { log.info("written", {{"thread", i}}); });
    }
  }
  std::set<std::string> expected;
  std::set<std::string> lines;
  for (int i = 0; i < threads; ++i) {
    expected.insert("level=info msg=written thread=" + std::to_string(i) + "\n");
    lines.insert(written_after_the_time());
  }
  EXPECT_EQ(lines, expected);
}

TEST(LoggerTest, OutlivesAReaderThatWentAway) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  close(ends[0]);
  const auto before = std::signal(SIGPIPE, SIG_IGN);  // as the program does
  Logger{LogLevel::info, LogFormat::logfmt, ends[1]}.info("to nobody");
  std::signal(SIGPIPE, before);
  close(ends[1]);
}

TEST(LoggerTest, DoesNotWaitForAReaderThatHasStalled) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  const std::string filling(4096, 'x');
  ASSERT_EQ(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
  while (write(ends[1], filling.data(), filling.size()) > 0) {
  }
  ASSERT_EQ(fcntl(ends[1], F_SETFL, 0), 0);
  Logger{LogLevel::info, LogFormat::logfmt, ends[1]}.info("one line too many");  // returns
  close(ends[0]);
  close(ends[1]);
}

TEST(LoggerTest, OutlivesAFullDiskAndAClosedDescriptor) {
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(full, 0);
  Logger{LogLevel::info, LogFormat::logfmt, full}.info("no room");
  close(full);
  Logger{LogLevel::info, LogFormat::logfmt, -1}.info("no descriptor");
}

TEST(LogNamesTest, EveryLevelAndFormatHasItsName) {
  EXPECT_EQ(level_from("debug"), LogLevel::debug);
  EXPECT_EQ(level_from("info"), LogLevel::info);
  EXPECT_EQ(level_from("warn"), LogLevel::warn);
  EXPECT_EQ(level_from("error"), LogLevel::error);
  EXPECT_EQ(format_from("logfmt"), LogFormat::logfmt);
  EXPECT_EQ(format_from("json"), LogFormat::json);
}

TEST(LogNamesTest, OtherTextsNameNothing) {
  EXPECT_EQ(level_from(""), std::nullopt);
  EXPECT_EQ(level_from("INFO"), std::nullopt);
  EXPECT_EQ(format_from("xml"), std::nullopt);
}

}  // namespace
}  // namespace corosync_exporter
