// SPDX-License-Identifier: Apache-2.0
// Each error that quorum_trackstart(3) lists, from each call of the connection: what is counted,
// when the next try comes, that it succeeds, and that nothing stays behind.

#include <gtest/gtest.h>

#include <chrono>
#include <ostream>
#include <string>
#include <tuple>

#include "watcher_test.h"

namespace corosync_exporter {
namespace {

using namespace std::chrono_literals;

struct ErrorCase {
  std::string name;
  cs_error_t code;
  bool is_refusal = false;  // each try writes into corosync's log, so they are few
};
void PrintTo(const ErrorCase& row, std::ostream* out) { *out << row.name; }

const auto errors = ::testing::Values(ErrorCase{"CS_ERR_TRY_AGAIN", CS_ERR_TRY_AGAIN},
                                      ErrorCase{"CS_ERR_INVALID_PARAM", CS_ERR_INVALID_PARAM},
                                      ErrorCase{"CS_ERR_ACCESS", CS_ERR_ACCESS, true},
                                      ErrorCase{"CS_ERR_LIBRARY", CS_ERR_LIBRARY},
                                      ErrorCase{"CS_ERR_INTERRUPT", CS_ERR_INTERRUPT},
                                      ErrorCase{"CS_ERR_NOT_SUPPORTED", CS_ERR_NOT_SUPPORTED},
                                      ErrorCase{"CS_ERR_MESSAGE_ERROR", CS_ERR_MESSAGE_ERROR},
                                      ErrorCase{"CS_ERR_NO_MEMORY", CS_ERR_NO_MEMORY, true},
                                      // Not in the list, but what a full /dev/shm answers.
                                      ErrorCase{"CS_ERR_NO_SPACE", CS_ERR_NO_SPACE, true});

using Row = std::tuple<std::string, ErrorCase>;
constexpr auto name_row = [](const auto& row) {
  return std::get<0>(row.param) + "_" + std::get<1>(row.param).name;
};

// ---- While connecting --------------------------------------------------------------------------

class ConnectErrorTest : public WatcherTest, public ::testing::WithParamInterface<Row> {
 protected:
  // The next try comes soon after an error of this kind, and never after one of the other.
  static Timing soon_after_this_kind() {
    Timing timing = quick();
    if (error().is_refusal) {
      timing.first_retry = never;
      timing.last_retry = never;
    } else {
      timing.refused_retry = never;
    }
    return timing;
  }
  static Timing without_another_try() {
    Timing timing = quick();
    timing.first_retry = never;
    timing.last_retry = never;
    timing.refused_retry = never;
    return timing;
  }

  static const std::string& call() { return std::get<0>(GetParam()); }
  static const ErrorCase& error() { return std::get<1>(GetParam()); }
};

TEST_P(ConnectErrorTest, IsToldAndCountedAndLeavesNoHandle) {
  fake_corosync::fail_next(call(), error().code);
  start(without_another_try());
  run_until_disconnected();
  EXPECT_EQ(state_.disconnected_by, failure(call(), error().name));
  const decltype(state_.connect_errors) expected{{{call(), error().name}, 1U}};
  EXPECT_EQ(state_.connect_errors, expected);
  EXPECT_EQ(state_.connects, 0U);
  EXPECT_EQ(fake_corosync::open_handles(), 0U);
  EXPECT_EQ(log_lines(), 1U);
}

TEST_P(ConnectErrorTest, IsOvercomeByTheTryAfterIt) {
  fake_corosync::fail_next(call(), error().code);
  start(soon_after_this_kind());
  run_until_settled();
  const decltype(state_.connect_errors) expected{{{call(), error().name}, 1U}};
  EXPECT_EQ(state_.connect_errors, expected);
  EXPECT_EQ(state_.connects, 1U);
  EXPECT_EQ(state_.disconnected_by, std::nullopt);
  expect_no_other_handles();
}

TEST_P(ConnectErrorTest, IsOvercomeWheneverItEndsAndToldOnce) {
  fake_corosync::fail_always(call(), error().code);
  start(soon_after_this_kind());
  const auto count = [&] { return state_.connect_errors[{call(), error().name}]; };
  ASSERT_TRUE(run_until([&] { return count() == 5; }));
  EXPECT_EQ(log_lines(), 1U);
  fake_corosync::stop_failing(call());
  run_until_settled();
  EXPECT_GE(count(), 5U);
  expect_no_other_handles();
}

INSTANTIATE_TEST_SUITE_P(
    Errors, ConnectErrorTest,
    ::testing::Combine(::testing::Values("quorum_model_initialize", "quorum_fd_get",
                                         "quorum_trackstart", "votequorum_initialize",
                                         "votequorum_fd_get", "votequorum_trackstart"),
                       errors),
    name_row);

// ---- While connected ---------------------------------------------------------------------------

class DispatchErrorTest : public WatcherTest, public ::testing::WithParamInterface<Row> {
 protected:
  static const std::string& call() { return std::get<0>(GetParam()); }
  static const ErrorCase& error() { return std::get<1>(GetParam()); }

  // Has each service say something, so that both are dispatched.
  static void wake() {
    fake_corosync::send_quorum_quorum();
    fake_corosync::send_votequorum_quorum();
  }
};

TEST_P(DispatchErrorTest, IsTheEndOfTheConnectionAndTheBeginningOfAnother) {
  start();
  run_until_settled();
  fake_corosync::fail_next(call(), error().code);
  wake();
  ASSERT_TRUE(run_until([&] { return state_.connects == 2; }));
  run_until_settled();
  EXPECT_EQ(lost_by_, failure(call(), error().name));
  EXPECT_TRUE(state_.connect_errors.empty());
  expect_no_other_handles();
  EXPECT_EQ(state_.quorum.changes, 0U);
  EXPECT_EQ(state_.membership.changes, 0U);
}

TEST_P(DispatchErrorTest, LeavesThePresentUnknownMeanwhile) {
  Timing timing = quick();
  timing.first_retry = never;
  timing.last_retry = never;
  timing.refused_retry = never;
  start(timing);
  run_until_settled();
  fake_corosync::fail_next(call(), error().code);
  wake();
  run_until_disconnected();
  EXPECT_FALSE(is_up(state_, current_moment().steady));
  EXPECT_EQ(state_.disconnected_by, failure(call(), error().name));
  ASSERT_TRUE(run_until([] { return fake_corosync::open_handles() == 0; }));
}

INSTANTIATE_TEST_SUITE_P(
    Errors, DispatchErrorTest,
    ::testing::Combine(::testing::Values("quorum_dispatch", "votequorum_dispatch"),
                       ::testing::Values(ErrorCase{"CS_ERR_INVALID_PARAM", CS_ERR_INVALID_PARAM},
                                         ErrorCase{"CS_ERR_ACCESS", CS_ERR_ACCESS},
                                         ErrorCase{"CS_ERR_LIBRARY", CS_ERR_LIBRARY},
                                         ErrorCase{"CS_ERR_INTERRUPT", CS_ERR_INTERRUPT},
                                         ErrorCase{"CS_ERR_NOT_SUPPORTED", CS_ERR_NOT_SUPPORTED},
                                         ErrorCase{"CS_ERR_MESSAGE_ERROR", CS_ERR_MESSAGE_ERROR},
                                         ErrorCase{"CS_ERR_NO_MEMORY", CS_ERR_NO_MEMORY, true})),
    name_row);

class NothingWaitsTest : public WatcherTest, public ::testing::WithParamInterface<std::string> {};

// quorum_dispatch(3) with CS_DISPATCH_ONE_NONBLOCKING: CS_ERR_TRY_AGAIN is its word for "nothing".
TEST_P(NothingWaitsTest, IsNoErrorAndWhatComesIsStillTaken) {
  start();
  run_until_settled();
  const Notifications before = state_.notifications;
  fake_corosync::fail_next(GetParam(), CS_ERR_TRY_AGAIN);
  fake_corosync::send_quorum_quorum();
  fake_corosync::send_votequorum_quorum();
  ASSERT_TRUE(run_until([&] {
    return state_.notifications.quorum_quorum == before.quorum_quorum + 1 &&
           state_.notifications.votequorum_quorum == before.votequorum_quorum + 1;
  }));
  EXPECT_EQ(state_.connects, 1U);
}

INSTANTIATE_TEST_SUITE_P(Calls, NothingWaitsTest,
                         ::testing::Values("quorum_dispatch", "votequorum_dispatch"),
                         [](const auto& row) { return row.param; });

// ---- When the next try comes -------------------------------------------------------------------

TEST_F(WatcherTest, TriesCloseTogetherAtFirstAndThenLessOften) {
  Timing timing = quick();
  timing.first_retry = 10ms;
  timing.last_retry = 30ms;
  fake_corosync::kill();
  const auto before = std::chrono::steady_clock::now();
  start(timing);
  ASSERT_TRUE(run_until([&] { return fake_corosync::calls("quorum_model_initialize") == 5; }));
  EXPECT_GE(std::chrono::steady_clock::now() - before, 10ms + 20ms + 30ms + 30ms);
  fake_corosync::start();
  run_until_synced();
}

TEST_F(WatcherTest, StartsAfreshAfterAConnectionThatLasted) {
  Timing timing = quick();
  timing.last_retry = 1s;
  timing.refused_retry = 1ms;
  // Each failure doubles the pause after the next.
  fake_corosync::fail_always("quorum_trackstart", CS_ERR_ACCESS);
  start(timing);
  ASSERT_TRUE(run_until([&] {
    return state_.connect_errors[{"quorum_trackstart", "CS_ERR_ACCESS"}] == 20;
  }));
  fake_corosync::stop_failing("quorum_trackstart");
  run_until_settled();
  const auto connected = std::chrono::steady_clock::now();
  ASSERT_TRUE(run_until([&] { return std::chrono::steady_clock::now() - connected > 1100ms; }));
  fake_corosync::kill();
  run_until_disconnected();
  const auto lost = std::chrono::steady_clock::now();
  fake_corosync::start();
  ASSERT_TRUE(run_until([&] { return state_.connects == 2; }));
  EXPECT_LT(std::chrono::steady_clock::now() - lost, 1s);
}

TEST_F(WatcherTest, ACorosyncThatAcceptsAndThenFailsIsTriedLessOften) {
  Timing timing = quick();
  timing.first_retry = 10ms;
  timing.last_retry = 40ms;
  fake_corosync::fail_always("quorum_dispatch", CS_ERR_MESSAGE_ERROR);
  const auto before = std::chrono::steady_clock::now();
  start(timing);
  ASSERT_TRUE(run_until([&] { return state_.connects == 5; }));
  EXPECT_GE(std::chrono::steady_clock::now() - before, 10ms + 20ms + 40ms + 40ms);
  fake_corosync::stop_failing("quorum_dispatch");
  run_until_settled();
}

TEST_F(WatcherTest, ARefusalOfAConnectionThatStoodIsARefusalToo) {
  Timing timing = quick();
  timing.first_retry = never;
  timing.last_retry = never;
  start(timing);
  run_until_settled();
  fake_corosync::fail_next("quorum_dispatch", CS_ERR_ACCESS);
  fake_corosync::send_quorum_quorum();
  ASSERT_TRUE(run_until([&] { return state_.connects == 2; }));
}

}  // namespace
}  // namespace corosync_exporter
