// SPDX-License-Identifier: Apache-2.0
#include "corosync/call.h"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <thread>

#include "descriptor.h"

namespace corosync_exporter {
namespace {

using namespace std::chrono_literals;

struct Ends {
  Descriptor ours;
  Descriptor theirs;
};

Ends connected() {
  std::array<int, 2> ends{};
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  return {.ours = Descriptor{ends[0]}, .theirs = Descriptor{ends[1]}};
}

// Waits until somebody cuts the connection, as a call to a frozen corosync does.
cs_error_t wait_for_answer(int descriptor) {
  char byte = 0;
  return recv(descriptor, &byte, 1, 0) == 1 ? CS_OK : CS_ERR_LIBRARY;
}

bool is_cut(int descriptor) {
  char byte = 0;
  return recv(descriptor, &byte, 1, MSG_DONTWAIT) == 0;
}

TEST(CallsTest, NothingWaitsAtFirst) { EXPECT_EQ(Calls{Timing{}}.waiting(), std::nullopt); }

TEST(CallsTest, ACallIsSeenWaitingWhileItLasts) {
  Calls calls{Timing{}};
  const auto before = std::chrono::steady_clock::now();
  calls.attempt("cmap_get", -1, [&] {
    const auto waiting = calls.waiting();
    EXPECT_TRUE(waiting);
    EXPECT_EQ(waiting->call, "cmap_get");
    EXPECT_GE(waiting->since, before);
    EXPECT_LE(waiting->since, std::chrono::steady_clock::now());
    return CS_OK;
  });
  EXPECT_EQ(calls.waiting(), std::nullopt);
}

TEST(CallsTest, ACallThatThrowsIsOverToo) {
  Calls calls{Timing{}};
  EXPECT_THROW(calls.attempt("cmap_get", -1, []() -> cs_error_t { throw 1; }), int);
  EXPECT_EQ(calls.waiting(), std::nullopt);
}

TEST(CallsTest, AnAttemptHandsOutItsCode) {
  Calls calls{Timing{}};
  EXPECT_EQ(calls.attempt("cmap_get", -1, [] { return CS_ERR_NOT_EXIST; }), CS_ERR_NOT_EXIST);
}

TEST(CallsTest, WhatHasToSucceedThrowsWithTheCallsName) {
  Calls calls{Timing{}};
  EXPECT_NO_THROW(calls.make("cmap_get", -1, [] { return CS_OK; }));
  try {
    calls.make("cmap_get", -1, [] {
      errno = EMFILE;
      return CS_ERR_LIBRARY;
    });
    FAIL() << "did not throw";
  } catch (const CorosyncError& error) {
    EXPECT_EQ(error.code(), CS_ERR_LIBRARY);
    EXPECT_EQ(error.failure().call, "cmap_get");
    EXPECT_EQ(error.failure().detail, "Too many open files");
  }
}

TEST(CallsTest, AnErrnoFromBeforeTheCallIsNotTheCalls) {
  Calls calls{Timing{}};
  errno = EMFILE;
  try {
    calls.make("cmap_get", -1, [] { return CS_ERR_LIBRARY; });
    FAIL() << "did not throw";
  } catch (const CorosyncError& error) {
    EXPECT_EQ(error.failure().detail, "");
  }
}

// In a call on `ends`, until another thread ends it by `end`.
template <class End>
void call_until(Calls& calls, const Ends& ends, End end) {
  const std::jthread other{[&] {
    while (!calls.waiting()) {
      std::this_thread::yield();
    }
    end();
  }};
  calls.attempt("cmap_get", ends.ours.get(), [&] { return wait_for_answer(ends.ours.get()); });
}

TEST(CallsTest, ACallThatIsTakenBackIsNoFailureOfCorosync) {
  Calls calls{Timing{}};
  const Ends ends = connected();
  try {
    call_until(calls, ends, [&] { calls.take_back_any(); });
    FAIL() << "did not throw";
  } catch (const CallTakenBack& taken_back) {
    EXPECT_EQ(taken_back.call(), "cmap_get");
  }
  EXPECT_TRUE(is_cut(ends.theirs.get()));
  EXPECT_EQ(calls.waiting(), std::nullopt);
  EXPECT_EQ(calls.answered(), std::nullopt);
}

TEST(CallsTest, ACallIsTakenBackAfterAQuarterOfASecondAndNotBefore) {
  Calls calls{Timing{}};
  const Ends ends = connected();
  EXPECT_THROW(call_until(calls, ends,
                          [&] {
                            const SteadyTime since = calls.waiting()->since;
                            calls.take_back_overdue(since + 249ms);
                            EXPECT_FALSE(is_cut(ends.theirs.get()));
                            calls.take_back_overdue(since + 250ms);
                          }),
               CallTakenBack);
}

TEST(CallsTest, AnAnswerThatCrossesItsTakingBackIsNotReliedOn) {
  Calls calls{Timing{}};
  const Ends ends = connected();
  EXPECT_THROW(calls.attempt("cmap_get", ends.ours.get(),
                             [&] {
                               calls.take_back_any();
                               return CS_OK;
                             }),
               CallTakenBack);
}

TEST(CallsTest, OnlyTheCallThatIsTakenBackIs) {
  Calls calls{Timing{}};
  const Ends ends = connected();
  EXPECT_THROW(call_until(calls, ends, [&] { calls.take_back_any(); }), CallTakenBack);
  const Ends others = connected();
  EXPECT_EQ(calls.attempt("cmap_get", others.ours.get(), [] { return CS_ERR_LIBRARY; }),
            CS_ERR_LIBRARY);
  EXPECT_FALSE(is_cut(others.theirs.get()));
}

TEST(CallsTest, TakingBackACallThatIsOverCutsNothing) {
  Calls calls{Timing{}};
  const Ends ends = connected();
  calls.attempt("cmap_get", ends.ours.get(), [] { return CS_OK; });
  calls.take_back_any();
  calls.take_back_overdue(current_moment().steady + 1h);
  EXPECT_FALSE(is_cut(ends.theirs.get()));
}

TEST(CallsTest, WhatHasNoConnectionYetCannotBeTakenBack) {
  Calls calls{Timing{}};
  const Ends ends = connected();
  calls.attempt("cmap_get", ends.ours.get(), [] { return CS_OK; });
  EXPECT_EQ(calls.attempt("cmap_initialize", -1,
                          [&] {
                            calls.take_back_any();
                            return CS_OK;
                          }),
            CS_OK);
  EXPECT_FALSE(is_cut(ends.theirs.get()));
}

TEST(CallsTest, AnErrorFromCorosyncIsAnAnswerAndOneFromTheLibraryIsNot) {
  Calls calls{Timing{}};
  calls.attempt("cmap_get", -1, [] { return CS_ERR_LIBRARY; });
  calls.attempt("cmap_get", -1, [] { return CS_ERR_TIMEOUT; });
  calls.attempt("cmap_get", -1, [] { return CS_ERR_TRY_AGAIN; });  // it may not have been sent
  EXPECT_EQ(calls.answered(), std::nullopt);
  const SteadyTime before = current_moment().steady;
  calls.attempt("cmap_get", -1, [] { return CS_ERR_NOT_EXIST; });
  ASSERT_TRUE(calls.answered());
  EXPECT_GE(*calls.answered(), before);
}

}  // namespace
}  // namespace corosync_exporter
