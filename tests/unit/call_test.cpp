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

TEST(CallsTest, NothingWaitsAtFirst) { EXPECT_EQ(Calls{}.waiting(), std::nullopt); }

TEST(CallsTest, ACallIsSeenWaitingWhileItLasts) {
  Calls calls;
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
  Calls calls;
  EXPECT_THROW(calls.attempt("cmap_get", -1, []() -> cs_error_t { throw 1; }), int);
  EXPECT_EQ(calls.waiting(), std::nullopt);
}

TEST(CallsTest, AnAttemptHandsOutItsCode) {
  Calls calls;
  EXPECT_EQ(calls.attempt("cmap_get", -1, [] { return CS_ERR_NOT_EXIST; }), CS_ERR_NOT_EXIST);
}

TEST(CallsTest, WhatHasToSucceedThrowsWithTheCallsName) {
  Calls calls;
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
  Calls calls;
  errno = EMFILE;
  try {
    calls.make("cmap_get", -1, [] { return CS_ERR_LIBRARY; });
    FAIL() << "did not throw";
  } catch (const CorosyncError& error) {
    EXPECT_EQ(error.failure().detail, "");
  }
}

TEST(CallsTest, CancellingEndsACallOnAConnection) {
  Calls calls;
  const Ends ends = connected();
  cs_error_t result = CS_OK;
  {
    const std::jthread caller{[&] {
      result = calls.attempt("cmap_get", ends.ours.get(),
                             [&] { return wait_for_answer(ends.ours.get()); });
    }};
    while (!calls.waiting()) {
      std::this_thread::yield();
    }
    calls.cancel(*calls.waiting());
  }
  EXPECT_EQ(result, CS_ERR_LIBRARY);
  EXPECT_TRUE(calls.was_cancelled());
  EXPECT_FALSE(calls.was_cancelled()) << "told once";
}

TEST(CallsTest, CancellingACallThatIsOverCutsNeitherItsConnectionNorAnother) {
  Calls calls;
  const Ends ends = connected();
  std::optional<Calls::Waiting> judged;
  calls.attempt("cmap_get", ends.ours.get(), [&] {
    judged = calls.waiting();
    return CS_OK;
  });
  ASSERT_TRUE(judged);
  calls.cancel(*judged);
  calls.attempt("cmap_get", ends.ours.get(), [&] {
    calls.cancel(*judged);
    return CS_OK;
  });
  EXPECT_FALSE(is_cut(ends.theirs.get()));
  EXPECT_FALSE(calls.was_cancelled());
}

TEST(CallsTest, WhatHasNoConnectionYetCannotBeCancelled) {
  Calls calls;
  const Ends ends = connected();
  calls.attempt("cmap_get", ends.ours.get(), [] { return CS_OK; });
  calls.attempt("cmap_initialize", -1, [&] {
    calls.cancel(*calls.waiting());
    return CS_OK;
  });
  EXPECT_FALSE(is_cut(ends.theirs.get()));
}

}  // namespace
}  // namespace corosync_exporter
