// SPDX-License-Identifier: Apache-2.0
#include "model/view.h"

#include <gtest/gtest.h>

#include "print_model.h"
#include "stories.h"

namespace corosync_exporter {
namespace {

View view(const Story& story) { return {story.state(), story.now().steady}; }
std::optional<bool> member(const Story& story, NodeId node) { return view(story).member(node); }

// Corosync has seen nodes 1 and 2 since it started, and not the third.
Story two_of_three() {
  Story story = Story{}.connect();
  form(story, ring(1, 8), true, ids({1, 2}));
  return story.read(VotesRead{votes(2, ids({1, 2}))})
      .read(configuration(three_nodes()))
      .read(LocalNodeRead{id(1)});
}

const Failure no_answer = failure("cmap_get", "CS_ERR_LIBRARY");

TEST(ViewTest, NothingIsKnownWithoutAConnection) {
  const Story story = two_of_three().disconnect();
  EXPECT_FALSE(view(story).is_up());
  EXPECT_FALSE(view(story).has_provider());
  EXPECT_EQ(view(story).quorate(), std::nullopt);
  EXPECT_EQ(view(story).syncing(), std::nullopt);
  EXPECT_EQ(view(story).membership(), nullptr);
  EXPECT_EQ(view(story).member(id(1)), std::nullopt);
  EXPECT_EQ(view(story).votes(), nullptr);
  EXPECT_EQ(view(story).votes_of(id(1)), std::nullopt);
  EXPECT_EQ(view(story).qdevice_of(id(1)), nullptr);
  EXPECT_EQ(view(story).device_cast(), std::nullopt);
  EXPECT_EQ(view(story).waiting_for_all(), std::nullopt);
  EXPECT_TRUE(view(story).reachability().empty());
  EXPECT_TRUE(view(story).link_statistics().empty());
  EXPECT_EQ(view(story).totem(), nullptr);
}

TEST(ViewTest, TheNodeListSaysTheVotesOfANodeThatWasNotSeen) {
  EXPECT_EQ(view(two_of_three()).votes_of(id(2)), 1U);
  EXPECT_EQ(view(two_of_three()).votes_of(id(3)), 1U);
  EXPECT_EQ(view(two_of_three()).votes_of(id(4)), std::nullopt);
}

TEST(ViewTest, WhileTheNodeListCannotBeReadOnlyVotequorumSaysVotes) {
  const Story story =
      two_of_three().then(ReadingFailed{.source = Source::cmap, .failure = no_answer});
  EXPECT_EQ(view(story).votes_of(id(2)), 1U);
  EXPECT_EQ(view(story).votes_of(id(3)), std::nullopt);
}

TEST(ViewTest, WhileVotequorumCannotBeReadNobodySaysVotes) {
  const Story story =
      two_of_three().then(ReadingFailed{.source = Source::votequorum, .failure = no_answer});
  EXPECT_EQ(view(story).votes(), nullptr);
  EXPECT_EQ(view(story).votes_of(id(2)), std::nullopt);
  EXPECT_EQ(view(story).votes_of(id(3)), std::nullopt);
}

TEST(ViewTest, ADeviceCastsNoMoreThanThereAre) {
  Story story = two_of_three();
  Votes read = votes(2, ids({1, 2}));
  EXPECT_EQ(view(story).device_cast(), std::nullopt) << "there is none";
  read.qdevice = 3;
  read.nodes[id(1)].qdevice = Qdevice{.registered = true, .alive = true, .casting_vote = true};
  EXPECT_EQ(view(story.read(VotesRead{read})).device_cast(), 2U);
  read.nodes[id(1)].qdevice->casting_vote = false;
  EXPECT_EQ(view(story.read(VotesRead{read})).device_cast(), 0U);
}

TEST(ViewTest, MarginIsNegativeWhileTooFewVotesArePresent) {
  EXPECT_EQ(margin_of({.present = 3, .required = 2}), 1);
  EXPECT_EQ(margin_of({.present = 1, .required = 3}), -2);
}

TEST(ViewTest, ANodeThatWasTakenOutIsNoMemberAndNotMissed) {
  const ConfigurationRead both = configuration(
      {{id(1), {.name = "one", .configured = true}}, {id(2), {.name = "two", .configured = true}}});
  const ConfigurationRead without = configuration({{id(1), {.name = "one", .configured = true}},
                                                   {id(2), {.name = "two", .configured = false}}});
  Story story = three_quorate();
  story.read(both).node_list({.ring = ring(1, 12), .members = ids({1}), .left = ids({2})});
  EXPECT_EQ(member(story, id(1)), true);
  EXPECT_EQ(member(story, id(2)), false);

  story.read(without);
  EXPECT_EQ(member(story, id(2)), std::nullopt);
  EXPECT_EQ(story.state().nodes.at(id(2)).leaves, 1) << "should it come back";

  story.node_list({.ring = ring(1, 16), .members = ids({1, 2}), .joined = ids({2})});
  EXPECT_EQ(member(story, id(2)), true) << "corosync comes before its configuration";
}

TEST(ViewTest, WithoutANodeListEveryNodeThatWasSeenIsMissed) {
  Story story = three_quorate();
  story.node_list({.ring = ring(1, 12), .members = ids({1}), .left = ids({2})})
      .read(configuration({{id(1), {.name = "one", .configured = false}},
                           {id(2), {.name = "two", .configured = false}}}));
  EXPECT_EQ(member(story, id(2)), false);
}

}  // namespace
}  // namespace corosync_exporter
