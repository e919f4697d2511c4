// SPDX-License-Identifier: Apache-2.0
#include "corosync/connection_life.h"

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

#include "story.h"

namespace corosync_exporter {
namespace {

using namespace std::chrono_literals;
using Phase = ConnectionLife::Phase;
using End = ConnectionLife::End;

constexpr Timing timing{
    .poll_interval = 7s, .first_retry = 250ms, .last_retry = 2s, .refused_retry = 30s};
constexpr SteadyTime begin = beginning.steady;

// What is waited for after so many tries in a row that end like this.
std::vector<std::chrono::milliseconds> waits(ConnectionLife& life, int tries, End how) {
  std::vector<std::chrono::milliseconds> all;
  for (int i = 0; i < tries; ++i) {
    life.connecting();
    all.push_back(life.ended(how, begin));
  }
  return all;
}
using Waits = std::vector<std::chrono::milliseconds>;

TEST(ConnectionLifeTest, GoesFromDownOverConnectingToSubscribedAndBack) {
  ConnectionLife life{timing};
  EXPECT_EQ(life.phase(), Phase::down);
  life.connecting();
  EXPECT_EQ(life.phase(), Phase::connecting);
  life.subscribed(begin);
  EXPECT_EQ(life.phase(), Phase::subscribed);
  (void)life.ended(End::failed, begin);
  EXPECT_EQ(life.phase(), Phase::down);
  life.connecting();
  (void)life.ended(End::failed, begin);
  EXPECT_EQ(life.phase(), Phase::down);
}

TEST(ConnectionLifeTest, TriesCloseTogetherAtFirstAndThenLessOften) {
  ConnectionLife life{timing};
  EXPECT_EQ(waits(life, 6, End::failed), (Waits{250ms, 500ms, 1s, 2s, 2s, 2s}));
}

TEST(ConnectionLifeTest, ARefusalIsFollowedByALongPause) {
  ConnectionLife life{timing};
  EXPECT_EQ(waits(life, 2, End::refused), (Waits{30s, 30s}));
  EXPECT_EQ(waits(life, 1, End::failed), Waits{1s}) << "and counts as a failure";
}

TEST(ConnectionLifeTest, AnInterruptionIsNoFailure) {
  ConnectionLife life{timing};
  EXPECT_EQ(waits(life, 3, End::interrupted), (Waits{7s, 7s, 7s}));
  EXPECT_EQ(waits(life, 1, End::failed), Waits{250ms});
}

TEST(ConnectionLifeTest, AConnectionThatLastedBeginsAfresh) {
  ConnectionLife life{timing};
  (void)waits(life, 4, End::failed);
  life.connecting();
  life.subscribed(begin);
  EXPECT_EQ(life.ended(End::failed, begin + 2s + 1ms), 250ms);
}

TEST(ConnectionLifeTest, ACorosyncThatAcceptsAndThenFailsIsTriedLessOften) {
  ConnectionLife life{timing};
  Waits all;
  for (int i = 0; i < 5; ++i) {
    life.connecting();
    life.subscribed(begin);
    all.push_back(life.ended(End::failed, begin + 2s));
  }
  EXPECT_EQ(all, (Waits{250ms, 500ms, 1s, 2s, 2s}));
}

// Only a connection lasts: how long a try took does not matter.
TEST(ConnectionLifeTest, ATryThatTookLongDoesNotBeginAfresh) {
  ConnectionLife life{timing};
  life.connecting();
  life.subscribed(begin);
  (void)life.ended(End::failed, begin);
  life.connecting();
  EXPECT_EQ(life.ended(End::failed, begin + 1h), 500ms);
}

TEST(ConnectionLifeTest, ARefusalOfAConnectionThatStoodIsARefusalToo) {
  ConnectionLife life{timing};
  life.connecting();
  life.subscribed(begin);
  EXPECT_EQ(life.ended(End::refused, begin + 1h), 30s);
}

}  // namespace
}  // namespace corosync_exporter
