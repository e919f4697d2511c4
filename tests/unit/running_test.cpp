// SPDX-License-Identifier: Apache-2.0
#include "web/running.h"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <utility>

namespace corosync_exporter::web {
namespace {

TEST(RunningTest, TheOldestCountsForAsLongAsItRuns) {
  const Running::Time start{};
  Running running;
  EXPECT_EQ(running.since(), std::nullopt);
  {
    std::optional<Running::Turn> first{std::in_place, running, start};
    const Running::Turn second{running, start + std::chrono::seconds{1}};
    EXPECT_EQ(running.since(), start);
    first.reset();
    EXPECT_EQ(running.since(), start + std::chrono::seconds{1});
  }
  EXPECT_EQ(running.since(), std::nullopt);
}

TEST(RunningTest, TwoThatBeganAtOnceAreTwo) {
  const Running::Time start{};
  Running running;
  const Running::Turn first{running, start};
  { const Running::Turn second{running, start}; }
  EXPECT_EQ(running.since(), start);
}

}  // namespace
}  // namespace corosync_exporter::web
