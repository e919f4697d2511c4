// SPDX-License-Identifier: Apache-2.0
// Thousands of random courses of events: the core against the slow and plain reference, and what
// must hold of any course.

#include "random_events.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "model/apply.h"
#include "model/cluster_state.h"
#include "print_model.h"
#include "reference_changes.h"
#include "reference_model.h"
#include "story.h"

namespace corosync_exporter {
namespace {

constexpr std::uint32_t courses = 2000;
constexpr int events_a_course = 30;

// What happened so far, for the message of a failure.
struct Course {
  std::uint32_t seed = 0;
  std::vector<std::pair<Moment, Event>> events{};
};
std::ostream& operator<<(std::ostream& out, const Course& course) {
  out << "seed " << course.seed;
  for (const auto& [at, event] : course.events) {
    const Duration since = at.steady - beginning.steady;
    out << "\n  at " << in_seconds(since) << " s: " << ::testing::PrintToString(event);
  }
  return out;
}

TEST(RandomEventsTest, TheCoreAgreesWithTheReference) {
  for (std::uint32_t seed = 1; seed <= courses; ++seed) {
    RandomEvents random{seed};
    ClusterState state;
    ReferenceModel reference{state.stale_after};
    Moment now = beginning;
    Course course{.seed = seed};
    for (int i = 0; i < events_a_course; ++i) {
      const Duration pause = random.pause();
      now = {.steady = now.steady + pause, .system = now.system + pause};
      const Event event = random.event(now.steady);
      (void)apply(state, event, now);
      reference.happened(event, now);
      course.events.push_back({now, event});

      // The reference is too slow to be asked each time; over all courses it is, at every point.
      if (!random.chance(25)) {
        continue;
      }
      const ClusterState expected = reference.state();
      if (state != expected) {
        // Line by line, so that gtest shows where they part.
        EXPECT_EQ(::testing::PrintToString(state), ::testing::PrintToString(expected));
        FAIL() << course;
      }
      const SteadyTime later = now.steady + random.pause();
      ASSERT_EQ(is_up(state, later), reference.is_up(later)) << course;
      ASSERT_EQ(time_without_quorum(state, later), reference.time_without_quorum(later)) << course;
    }
  }
}

TEST(RandomEventsTest, WhatIsToldIsWhatDiffersAfterwards) {
  std::size_t told = 0;
  for (std::uint32_t seed = 1; seed <= courses; ++seed) {
    RandomEvents random{seed};
    ClusterState state;
    Moment now = beginning;
    Course course{.seed = seed};
    for (int i = 0; i < events_a_course; ++i) {
      const Duration pause = random.pause();
      now = {.steady = now.steady + pause, .system = now.system + pause};
      (void)fall_silent(state, now.steady);
      const ClusterState before = state;
      const Event event = random.event(now.steady);
      course.events.push_back({now, event});
      const std::vector<Change> changes = apply(state, event, now);
      ASSERT_EQ(changes, differences(before, state)) << course;
      told += changes.size();
    }
  }
  EXPECT_GT(told, courses * 5U);
}

TEST(RandomEventsTest, WhatIsToldAddsUpToWhatIsCounted) {
  for (std::uint32_t seed = 1; seed <= courses; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomEvents random{seed};
    ClusterState state;
    Moment now = beginning;
    std::uint64_t losses = 0;
    std::uint64_t flips = 0;
    bool is_connected = false;
    bool is_silent_told = false;
    for (int i = 0; i < events_a_course; ++i) {
      const Duration pause = random.pause();
      now = {.steady = now.steady + pause, .system = now.system + pause};
      // Time passes first, and then something happens: two steps, as in the program.
      std::vector<Change> changes;
      if (auto silence = fall_silent(state, now.steady)) {
        changes.push_back(std::move(*silence));
      }
      for (Change& change : apply(state, random.event(now.steady), now)) {
        changes.push_back(std::move(change));
      }
      for (const Change& change : changes) {
        losses += change.kind == ChangeKind::quorum_lost ? 1 : 0;
        flips +=
            change.kind == ChangeKind::quorum_lost || change.kind == ChangeKind::quorum_regained
                ? 1
                : 0;
        if (change.kind == ChangeKind::connected || change.kind == ChangeKind::disconnected) {
          ASSERT_NE(is_connected, change.kind == ChangeKind::connected);
          is_connected = !is_connected;
        }
        if (change.kind == ChangeKind::fell_silent || change.kind == ChangeKind::answers_again) {
          ASSERT_NE(is_silent_told, change.kind == ChangeKind::fell_silent);
          is_silent_told = !is_silent_told;
        }
      }
      is_silent_told = is_silent_told && state.present;
      ASSERT_EQ(losses, state.quorum.losses);
      ASSERT_EQ(flips, state.quorum.changes);
      ASSERT_EQ(is_connected, is_synced(state));
    }
  }
}

TEST(RandomEventsTest, NoCounterEverFalls) {
  for (std::uint32_t seed = 1; seed <= courses; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomEvents random{seed};
    ClusterState state;
    Moment now = beginning;
    for (int i = 0; i < events_a_course; ++i) {
      const Duration pause = random.pause();
      now = {.steady = now.steady + pause, .system = now.system + pause};
      const ClusterState before = state;
      (void)apply(state, random.event(now.steady), now);
      ASSERT_GE(state.connects, before.connects);
      ASSERT_GE(state.quorum.changes, before.quorum.changes);
      ASSERT_GE(state.quorum.losses, before.quorum.losses);
      ASSERT_GE(state.membership.changes, before.membership.changes);
      ASSERT_GE(time_without_quorum(state, now.steady), time_without_quorum(before, now.steady));
      for (const auto& [node, old] : before.nodes) {
        if (const auto found = state.nodes.find(node); found != state.nodes.end()) {
          ASSERT_GE(found->second.joins, old.joins);
          ASSERT_GE(found->second.leaves, old.leaves);
        } else {
          ASSERT_FALSE(old.seen);
        }
      }
    }
  }
}

}  // namespace
}  // namespace corosync_exporter
