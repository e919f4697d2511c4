// SPDX-License-Identifier: Apache-2.0
#include "corosync/attempts.h"

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

namespace corosync_exporter {
namespace {

using namespace std::chrono_literals;
using Cost = Attempts::Cost;
using Standing = Attempts::Standing;

class AttemptsTest : public ::testing::Test {
 protected:
  // The pauses after as many tries in a row that end like this.
  template <class End>
  std::vector<std::chrono::seconds> pauses(int tries, End end) {
    std::vector<std::chrono::seconds> pauses;
    for (int i = 0; i < tries; ++i) {
      end(now_);
      EXPECT_FALSE(attempts_.may_try(*attempts_.due() - 1ms, false));
      EXPECT_TRUE(attempts_.may_try(*attempts_.due(), false));
      pauses.push_back(std::chrono::duration_cast<std::chrono::seconds>(*attempts_.due() - now_));
      now_ = *attempts_.due();
    }
    return pauses;
  }

  SteadyTime now_{100h};
  Attempts attempts_{Timing{}};
};

TEST_F(AttemptsTest, WhatGoesWellIsAskedWithEachRequest) {
  EXPECT_TRUE(attempts_.may_try(now_, false));
  attempts_.succeeded(now_, Cost::little);
  EXPECT_EQ(attempts_.standing(), Standing::ok);
  EXPECT_TRUE(attempts_.may_try(now_, false));
  EXPECT_EQ(attempts_.due(), std::nullopt);
}

TEST_F(AttemptsTest, AfterInterruptionsPausesGrowFromThePollIntervalToAMinute) {
  EXPECT_EQ(pauses(6, [&](SteadyTime now) { attempts_.interrupted(now); }),
            (std::vector{5s, 10s, 20s, 40s, 60s, 60s}));
  EXPECT_EQ(attempts_.standing(), Standing::interrupted);
}

TEST_F(AttemptsTest, AfterFailuresPausesGrowFromASecondToAMinute) {
  EXPECT_EQ(pauses(9, [&](SteadyTime now) { attempts_.failed(now); }),
            (std::vector{1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s, 60s}));
  EXPECT_EQ(attempts_.standing(), Standing::failing);
}

TEST_F(AttemptsTest, ARefusalIsRespectedForHalfAMinute) {
  EXPECT_EQ(pauses(3, [&](SteadyTime now) { attempts_.refused(now); }),
            (std::vector{30s, 30s, 30s}));
  EXPECT_EQ(attempts_.standing(), Standing::refused);
}

TEST_F(AttemptsTest, ASuccessBeginsAfresh) {
  pauses(4, [&](SteadyTime now) { attempts_.interrupted(now); });
  attempts_.succeeded(now_, Cost::little);
  EXPECT_EQ(attempts_.due(), std::nullopt);
  attempts_.interrupted(now_);
  EXPECT_EQ(*attempts_.due() - now_, 5s);
}

TEST_F(AttemptsTest, OnlyASuccessBeginsAfresh) {
  bool fails = false;
  EXPECT_EQ(pauses(8,
                   [&](SteadyTime now) {
                     fails = !fails;
                     fails ? attempts_.failed(now) : attempts_.interrupted(now);
                   }),
            (std::vector{1s, 10s, 4s, 40s, 16s, 60s, 60s, 60s}));
  attempts_.succeeded(now_, Cost::little);
  attempts_.failed(now_);
  EXPECT_EQ(*attempts_.due() - now_, 1s);
}

TEST_F(AttemptsTest, AReadingThatCostAConnectionIsMadeHalfAsOften) {
  EXPECT_EQ(pauses(3, [&](SteadyTime now) { attempts_.succeeded(now, Cost::connection); }),
            (std::vector{10s, 10s, 10s}));
  EXPECT_EQ(attempts_.standing(), Standing::ok);
}

TEST_F(AttemptsTest, UrgencyCutsAPauseButAsksNoMoreOftenThanThePoll) {
  pauses(5, [&](SteadyTime now) { attempts_.interrupted(now); });
  attempts_.interrupted(now_);  // a minute
  EXPECT_FALSE(attempts_.may_try(now_ + 59s, false));
  EXPECT_FALSE(attempts_.may_try(now_ + 4999ms, true));
  EXPECT_EQ(attempts_.due(), now_ + 5s) << "it is not forgotten";
  EXPECT_TRUE(attempts_.may_try(now_ + 5s, false));
}

TEST_F(AttemptsTest, UrgencyCutsThePauseAfterAReadingThatCostAConnection) {
  attempts_.succeeded(now_, Cost::connection);
  EXPECT_FALSE(attempts_.may_try(now_ + 1s, true));
  EXPECT_EQ(attempts_.due(), now_ + 5s);
}

TEST(ShortLivedAttemptsTest, AReadingThatCostAConnectionIsMadeAgainBeforeItIsTooOld) {
  Attempts attempts{Timing{.poll_interval = 5s, .stale_after = 10s}};
  attempts.succeeded(SteadyTime{1h}, Attempts::Cost::connection);
  EXPECT_EQ(attempts.due(), SteadyTime{1h + 5s});
}

TEST_F(AttemptsTest, UrgencyDoesNotOverruleARefusal) {
  attempts_.refused(now_);
  EXPECT_FALSE(attempts_.may_try(now_ + 29s, true));
}

}  // namespace
}  // namespace corosync_exporter
