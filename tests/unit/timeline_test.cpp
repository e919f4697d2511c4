// SPDX-License-Identifier: Apache-2.0
#include "model/timeline.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "print_model.h"
#include "random_events.h"
#include "story.h"

namespace corosync_exporter {
namespace {

using namespace std::chrono_literals;

// A node list, of which the timeline tells who left and who joined.
Event formed(RingId of, std::vector<NodeId> left, std::vector<NodeId> joined = {}) {
  return NodeListNotified{
      .ring = of, .members = ids({1}), .joined = std::move(joined), .left = std::move(left)};
}
Event links(bool to_2, bool to_3) {
  return ReachabilityRead{
      {{id(2), {.reachable = to_2, .links = {{0, {.enabled = true, .connected = to_2}}}}},
       {id(3), {.reachable = to_3, .links = {{0, {.enabled = true, .connected = to_3}}}}}}};
}

using Kinds = std::vector<std::vector<ChangeKind>>;
using enum ChangeKind;

// The kinds of each entry, oldest first.
Kinds kinds(const Story& story) {
  Kinds all;
  for (const auto& entry : story.timeline().entries()) {
    all.emplace_back();
    for (const Told& told : entry->told) {
      all.back().push_back(told.change.kind);
    }
  }
  return all;
}

Story quorate() {
  Story story = Story{}.connect().then(formed(ring(1, 8), {})).verdict(true, ring(1, 8));
  return story.then(links(true, true)).wait(10s);
}

TEST(TimelineTest, BeginsWithNothing) {
  const Timeline timeline{beginning.system};
  EXPECT_TRUE(timeline.entries().empty());
  EXPECT_EQ(timeline.begun(), beginning.system);
  EXPECT_EQ(timeline.unknown_since(), beginning.system);
  EXPECT_EQ(timeline.verdict_since(), std::nullopt);
}

TEST(TimelineTest, WhoLeftAndTheQuorumThatWentWithThemAreOneEntry) {
  Story story = quorate();
  const SystemTime left = story.now().system;
  story.then(formed(ring(1, 12), ids({2, 3}))).wait(3ms).verdict(false, ring(1, 12));
  EXPECT_EQ(kinds(story), (Kinds{{connected}, {nodes_left, quorum_lost}}));
  const auto& told = story.timeline().entries().back()->told;
  EXPECT_EQ(told[0].at, left);
  EXPECT_EQ(told[1].at, left + 3ms);
}

TEST(TimelineTest, AClockThatIsSetMeanwhileSeparatesNothingAndJoinsNothing) {
  for (const Duration by : {-1h, 1h}) {
    Story story = quorate();
    story.then(formed(ring(1, 12), ids({2, 3}))).set_clock(by).verdict(false, ring(1, 12));
    EXPECT_EQ(kinds(story), (Kinds{{connected}, {nodes_left, quorum_lost}}));
  }
  Story story = quorate();
  story.then(formed(ring(1, 12), ids({2, 3}))).wait(5s).set_clock(-5s).verdict(false, ring(1, 12));
  EXPECT_EQ(kinds(story), (Kinds{{connected}, {nodes_left}, {quorum_lost}}));
}

TEST(TimelineTest, AVerdictThatTookItsTimeHasAnEntryOfItsOwn) {
  Story story = quorate();
  story.then(formed(ring(1, 12), ids({2, 3}))).wait(5s).verdict(false, ring(1, 12));
  EXPECT_EQ(kinds(story), (Kinds{{connected}, {nodes_left}, {quorum_lost}}));
}

TEST(TimelineTest, AVerdictOnAnotherRingHasAnEntryOfItsOwn) {
  Story story = quorate();
  story.then(formed(ring(1, 12), ids({3}))).verdict(false, ring(1, 16));
  EXPECT_EQ(kinds(story), (Kinds{{connected}, {nodes_left}, {quorum_lost}}));
}

TEST(TimelineTest, TwoRingsAreTwoEntriesHoweverCloseTheyAre) {
  Story story = quorate();
  story.then(formed(ring(1, 12), ids({2}))).then(formed(ring(1, 16), ids({3})));
  EXPECT_EQ(kinds(story), (Kinds{{connected}, {nodes_left}, {nodes_left}}));
}

TEST(TimelineTest, LinksGoWithTheirNodes) {
  Story story = quorate();
  story.then(formed(ring(1, 12), ids({2, 3}))).verdict(false, ring(1, 12)).wait(10ms);
  story.then(links(false, false));
  EXPECT_EQ(kinds(story), (Kinds{{connected}, {nodes_left, quorum_lost, links_down}}));
  story.wait(14s).then(formed(ring(1, 16), {}, ids({2, 3}))).wait(10ms).then(links(true, true));
  EXPECT_EQ(kinds(story).back(), (std::vector{nodes_joined, links_up}));
}

TEST(TimelineTest, ALinkToWhomStaysIsAnEntryOfItsOwn) {
  Story story = quorate();
  story.then(formed(ring(1, 12), ids({2}))).wait(10ms).then(links(false, false));
  EXPECT_EQ(kinds(story), (Kinds{{connected}, {nodes_left}, {links_down}}));
}

TEST(TimelineTest, ALinkThatGoesLongAfterItsNodeIsAnEntryOfItsOwn) {
  Story story = quorate();
  story.then(formed(ring(1, 12), ids({2}))).wait(11s).then(links(false, true));
  EXPECT_EQ(kinds(story), (Kinds{{connected}, {nodes_left}, {links_down}}));
}

TEST(TimelineTest, AnEntryTellsAKindOnce) {
  Story story = quorate();
  story.then(formed(ring(1, 12), ids({2})));
  for (int i = 0; i < 3; ++i) {
    story.then(links(false, true)).then(links(true, true));
  }
  EXPECT_EQ(kinds(story)[1], (std::vector{nodes_left, links_down}));
}

TEST(TimelineTest, ALossLearnsWhenItIsOverHowLongItLasted) {
  Story story = quorate();
  story.then(formed(ring(1, 12), ids({2, 3}))).verdict(false, ring(1, 12)).wait(4030ms);
  EXPECT_EQ(story.timeline().entries().back()->told[1].change.lasted, std::nullopt);
  story.then(formed(ring(1, 16), {}, ids({2}))).verdict(true, ring(1, 16));
  EXPECT_EQ(story.timeline().entries()[1]->told[1].change.lasted, 4030ms);
  EXPECT_EQ(story.timeline().entries()[2]->told[1].change.lasted, 4030ms);
}

TEST(TimelineTest, AnEarlierLossKeepsItsTime) {
  Story story = quorate();
  story.verdict(false, ring(1, 8)).wait(1s).verdict(true, ring(1, 8));
  story.verdict(false, ring(1, 8)).wait(2s).verdict(true, ring(1, 8));
  EXPECT_EQ(story.timeline().entries()[1]->told[0].change.lasted, 1s);
  EXPECT_EQ(story.timeline().entries()[3]->told[0].change.lasted, 2s);
}

TEST(TimelineTest, NamesAreThoseOfThen) {
  Story story = quorate();
  const auto named = [](const std::string& name) {
    return ConfigurationRead{.nodes = {{id(2), {.name = name, .configured = true}}}};
  };
  story.then(named("old")).then(formed(ring(1, 12), ids({2, 3}))).then(named("new"));
  EXPECT_EQ(story.timeline().entries().back()->told[0].names,
            (std::vector<std::string>{"old", ""}));
}

TEST(TimelineTest, SinceWhenTheVerdictHoldsIsKnownAsFarAsItWasSeen) {
  Story story = quorate();
  const SystemTime connected_at = beginning.system;
  EXPECT_EQ(story.timeline().verdict_since(), (Since{.at = connected_at, .exact = false}));

  const SystemTime lost_at = story.now().system;
  story.verdict(false, ring(1, 8)).wait(10s);
  EXPECT_EQ(story.timeline().verdict_since(), (Since{.at = lost_at, .exact = true}));

  const SystemTime gone_at = story.now().system;
  story.disconnect().wait(1min);
  EXPECT_EQ(story.timeline().unknown_since(), gone_at);

  // Another verdict than before: it came at some time in between.
  const SystemTime back_at = story.now().system;
  story.connect().then(formed(ring(1, 20), {})).verdict(true, ring(1, 20));
  EXPECT_EQ(story.timeline().verdict_since(), (Since{.at = back_at, .exact = false}));
}

TEST(TimelineTest, SilenceBeginsWhenPatienceEndsHoweverLateItIsNoted) {
  Story story = quorate();
  const SystemTime last_heard = story.now().system - 10s;
  EXPECT_EQ(story.timeline().unknown_since(), std::nullopt);
  story.wait(1h);
  EXPECT_EQ(story.timeline().unknown_since(), last_heard + 15s);
  EXPECT_EQ(kinds(story), (Kinds{{connected}, {fell_silent}}));
  story.then(links(true, true));
  EXPECT_EQ(story.timeline().unknown_since(), std::nullopt);
}

TEST(TimelineTest, SilenceThatEndsInALostConnectionIsOneOutage) {
  Story story = quorate();
  const SystemTime silent_at = story.now().system - 10s + 15s;
  story.wait(5s + 1ms).wait(25s).disconnect();
  EXPECT_EQ(story.timeline().unknown_since(), silent_at);

  // A connection that says nothing does not end it.
  story.wait(1min).connect().wait(1min);
  EXPECT_EQ(story.timeline().unknown_since(), silent_at);
  story.then(formed(ring(1, 20), {})).wait(1s);
  EXPECT_EQ(story.timeline().unknown_since(), silent_at);
  story.verdict(true, ring(1, 20)).wait(1s);
  EXPECT_EQ(story.timeline().unknown_since(), std::nullopt);

  const SystemTime gone_at = story.now().system;
  story.disconnect().wait(1min);
  EXPECT_EQ(story.timeline().unknown_since(), gone_at) << "another outage";
}

// ---- Bounds ------------------------------------------------------------------------------------

TEST(TimelineTest, KeepsTheNewest) {
  Story story = quorate();
  for (std::uint32_t i = 0; i <= 1000; ++i) {
    story.then(VotesRead{{.expected = i}});
  }
  const auto& entries = story.timeline().entries();
  EXPECT_EQ(entries.size(), Timeline::most_entries);
  EXPECT_EQ(entries.back()->number, 1001);
  EXPECT_EQ(entries.front()->number, 1001 - Timeline::most_entries + 1);
}

TEST(TimelineTest, KeepsFewNamesAndNoLongOnes) {
  std::map<NodeId, NodeConfiguration> nodes;
  std::vector<NodeId> left;
  for (std::uint32_t i = 1; i <= 300; ++i) {
    left.push_back(id(i));
    nodes[id(i)] = {.name = std::string(95, 'x') + "ö" + std::string(1000, 'y')};
  }
  Story story = quorate();
  story.then(formed(ring(1, 12), left)).read(ConfigurationRead{.nodes = nodes});
  story.then(formed(ring(1, 16), left));
  const Told& told = story.timeline().entries().back()->told[0];
  EXPECT_EQ(told.change.nodes, std::vector(left.begin(), left.begin() + 16));
  EXPECT_EQ(told.more, 284);
  // Cut before the character that would not have fitted.
  EXPECT_EQ(told.names, std::vector(Timeline::most_subjects, std::string(95, 'x') + "…"));
}

TEST(TimelineTest, KeepsFewLinksOfAChange) {
  const auto all = [](bool connected) {
    ReachabilityRead read;
    for (std::uint32_t i = 2; i <= 21; ++i) {
      read.nodes[id(i)].links[0].connected = connected;
    }
    return read;
  };
  Story story = quorate().then(all(true)).then(all(false));
  const Told& told = story.timeline().entries().back()->told[0];
  EXPECT_EQ(told.change.links.size(), 16);
  EXPECT_EQ(told.change.links.back(), (LinkId{id(17), 0}));
  EXPECT_EQ(told.names.size(), 16);
  EXPECT_EQ(told.more, 4);
}

TEST(TimelineTest, LinksGoWithTheirNodesAlsoWhereThoseAreTooManyToTell) {
  ReachabilityRead before;
  ReachabilityRead after;
  std::vector<NodeId> left;
  for (std::uint32_t i = 2; i <= 41; ++i) {
    left.push_back(id(i));
    before.nodes[id(i)].links[0].connected = true;
    after.nodes[id(i)].links[0].connected = false;
  }
  Story story = quorate().then(before).then(formed(ring(1, 12), left)).then(after);
  EXPECT_EQ(kinds(story).back(), (std::vector{nodes_left, links_down}));
}

TEST(TimelineTest, KeepsFewNodesAndLinksInAll) {
  Story story = quorate();
  for (std::uint32_t round = 0; round < 300; ++round) {
    std::vector<NodeId> left;
    for (std::uint32_t i = 0; i < 20; ++i) {
      left.push_back(id(round + i));
    }
    story.then(formed(ring(1, 12 + 4 * round), left));
  }
  const auto& entries = story.timeline().entries();
  EXPECT_EQ(entries.size(), Timeline::most_subjects_in_all / Timeline::most_subjects);
  EXPECT_EQ(entries.back()->number, 301);
}

// ---- Repetition --------------------------------------------------------------------------------

// Corosync on this node dies, and comes back.
void crash(Story& story, std::uint64_t round) {
  const Failure gone = failure("quorum_dispatch", "CS_ERR_LIBRARY");
  const Failure refused = failure("quorum_model_initialize", "CS_ERR_LIBRARY");
  const RingId alone = ring(1, 100 + 8 * round);
  const RingId together = ring(1, 104 + 8 * round);
  story.then(Disconnected{gone}).wait(250ms).then(ConnectFailed{refused}).wait(2s);
  if (round % 3 == 0) {  // not each round is the same
    story.then(ConnectFailed{failure("quorum_model_initialize", "CS_ERR_TRY_AGAIN")}).wait(1s);
  }
  story.connect().then(formed(alone, {})).verdict(false, alone).wait(3s);
  story.then(formed(together, {}, ids({2, 3}))).verdict(true, together).wait(7s);
}

std::vector<TimelineEntry> all_of(const Story& story) {
  std::vector<TimelineEntry> entries;
  for (const auto& entry : story.timeline().entries()) {
    entries.push_back(*entry);
  }
  return entries;
}

TEST(TimelineTest, ACrashLoopDoesNotFlushOutTheHourBeforeIt) {
  Story story = quorate();
  for (std::uint32_t i = 0; i < 60; ++i) {
    story.then(VotesRead{{.expected = i}}).wait(1min).then(links(i % 2 == 0, true));
  }
  story.then(VotesRead{{.expected = 60}});
  const std::vector<TimelineEntry> hour = all_of(story);
  ASSERT_GT(hour.size(), 60);
  for (std::uint64_t round = 0; round < 1000; ++round) {
    crash(story, round);
  }
  const std::vector<TimelineEntry> now = all_of(story);
  ASSERT_GT(now.size(), hour.size());
  EXPECT_EQ(std::vector(now.begin(), now.begin() + static_cast<std::ptrdiff_t>(hour.size())), hour);
  EXPECT_LT(now.size(), hour.size() + 32);
  std::uint64_t lost = 0;
  for (const TimelineEntry& entry : now) {
    lost += entry.told[0].change.kind == disconnected ? entry.count : 0;
  }
  EXPECT_EQ(lost, 1000);
}

TEST(TimelineTest, WhatComesForTheThirdTimeIsToldInFullAndTheTimesBeforeAsOne) {
  Story story = quorate();
  std::vector<SystemTime> lost_at;
  for (int i = 1; i <= 5; ++i) {
    lost_at.push_back(story.now().system);
    story.verdict(false, ring(1, 8)).wait(i * 1s).verdict(true, ring(1, 8)).wait(10s);
  }
  EXPECT_EQ(kinds(story), (Kinds{{connected},
                                 {quorum_lost},
                                 {quorum_regained},
                                 {quorum_regained},
                                 {quorum_lost},
                                 {quorum_regained}}))
      << "the newest is not complete yet";
  story.then(VotesRead{{.expected = 3}}).then(VotesRead{{.expected = 4}});
  EXPECT_EQ(kinds(story), (Kinds{{connected},
                                 {quorum_lost},
                                 {quorum_regained},
                                 {quorum_lost},
                                 {quorum_regained},
                                 {expected_votes}}));
  const TimelineEntry& folded = *story.timeline().entries()[1];
  EXPECT_EQ(folded.number, 2);
  EXPECT_EQ(folded.count, 4);
  EXPECT_EQ(folded.told[0].at, lost_at[0]);
  EXPECT_EQ(folded.told[0].last, lost_at[3]);
  EXPECT_EQ(folded.told[0].change.lasted, 1s + 2s + 3s + 4s);
  const TimelineEntry& newest = *story.timeline().entries()[3];
  EXPECT_EQ(newest.count, 1);
  EXPECT_EQ(newest.told[0].at, lost_at[4]);
  EXPECT_EQ(newest.told[0].change.lasted, 5s);
}

TEST(TimelineTest, OnlyWhatIsAlikeBecomesOne) {
  Story story = quorate();
  for (int i = 0; i < 5; ++i) {
    const auto node = ids({static_cast<std::uint32_t>(2 + i % 2)});
    story.then(formed(ring(1, 12 + 4 * static_cast<std::uint64_t>(i)), node));
  }
  EXPECT_EQ(
      kinds(story),
      (Kinds{{connected}, {nodes_left}, {nodes_left}, {nodes_left}, {nodes_left}, {nodes_left}}))
      << "the third time is not complete yet";
  story.then(formed(ring(1, 40), ids({2, 3})));
  EXPECT_EQ(
      kinds(story),
      (Kinds{{connected}, {nodes_left}, {nodes_left}, {nodes_left}, {nodes_left}, {nodes_left}}));
  EXPECT_EQ(story.timeline().entries()[1]->told[0].change.nodes, ids({2}));
  EXPECT_EQ(story.timeline().entries()[1]->count, 2);
  EXPECT_EQ(story.timeline().entries()[2]->told[0].change.nodes, ids({3}));
  EXPECT_EQ(story.timeline().entries()[2]->count, 1);
}

TEST(TimelineTest, WhatComesAgainAfterMoreThanAnHourIsNewsOfItsOwn) {
  const auto entries = [](Duration pause) {
    Story story = quorate();
    for (std::uint64_t i = 0; i < 10; ++i) {
      story.then(formed(ring(1, 12 + 4 * i), ids({2})));
      for (Duration passed{}; passed < pause; passed += 10s) {
        story.wait(10s).then(Answered{story.now().steady});
      }
    }
    return story.timeline().entries().size();
  };
  EXPECT_EQ(entries(1h), 4) << "connected, eight times, and the newest two";
  EXPECT_EQ(entries(1h + 10s), 11);
}

// One beginning for each time that corosync is not up, whatever ends or follows it.
TEST(TimelineTest, OfAnyCourseItKnowsSinceWhenCorosyncIsNotUp) {
  for (std::uint32_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(seed);
    RandomEvents random{seed};
    Story story;
    std::optional<SystemTime> since = beginning.system;
    const auto look = [&] {
      const auto begun = story.timeline().unknown_since();
      ASSERT_EQ(begun.has_value(), !is_up(story.state(), story.now().steady));
      if (begun && since) {
        ASSERT_EQ(begun, since);
      }
      since = begun;
    };
    for (int i = 0; i < 200; ++i) {
      story.wait(random.pause());
      ASSERT_NO_FATAL_FAILURE(look());
      story.then(random.event());
      ASSERT_NO_FATAL_FAILURE(look());
    }
  }
}

TEST(TimelineTest, OfAnyCourseEntriesAreInOrderAndBounded) {
  std::size_t overflowed = 0;
  for (std::uint32_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE(seed);
    RandomEvents random{seed};
    Story story;
    std::uint64_t dropped = 0;
    auto look = [&, before = Timeline::Entries{}]() mutable {
      const auto& after = story.timeline().entries();
      for (const auto& entry : before) {
        dropped += entry->number < after.front()->number ? entry->count : 0;
      }
      before = after;
    };
    for (int i = 0; i < 2000; ++i) {
      story.wait(random.pause());
      look();
      story.then(random.event());
      look();
    }
    const auto& entries = story.timeline().entries();
    ASSERT_FALSE(entries.empty());
    EXPECT_LE(entries.size(), Timeline::most_entries);
    overflowed += entries.front()->number > 1 ? 1 : 0;
    std::uint64_t number = 0;
    std::uint64_t kept = 0;
    SystemTime last_at = beginning.system;
    for (const auto& entry : entries) {
      EXPECT_GT(entry->number, number);
      number = entry->number;
      kept += entry->count;
      ASSERT_FALSE(entry->told.empty());
      std::vector<ChangeKind> kinds;
      for (const Told& told : entry->told) {
        EXPECT_GE(told.at, last_at);
        last_at = told.at;
        EXPECT_EQ(std::ranges::count(kinds, told.change.kind), 0);
        kinds.push_back(told.change.kind);
      }
    }
    EXPECT_EQ(dropped + kept, entries.back()->number) << "each is kept, counted or dropped";
  }
  EXPECT_EQ(overflowed, 4) << "each of them makes more entries than are kept";
}

}  // namespace
}  // namespace corosync_exporter
