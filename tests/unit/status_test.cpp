// SPDX-License-Identifier: Apache-2.0
#include "status/status.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "print_model.h"
#include "status/words.h"
#include "stories.h"

namespace corosync_exporter {
namespace {

Status status(const Story& story) {
  return status_of({.state = story.state(),
                    .timeline = std::make_shared<const Timeline>(story.timeline()),
                    .generation = 1},
                   story.now());
}

std::vector<std::string> kinds(const Story& story) {
  std::vector<std::string> kinds;
  for (const Warning& warning : status(story).warnings) {
    kinds.emplace_back(name_of(warning.kind));
  }
  return kinds;
}

using Kinds = std::vector<std::string>;

TEST(StatusTest, TheVerdictIsThatOfThePresent) {
  EXPECT_EQ(status(quorate()).verdict, Standing::quorate);
  EXPECT_EQ(status(not_quorate()).verdict, Standing::not_quorate);
  for (const Story& unknown : {never_connected(), stale(), disconnected()}) {
    EXPECT_EQ(status(unknown).verdict, Standing::unknown);
    EXPECT_EQ(status(unknown).reason, why_not_up(unknown.state(), unknown.now().steady));
    EXPECT_FALSE(status(unknown).up);
  }
}

TEST(StatusTest, TheVerdictHasItsTime) {
  const Story lost = not_quorate();
  EXPECT_EQ(status(lost).since,
            (Since{.at = lost.timeline().entries().back()->told.back().at, .exact = true}));
  EXPECT_EQ(status(waiting_for_all()).since, (Since{.at = beginning.system, .exact = false}));
}

TEST(StatusTest, WhoWasNeverConnectedIsUnknownForAsLongAsWeLook) {
  EXPECT_EQ(status(never_connected()).since, (Since{.at = beginning.system, .exact = false}));
}

// The clock alone makes it, for whoever asks, before the loop has noted it.
TEST(StatusTest, SilenceHasItsTimeBeforeItIsNoted) {
  Story story = Story{}.connect();
  form(story, ring(1, 8), true, ids({1, 2, 3}));
  const Since since{.at = story.now().system + 15s, .exact = true};
  Moment later = story.now();
  later.steady += 15s + 500ms;
  later.system += 15s + 500ms;
  const Status said = status_of(
      {.state = story.state(), .timeline = std::make_shared<const Timeline>(story.timeline())},
      later);
  EXPECT_FALSE(said.up);
  EXPECT_EQ(said.since, since);
  EXPECT_EQ(status(story.wait(16s)).since, since) << "and noted it is the same";
  EXPECT_EQ(status(story.disconnect().wait(1min)).since, since);
}

TEST(StatusTest, WithoutAProviderThereIsNoVerdictAndAReason) {
  EXPECT_EQ(status(no_provider()).verdict, Standing::unknown);
  EXPECT_TRUE(status(no_provider()).up);
  EXPECT_EQ(status(no_provider()).reason,
            "corosync has no quorum provider: nobody decides about quorum");
  EXPECT_EQ(status(no_provider()).members, 2);
}

TEST(StatusTest, WhatIsUnknownIsAbsent) {
  for (const Story& unknown : {never_connected(), stale(), disconnected()}) {
    const Status said = status(unknown);
    EXPECT_FALSE(said.votes);
    EXPECT_FALSE(said.members);
    EXPECT_FALSE(said.ring);
    EXPECT_FALSE(said.syncing);
    EXPECT_FALSE(said.waiting_for_all);
    EXPECT_FALSE(said.loss_so_far);
    for (const NodeView& node : said.nodes) {
      EXPECT_FALSE(node.member);
      EXPECT_FALSE(node.votes);
      EXPECT_FALSE(node.reachable);
      EXPECT_FALSE(node.qdevice);
      EXPECT_TRUE(node.links.empty());
    }
  }
}

TEST(StatusTest, ASourceThatFailsLeavesTheOthersKnown) {
  const Status said = status(failed_reading());
  EXPECT_EQ(said.verdict, Standing::quorate);
  EXPECT_TRUE(said.votes);
  EXPECT_FALSE(said.waiting_for_all);
  EXPECT_EQ(kinds(failed_reading()), Kinds{"source_failing"});
}

TEST(StatusTest, ANodeTellsWhenItLeft) {
  const Status said = status(not_quorate());
  ASSERT_EQ(said.nodes.size(), 3);
  EXPECT_EQ(said.nodes[1].member, false);
  EXPECT_EQ(said.nodes[1].left_at, said.timeline->entries().back()->told.front().at);
  EXPECT_TRUE(said.nodes[0].local);
}

TEST(StatusTest, WarnsOfWhoIsMissing) {
  EXPECT_EQ(kinds(quorate()), Kinds{});
  EXPECT_EQ(kinds(not_quorate()), (Kinds{"node_missing", "node_missing"}));
  EXPECT_EQ(kinds(waiting_for_all()), (Kinds{"waiting_for_all", "node_missing"}));
}

TEST(StatusTest, WarnsWhereNoVoteIsToSpare) {
  Story story = Story{}.connect();
  form(story, ring(1, 8), true, ids({1, 2}));
  read(story, votes(2, ids({1, 2}))).wait(1s);
  EXPECT_EQ(kinds(story), (Kinds{"no_vote_to_spare", "node_missing"}));
}

TEST(StatusTest, WarnsOfNoVoteToSpareOnlyWhereNothingElseKeepsQuorum) {
  const auto warns = [](Votes votes) {
    Story story = Story{}.connect();
    form(story, ring(1, 8), true, ids({1, 2, 3, 4}));
    return kinds(story.read(VotesRead{std::move(votes)})) == Kinds{"no_vote_to_spare"};
  };
  Votes of_four{.expected = 4, .highest_expected = 4, .present = 3, .required = 3};
  EXPECT_TRUE(warns(of_four));
  of_four.auto_tie_breaker = true;
  EXPECT_FALSE(warns(of_four)) << "half of them may do";
  of_four.present = 2;
  EXPECT_TRUE(warns(of_four));

  Votes with_device{
      .expected = 3, .highest_expected = 3, .present = 2, .required = 2, .qdevice = 1};
  Qdevice device{.registered = true, .alive = true, .casting_vote = true};
  with_device.nodes = {{id(1), {.votes = 1, .qdevice = device}}};
  EXPECT_TRUE(warns(with_device));
  device.master_wins = true;
  with_device.nodes = {{id(1), {.votes = 1, .qdevice = device}}};
  EXPECT_FALSE(warns(with_device)) << "where it votes there is quorum";
}

TEST(StatusTest, WarnsOfASyncThatIsNotOver) {
  EXPECT_EQ(kinds(sync_in_progress()), (Kinds{"sync_in_progress", "node_missing"}));
}

TEST(StatusTest, WarnsOfLinksToMembersOnly) {
  Story story = quorate();
  read_statistics(story);
  // Of two links to node 2 one is left; node 3 has one, which is down.
  EXPECT_EQ(kinds(story), (Kinds{"last_link", "link_down", "link_down"}));
  form(story, ring(1, 20), true, ids({1, 2}), {}, ids({3}));
  EXPECT_EQ(kinds(story), (Kinds{"node_missing", "last_link", "link_down"}));
}

TEST(StatusTest, WarnsOfADeviceThatIsRegisteredAndCastsNoVote) {
  EXPECT_EQ(kinds(qdevice()),
            (Kinds{"node_missing", "qdevice_not_voting", "expected_votes_differ"}));
  EXPECT_EQ(status(qdevice()).votes->device_cast, 2);
}

// As where last_man_standing has lowered what is expected.
TEST(StatusTest, ThatMoreVotesWereExpectedOnceIsNoWarning) {
  Story story = quorate();
  Votes fewer{.expected = 3, .highest_expected = 4, .present = 3, .required = 2};
  for (const NodeId node : ids({1, 2, 3})) {
    fewer.nodes[node] = {.votes = 1, .expected = 3};
  }
  EXPECT_EQ(kinds(story.read(VotesRead{fewer})), Kinds{});
  fewer.nodes[id(3)].expected = 4;
  EXPECT_EQ(kinds(story.read(VotesRead{fewer})), (Kinds{"expected_votes_differ"}));
}

TEST(StatusTest, ASchedulingPauseIsForgottenAfterAnHour) {
  Story story = quorate();
  Totem of_old = totem();
  of_old.last_pause->at = story.now().system - 1h;
  EXPECT_EQ(kinds(story.read(TotemRead{of_old})), Kinds{});
  of_old.last_pause->at += 1s;
  EXPECT_EQ(kinds(story.read(TotemRead{of_old})), Kinds{"scheduling_pause"});
  of_old.last_pause.reset();
  of_old.network_fault = true;
  EXPECT_EQ(kinds(story.read(TotemRead{of_old})), Kinds{"network_fault"});
}

TEST(StatusTest, OnlyTheNewestLossCanStillLast) {
  Story story = quorate();
  story.verdict(false, ring(1, 16)).wait(3s);
  std::vector<std::optional<Duration>> told;
  for_each_newest_first(
      status(story), [&](const TimelineEntry& /*entry*/, auto so_far) { told.push_back(so_far); });
  ASSERT_GE(told.size(), 3);
  EXPECT_EQ(told[0], 3s);
  EXPECT_EQ(std::count_if(told.begin(), told.end(),
                          [](const auto& so_far) { return so_far.has_value(); }),
            1);
}

}  // namespace
}  // namespace corosync_exporter
