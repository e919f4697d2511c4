// SPDX-License-Identifier: Apache-2.0
#include "model/cluster_state.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "print_model.h"
#include "story.h"

namespace corosync_exporter {
namespace {

using namespace std::chrono_literals;

const Failure refused = failure("quorum_model_initialize", "CS_ERR_ACCESS");
const Failure lost = failure("quorum_dispatch", "CS_ERR_LIBRARY");

Votes some_votes() {
  return {.expected = 3, .highest_expected = 4, .present = 5, .required = 2, .nodes = {}};
}

ConfigurationRead configuration(std::map<NodeId, NodeConfiguration> nodes) {
  return {.info = {.cluster_name = "c", .transport = "t", .provider = "p"},
          .nodes = std::move(nodes)};
}

// ---- The connection ----------------------------------------------------------------------------

TEST(ClusterStateTest, NothingIsKnownAtFirst) {
  const ClusterState state;
  EXPECT_FALSE(state.present);
  EXPECT_FALSE(state.info);
  EXPECT_FALSE(state.local_node);
  EXPECT_FALSE(state.disconnected_by);
  EXPECT_FALSE(is_synced(state));
  EXPECT_FALSE(is_silent(state, beginning.steady));
  EXPECT_FALSE(is_up(state, beginning.steady));
}

TEST(ClusterStateTest, IsSyncedOnceMembershipAndVerdictAreTold) {
  Story story;
  EXPECT_FALSE(is_synced(story.connect().state()));
  EXPECT_FALSE(is_synced(story.node_list({.ring = ring(1, 8), .members = ids({1})}).state()));
  EXPECT_TRUE(is_synced(story.verdict(false, ring(1, 8)).state()));
}

TEST(ClusterStateTest, IsSyncedWhicheverOfMembershipAndVerdictComesFirst) {
  Story story;
  EXPECT_FALSE(is_synced(story.connect().verdict(true, ring(1, 8)).state()));
  EXPECT_TRUE(is_synced(story.node_list({.ring = ring(1, 8), .members = ids({1})}).state()));
}

TEST(ClusterStateTest, WithoutAProviderTheNodeListSyncs) {
  Story story;
  EXPECT_FALSE(is_synced(story.connect(false).state()));
  EXPECT_TRUE(is_synced(story.node_list({.ring = ring(1, 8), .members = ids({1})}).state()));
}

TEST(ClusterStateTest, WithoutAProviderThereIsNeverAVerdict) {
  const ClusterState state = Story{}.connect(false).verdict(true, ring(0, 0)).state();
  EXPECT_FALSE(is_synced(state));
  EXPECT_FALSE(state.present->verdict);
  EXPECT_EQ(state.quorum, QuorumHistory{});
  EXPECT_EQ(state.notifications.quorum_quorum, 1U);
}

TEST(ClusterStateTest, CountsConnections) {
  EXPECT_EQ(Story{}.connect().disconnect().connect().state().connects, 2U);
}

TEST(ClusterStateTest, CountsFailedConnectionsByCallAndError) {
  const Failure other_error = failure(refused.call, "CS_ERR_LIBRARY");
  const Failure other_call = failure("quorum_trackstart", refused.error);
  const ClusterState state = Story{}
                                 .then(ConnectFailed{refused})
                                 .then(ConnectFailed{other_error})
                                 .then(ConnectFailed{refused})
                                 .then(ConnectFailed{other_call})
                                 .then(ConnectFailed{refused})
                                 .state();
  const decltype(state.connect_errors) expected{
      {{refused.call, refused.error}, 3U},
      {{other_error.call, other_error.error}, 1U},
      {{other_call.call, other_call.error}, 1U},
  };
  EXPECT_EQ(state.connect_errors, expected);
  EXPECT_EQ(state.connects, 0U);
}

TEST(ClusterStateTest, ALostConnectionIsNoFailureToConnect) {
  EXPECT_TRUE(three_quorate().disconnect().state().connect_errors.empty());
}

TEST(ClusterStateTest, KeepsTheReasonForBeingDisconnectedUntilConnected) {
  Story story;
  EXPECT_EQ(story.then(ConnectFailed{refused}).state().disconnected_by, refused);
  EXPECT_EQ(story.connect().state().disconnected_by, std::nullopt);
  EXPECT_EQ(story.disconnect().state().disconnected_by, lost);
  EXPECT_EQ(story.then(ConnectFailed{refused}).state().disconnected_by, refused);
}

TEST(ClusterStateTest, LosingCorosyncForgetsThePresent) {
  const ClusterState state = three_quorate().disconnect().state();
  EXPECT_FALSE(state.present);
  EXPECT_FALSE(is_synced(state));
}

TEST(ClusterStateTest, LosingCorosyncKeepsWhatTheExporterSaw) {
  Story story = three_quorate();
  story.read(configuration({{id(1), {.name = "one", .configured = true}}}))
      .read(LocalNodeRead{id(1)})
      .node_list({.ring = ring(1, 12), .members = ids({1}), .left = ids({2, 3})})
      .verdict(false, ring(1, 12))
      .verdict(true, ring(1, 12));
  const ClusterState before = story.state();
  const ClusterState after = story.disconnect().state();
  EXPECT_EQ(after.connects, before.connects);
  EXPECT_EQ(after.notifications, before.notifications);
  EXPECT_EQ(after.quorum, before.quorum);
  EXPECT_EQ(after.membership, before.membership);
  EXPECT_EQ(after.nodes, before.nodes);
  EXPECT_EQ(after.info, before.info);
  EXPECT_EQ(after.local_node, before.local_node);
}

TEST(ClusterStateTest, ANewConnectionKnowsNothingOfThePresentYet) {
  Story story = three_quorate();
  story.then(VotequorumQuorumNotified{ids({1, 2})}).read(VotesRead{some_votes()}).disconnect();
  story.wait(7s).connect();
  const Present expected{.has_provider = true, .last_word = story.now().steady};
  EXPECT_EQ(story.state().present, expected);
}

TEST(ClusterStateTest, StaleAfterIsASettingThatNoEventTouches) {
  const ClusterState state =
      Story{ClusterState{.stale_after = 7s}}.connect().disconnect().connect().state();
  EXPECT_EQ(state.stale_after, 7s);
}

// ---- Callbacks ---------------------------------------------------------------------------------

TEST(ClusterStateTest, CountsEachKindOfCallback) {
  Story story = Story{}.connect();
  const auto repeat = [&](int times, const Event& event) {
    for (int i = 0; i < times; ++i) {
      story.then(event);
    }
  };
  repeat(1, NodeListNotified{});
  repeat(2, QuorumNotified{});
  repeat(3, VotequorumNodeListNotified{});
  repeat(4, VotequorumQuorumNotified{});
  repeat(5, ExpectedVotesNotified{});
  const Notifications expected{.quorum_nodelist = 1,
                               .quorum_quorum = 2,
                               .votequorum_nodelist = 3,
                               .votequorum_quorum = 4,
                               .votequorum_expected_votes = 5};
  EXPECT_EQ(story.state().notifications, expected);
}

TEST(ClusterStateTest, AMembershipIsTheNewestNodeList) {
  const ClusterState state =
      three_quorate().node_list({.ring = ring(2, 12), .members = ids({2, 3})}).state();
  const Membership expected{.ring = ring(2, 12), .members = ids({2, 3})};
  EXPECT_EQ(state.present->membership, expected);
}

TEST(ClusterStateTest, AVerdictIsTheNewestWithItsRing) {
  const ClusterState state = three_quorate().verdict(false, ring(2, 12)).state();
  const Verdict expected{.quorate = false, .ring = ring(2, 12)};
  EXPECT_EQ(state.present->verdict, expected);
}

TEST(ClusterStateTest, VotersAreTheNewestList) {
  const ClusterState state = Story{}
                                 .connect()
                                 .then(VotequorumQuorumNotified{ids({2, 1})})
                                 .then(VotequorumQuorumNotified{ids({3, 4, 1})})
                                 .state();
  EXPECT_EQ(state.present->voters, ids({3, 4, 1}));
}

TEST(ClusterStateTest, LateWordsOfALostConnectionAreCountedAndOtherwiseIgnored) {
  Story story = three_quorate().disconnect();
  const ClusterState before = story.state();
  const ClusterState after =
      story.node_list({.ring = ring(3, 16), .members = ids({4}), .joined = ids({4})})
          .verdict(false, ring(3, 16))
          .then(VotequorumQuorumNotified{ids({5})})
          .read(VotesRead{some_votes()})
          .read(configuration({{id(6), {.name = "six", .configured = true}}}))
          .read(LocalNodeRead{id(7)})
          .then(ReadingFailed{.source = Source::cmap, .failure = lost})
          .state();
  EXPECT_EQ(after.present, std::nullopt);
  EXPECT_EQ(after.membership, before.membership);
  EXPECT_EQ(after.quorum, before.quorum);
  EXPECT_EQ(after.nodes, before.nodes);
  EXPECT_EQ(after.info, before.info);
  EXPECT_EQ(after.local_node, before.local_node);
  EXPECT_EQ(after.sources, before.sources);
  EXPECT_EQ(after.notifications.quorum_nodelist, before.notifications.quorum_nodelist + 1);
}

// ---- Silence -----------------------------------------------------------------------------------

struct WordCase {
  std::string name;
  Event event;
  bool is_a_word;
};
void PrintTo(const WordCase& word, std::ostream* out) { *out << word.name; }

class WordTest : public ::testing::TestWithParam<WordCase> {};

TEST_P(WordTest, OnlyWhatCorosyncSaysEndsItsSilence) {
  Story story = three_quorate().wait(20s);
  ASSERT_TRUE(is_silent(story.state(), story.now().steady));
  EXPECT_EQ(is_silent(story.then(GetParam().event).state(), story.now().steady),
            !GetParam().is_a_word);
}

INSTANTIATE_TEST_SUITE_P(
    Events, WordTest,
    ::testing::Values(WordCase{"node_list", NodeListNotified{.ring = ring(1, 8)}, true},
                      WordCase{"quorum", QuorumNotified{}, true},
                      WordCase{"votequorum_node_list", VotequorumNodeListNotified{}, true},
                      WordCase{"votequorum_quorum", VotequorumQuorumNotified{}, true},
                      WordCase{"expected_votes", ExpectedVotesNotified{}, true},
                      WordCase{"votes_read", VotesRead{}, true},
                      WordCase{"configuration_read", ConfigurationRead{}, true},
                      WordCase{"local_node_read", LocalNodeRead{}, true},
                      WordCase{"reachability_read", ReachabilityRead{}, true},
                      WordCase{"link_statistics_read", LinkStatisticsRead{}, true},
                      WordCase{"totem_read", TotemRead{}, true},
                      WordCase{"reading_refused", ReadingFailed{.failure = refused}, true},
                      WordCase{"reading_failed", ReadingFailed{.failure = lost}, false},
                      WordCase{"reading_interrupted", ReadingInterrupted{}, false},
                      WordCase{"call_cancelled", CallCancelled{.call = "cmap_get"}, false},
                      WordCase{"answered", Answered{.at = beginning.steady + 20s}, true},
                      WordCase{"answered_long_ago", Answered{.at = beginning.steady}, false}),
    [](const auto& row) { return row.param.name; });

TEST(ClusterStateTest, WithoutAProviderAVerdictIsStillAWord) {
  Story story = Story{}.connect(false).wait(20s).verdict(true, ring(0, 0));
  EXPECT_FALSE(is_silent(story.state(), story.now().steady));
}

TEST(ClusterStateTest, IsSilentAndDownOnlyAfterMoreThanStaleAfter) {
  Story story{ClusterState{.stale_after = 15s}};
  story.connect().node_list({.ring = ring(1, 8)}).verdict(true, ring(1, 8));
  const SteadyTime last_word = story.now().steady;
  EXPECT_FALSE(is_silent(story.state(), last_word + 15s));
  EXPECT_TRUE(is_up(story.state(), last_word + 15s));
  EXPECT_TRUE(is_silent(story.state(), last_word + 15s + 1ns));
  EXPECT_FALSE(is_up(story.state(), last_word + 15s + 1ns));
}

TEST(ClusterStateTest, ConnectingIsAWord) {
  const Story story = Story{}.connect();
  EXPECT_FALSE(is_silent(story.state(), story.now().steady + 15s));
  EXPECT_TRUE(is_silent(story.state(), story.now().steady + 15s + 1ns));
}

TEST(ClusterStateTest, NobodyIsSilentWhoIsNotConnected) {
  const Story story = three_quorate().disconnect();
  EXPECT_FALSE(is_silent(story.state(), story.now().steady + 1h));
  EXPECT_EQ(silence(story.state(), story.now().steady), std::nullopt);
}

TEST(ClusterStateTest, SilenceIsTheTimeSinceTheLastWord) {
  Story story = three_quorate().wait(20s);
  EXPECT_EQ(silence(story.state(), story.now().steady), 20s);
  story.then(Answered{.at = story.now().steady - 3s});
  EXPECT_EQ(silence(story.state(), story.now().steady), 3s);
  story.then(Answered{.at = story.now().steady - 7s});
  EXPECT_EQ(silence(story.state(), story.now().steady), 3s) << "an older word comes late";
  EXPECT_EQ(silence(story.state(), story.now().steady - 10s), 0s) << "never negative";
}

TEST(ClusterStateTest, CallsThatWereTakenBackAreCounted) {
  const ClusterState state = three_quorate()
                                 .then(CallCancelled{.call = "cmap_get"})
                                 .then(CallCancelled{.call = "votequorum_getinfo"})
                                 .then(CallCancelled{.call = "cmap_get"})
                                 .disconnect()
                                 .state();
  const decltype(state.cancelled_calls) expected{{"cmap_get", 2}, {"votequorum_getinfo", 1}};
  EXPECT_EQ(state.cancelled_calls, expected);
}

// ---- Quorum ------------------------------------------------------------------------------------

TEST(ClusterStateTest, TheFirstVerdictIsNoChange) {
  EXPECT_EQ(three_quorate().state().quorum.changes, 0U);
  EXPECT_EQ(three_quorate().state().quorum.last_change, std::nullopt);
  EXPECT_EQ(Story{}.connect().verdict(false, ring(1, 8)).state().quorum.losses, 0U);
}

TEST(ClusterStateTest, AVerdictWithoutAChangeIsNoChange) {
  const ClusterState state =
      three_quorate().verdict(true, ring(1, 12)).verdict(true, ring(1, 16)).state();
  EXPECT_EQ(state.quorum.changes, 0U);
}

TEST(ClusterStateTest, CountsFlipsEitherWayAndLossesOneWay) {
  Story story = three_quorate();
  story.verdict(false, ring(1, 8)).verdict(true, ring(1, 8)).verdict(false, ring(1, 8));
  EXPECT_EQ(story.state().quorum.changes, 3U);
  EXPECT_EQ(story.state().quorum.losses, 2U);
}

TEST(ClusterStateTest, AFlipIsStampedWithTheSystemTime) {
  Story story = three_quorate();
  story.wait(3s).verdict(false, ring(1, 8)).wait(4s).verdict(false, ring(1, 12));
  EXPECT_EQ(story.state().quorum.last_change, beginning.system + 3s);
}

TEST(ClusterStateTest, TimeWithoutQuorumGrowsWhileItLasts) {
  Story story = three_quorate().wait(1s);
  story.verdict(false, ring(1, 8));
  const SteadyTime start = story.now().steady;
  EXPECT_EQ(time_without_quorum(story.state(), start), 0s);
  EXPECT_EQ(time_without_quorum(story.state(), start + 2500ms), 2500ms);
  EXPECT_EQ(time_without_quorum(story.state(), start + 15s), 15s);
}

TEST(ClusterStateTest, TimeWithoutQuorumStopsWithTheLoss) {
  Story story = three_quorate();
  story.verdict(false, ring(1, 8)).wait(40ms).verdict(true, ring(1, 8));
  EXPECT_EQ(time_without_quorum(story.state(), story.now().steady + 1h), 40ms);
}

TEST(ClusterStateTest, TimeWithoutQuorumAddsUp) {
  Story story = three_quorate();
  story.verdict(false, ring(1, 8)).wait(1s).verdict(true, ring(1, 8)).wait(10s);
  story.verdict(false, ring(1, 8)).wait(2s);
  EXPECT_EQ(time_without_quorum(story.state(), story.now().steady), 3s);
}

TEST(ClusterStateTest, AnotherVerdictOfNoQuorumDoesNotStartTheTimeAnew) {
  Story story = three_quorate();
  story.verdict(false, ring(1, 8)).wait(1s).verdict(false, ring(1, 12)).wait(1s);
  EXPECT_EQ(time_without_quorum(story.state(), story.now().steady), 2s);
}

TEST(ClusterStateTest, TimeWithoutQuorumRunsFromTheFirstVerdict) {
  const Story story = Story{}.connect().verdict(false, ring(1, 8));
  EXPECT_EQ(time_without_quorum(story.state(), story.now().steady + 5s), 5s);
}

TEST(ClusterStateTest, TimeWithoutQuorumIsNotInventedWhileDisconnected) {
  Story story = three_quorate();
  story.verdict(false, ring(1, 8)).wait(1s).disconnect().wait(1min);
  EXPECT_EQ(time_without_quorum(story.state(), story.now().steady), 1s);
  story.connect().wait(1min);
  EXPECT_EQ(time_without_quorum(story.state(), story.now().steady), 1s);
  story.verdict(false, ring(1, 8)).wait(2s);
  EXPECT_EQ(time_without_quorum(story.state(), story.now().steady), 3s);
}

TEST(ClusterStateTest, TimeWithoutQuorumDoesNotGrowInSilence) {
  Story story = three_quorate();
  story.verdict(false, ring(1, 8)).wait(1s).then(ExpectedVotesNotified{}).wait(1h);
  EXPECT_EQ(time_without_quorum(story.state(), story.now().steady), 16s);
}

TEST(ClusterStateTest, TimeWithoutQuorumMakesUpForASilenceThatIsOver) {
  Story story = three_quorate();
  story.verdict(false, ring(1, 8)).wait(1min).then(ExpectedVotesNotified{});
  EXPECT_EQ(time_without_quorum(story.state(), story.now().steady), 1min);
  story.wait(1min).verdict(true, ring(1, 8));
  EXPECT_EQ(time_without_quorum(story.state(), story.now().steady), 2min);
}

TEST(ClusterStateTest, ASilenceThatEndsInDisconnectionIsNotMadeUpFor) {
  Story story = three_quorate();
  story.verdict(false, ring(1, 8)).wait(1min).disconnect().wait(1min);
  EXPECT_EQ(time_without_quorum(story.state(), story.now().steady), 15s);
}

TEST(ClusterStateTest, TheLastLossLastsAcrossConnections) {
  Story story = three_quorate();
  story.verdict(false, ring(1, 8)).wait(1s).verdict(true, ring(1, 8));
  story.verdict(false, ring(1, 8)).wait(2s).disconnect().wait(1h).connect();
  story.verdict(false, ring(1, 8)).wait(3s).verdict(true, ring(1, 8));
  EXPECT_EQ(story.state().quorum.last_loss, 5s);
  EXPECT_EQ(story.state().quorum.lost, 6s);
}

TEST(ClusterStateTest, OnReconnectionAVerdictThatDiffersIsOneChange) {
  Story story = three_quorate();
  story.disconnect().wait(1min).connect().verdict(false, ring(1, 20));
  EXPECT_EQ(story.state().quorum.changes, 1U);
  EXPECT_EQ(story.state().quorum.losses, 1U);
  EXPECT_EQ(story.state().quorum.last_change, story.now().system);
}

TEST(ClusterStateTest, OnReconnectionTheSameVerdictIsNoChange) {
  const Story story = three_quorate().disconnect().connect().verdict(true, ring(1, 20));
  EXPECT_EQ(story.state().quorum.changes, 0U);
}

TEST(ClusterStateTest, WithoutAProviderMeanwhileVerdictsAreComparedAcross) {
  Story story = three_quorate();
  story.disconnect().connect(false).verdict(true, ring(0, 0)).disconnect();
  EXPECT_EQ(story.connect().verdict(false, ring(1, 8)).state().quorum.changes, 1U);
}

// ---- Membership --------------------------------------------------------------------------------

TEST(ClusterStateTest, TheFirstRingIsNoChange) {
  EXPECT_EQ(three_quorate().state().membership.changes, 0U);
  EXPECT_EQ(three_quorate().state().membership.last_change, std::nullopt);
}

TEST(ClusterStateTest, ANodeListOfTheSameRingIsNoChange) {
  const ClusterState state =
      three_quorate().node_list({.ring = ring(1, 8), .members = ids({1, 2, 3})}).state();
  EXPECT_EQ(state.membership.changes, 0U);
}

struct RingCase {
  std::string name;
  RingId ring;
};
void PrintTo(const RingCase& row, std::ostream* out) { *out << row.name; }

class RingTest : public ::testing::TestWithParam<RingCase> {};

TEST_P(RingTest, EitherHalfMakesAnotherRing) {
  Story story = three_quorate().wait(3s);
  story.node_list({.ring = GetParam().ring, .members = ids({1, 2, 3})});
  EXPECT_EQ(story.state().membership.changes, 1U);
  EXPECT_EQ(story.state().membership.last_change, beginning.system + 3s);
}

INSTANTIATE_TEST_SUITE_P(Rings, RingTest,
                         ::testing::Values(RingCase{"sequence", ring(1, 12)},
                                           RingCase{"leader", ring(2, 8)},
                                           RingCase{"both", ring(2, 12)}),
                         [](const auto& row) { return row.param.name; });

TEST(ClusterStateTest, AVerdictsRingIsNoMembershipChange) {
  EXPECT_EQ(three_quorate().verdict(true, ring(2, 12)).state().membership.changes, 0U);
}

TEST(ClusterStateTest, OnReconnectionARingThatDiffersIsOneChange) {
  Story story = three_quorate();
  story.disconnect().wait(1min).connect().node_list({.ring = ring(1, 40)});
  EXPECT_EQ(story.state().membership.changes, 1U);
  EXPECT_EQ(story.state().membership.last_change, story.now().system);
}

TEST(ClusterStateTest, OnReconnectionTheSameRingIsNoChange) {
  const Story story = three_quorate().disconnect().connect().node_list({.ring = ring(1, 8)});
  EXPECT_EQ(story.state().membership.changes, 0U);
}

TEST(ClusterStateTest, JoinsAndLeavesAreCountedAsTheNodeListSays) {
  const ClusterState state =
      three_quorate()
          .node_list({.ring = ring(1, 12), .members = ids({1}), .left = ids({2, 3})})
          .node_list({.ring = ring(1, 16), .members = ids({1, 3}), .joined = ids({3})})
          .node_list({.ring = ring(1, 20), .members = ids({1}), .left = ids({3})})
          .state();
  EXPECT_EQ(state.nodes.at(id(1)).joins, 0U);
  EXPECT_EQ(state.nodes.at(id(1)).leaves, 0U);
  EXPECT_EQ(state.nodes.at(id(2)).joins, 0U);
  EXPECT_EQ(state.nodes.at(id(2)).leaves, 1U);
  EXPECT_EQ(state.nodes.at(id(3)).joins, 1U);
  EXPECT_EQ(state.nodes.at(id(3)).leaves, 2U);
}

TEST(ClusterStateTest, ANodeThatCameBackUnmissedLeftAndJoined) {
  const ClusterState state = three_quorate()
                                 .node_list({.ring = ring(1, 12),
                                             .members = ids({1, 2, 3}),
                                             .joined = ids({2}),
                                             .left = ids({2})})
                                 .state();
  EXPECT_EQ(state.nodes.at(id(2)).joins, 1U);
  EXPECT_EQ(state.nodes.at(id(2)).leaves, 1U);
}

TEST(ClusterStateTest, EveryCallbackThatNamesANodeShowsIt) {
  const ClusterState state =
      Story{}
          .connect()
          .node_list(
              {.ring = ring(1, 8), .members = ids({1}), .joined = ids({2}), .left = ids({3})})
          .then(VotequorumQuorumNotified{ids({4})})
          .state();
  for (const NodeId node : ids({1, 2, 3, 4})) {
    EXPECT_TRUE(state.nodes.at(node).seen) << ::testing::PrintToString(node);
  }
}

// ---- Readings ----------------------------------------------------------------------------------

TEST(ClusterStateTest, ReadVotesBelongToThePresent) {
  EXPECT_EQ(three_quorate().read(VotesRead{some_votes()}).state().present->votes, some_votes());
}

TEST(ClusterStateTest, ANodeHasNoNameBeforeTheConfigurationIsRead) {
  EXPECT_EQ(three_quorate().state().nodes.at(id(2)).name, std::nullopt);
}

TEST(ClusterStateTest, AReadingNamesTheNodesThatItWasAskedAbout) {
  const ClusterState state =
      three_quorate()
          .read(configuration({{id(2), {.name = "two", .configured = true, .votes = 7}},
                               {id(3), {.name = "10.0.0.3", .configured = false}}}))
          .state();
  const Node two{.name = "two", .configured = true, .seen = true, .configured_votes = 7};
  EXPECT_EQ(state.nodes.at(id(1)).name, std::nullopt);
  EXPECT_EQ(state.nodes.at(id(2)), two);
  EXPECT_EQ(state.nodes.at(id(3)).name, "10.0.0.3");
  EXPECT_FALSE(state.nodes.at(id(3)).configured);
}

TEST(ClusterStateTest, AConfiguredNodeIsKnownUnseen) {
  const ClusterState state =
      three_quorate().read(configuration({{id(9), {.name = "nine", .configured = true}}})).state();
  EXPECT_FALSE(state.nodes.at(id(9)).seen);
  EXPECT_TRUE(state.nodes.at(id(9)).configured);
}

TEST(ClusterStateTest, ARenamedNodeTakesItsNewName) {
  const ClusterState state =
      three_quorate()
          .read(configuration({{id(2), {.name = "old", .configured = true}}}))
          .read(configuration({{id(2), {.name = "new", .configured = true}}}))
          .state();
  EXPECT_EQ(state.nodes.at(id(2)).name, "new");
}

TEST(ClusterStateTest, ASeenNodeTakenOutOfTheConfigurationKeepsItsName) {
  const ClusterState state =
      three_quorate()
          .read(configuration({{id(2), {.name = "two", .configured = true}}}))
          .read(configuration({{id(2), {.name = "10.0.0.2", .configured = false}}}))
          .state();
  EXPECT_EQ(state.nodes.at(id(2)).name, "two");
  EXPECT_FALSE(state.nodes.at(id(2)).configured);
}

TEST(ClusterStateTest, AnUnseenNodeTakenOutOfTheConfigurationIsForgotten) {
  Story story = three_quorate();
  story.read(configuration({{id(9), {.name = "nine", .configured = true}}}));
  EXPECT_FALSE(story.read(configuration({})).state().nodes.contains(id(9)));
}

TEST(ClusterStateTest, TheClusterIsAsLastRead) {
  const ClusterState state = three_quorate().read(configuration({})).state();
  const ClusterInfo expected{.cluster_name = "c", .transport = "t", .provider = "p"};
  EXPECT_EQ(state.info, expected);
}

TEST(ClusterStateTest, WaitingForAllIsAsLastRead) {
  Story story = three_quorate();
  EXPECT_TRUE(
      story.read(ConfigurationRead{.waiting_for_all = true}).state().present->waiting_for_all);
  EXPECT_FALSE(
      story.read(ConfigurationRead{.waiting_for_all = false}).state().present->waiting_for_all);
}

TEST(ClusterStateTest, TheLocalNodeIsAsLastRead) {
  EXPECT_EQ(three_quorate().read(LocalNodeRead{id(3)}).state().local_node, id(3));
}

TEST(ClusterStateTest, LinksAndTotemBelongToThePresent) {
  const std::map<NodeId, Reachability> reachability{
      {id(2), {.reachable = true, .links = {{0, {.enabled = true, .mtu_bytes = 1397}}}}}};
  const std::map<LinkId, LinkStatistics> links{{{id(2), 0}, {.downs = 3, .ups = 4}}};
  const Totem totem{.retransmits = 7};
  Story story = three_quorate();
  story.read(ReachabilityRead{reachability}).read(LinkStatisticsRead{links}).read(TotemRead{totem});
  EXPECT_EQ(story.state().present->reachability, reachability);
  EXPECT_EQ(story.state().present->link_statistics, links);
  EXPECT_EQ(story.state().present->totem, totem);
}

TEST(ClusterStateTest, WithoutAProviderVotequorumIsNoSource) {
  Story story = three_quorate();
  story.read(VotesRead{}).read(LocalNodeRead{}).disconnect().connect(false);
  EXPECT_FALSE(story.state().sources.contains(Source::votequorum));
  EXPECT_TRUE(story.state().sources.contains(Source::cfg));
}

TEST(ClusterStateTest, IsSyncingFromTheNodeListToTheVerdict) {
  Story story = three_quorate();
  EXPECT_FALSE(is_syncing(story.state()));
  EXPECT_TRUE(is_syncing(story.node_list({.ring = ring(1, 12)}).state()));
  EXPECT_FALSE(is_syncing(story.verdict(true, ring(1, 12)).state()));
  EXPECT_FALSE(is_syncing(Story{}.connect().node_list({.ring = ring(1, 8)}).state()));
  EXPECT_FALSE(is_syncing(Story{}.connect(false).node_list({.ring = ring(1, 8)}).state()));
}

struct SourceCase {
  std::string name;
  Source source;
  Event success;
};
void PrintTo(const SourceCase& row, std::ostream* out) { *out << row.name; }

class SourceTest : public ::testing::TestWithParam<SourceCase> {};

TEST_P(SourceTest, IsUnheardOfUntilItIsTried) {
  EXPECT_TRUE(three_quorate().state().sources.empty());
  EXPECT_FALSE(is_current(three_quorate().state(), GetParam().source, beginning.steady));
}

TEST_P(SourceTest, IsNotReadBeforeAllOfItIs) {
  EXPECT_TRUE(three_quorate().then(GetParam().success).state().sources.empty());
}

TEST_P(SourceTest, IsUpOnceRead) {
  const ClusterState state = three_quorate().wait(2s).read(GetParam().success).state();
  const std::map<Source, SourceStatus> expected{
      {GetParam().source, {.up = true, .last_success = beginning.steady + 2s}}};
  EXPECT_EQ(state.sources, expected);
}

TEST_P(SourceTest, IsCurrentForStaleAfter) {
  const ClusterState state = three_quorate().read(GetParam().success).state();
  EXPECT_TRUE(is_current(state, GetParam().source, beginning.steady + 15s));
  EXPECT_FALSE(is_current(state, GetParam().source, beginning.steady + 15s + 1ns));
}

TEST_P(SourceTest, IsDownAfterAFailureAndRemembersItsLastSuccess) {
  Story story = three_quorate();
  story.read(GetParam().success).wait(3s);
  const ClusterState state =
      story.then(ReadingFailed{.source = GetParam().source, .failure = lost}).state();
  const SourceStatus expected{.up = false, .last_success = beginning.steady, .failure = lost};
  EXPECT_EQ(state.sources.at(GetParam().source), expected);
  EXPECT_FALSE(is_current(state, GetParam().source, story.now().steady));
}

TEST_P(SourceTest, ThatNeverSucceededHasNoSuccess) {
  const ClusterState state =
      three_quorate().then(ReadingFailed{.source = GetParam().source, .failure = lost}).state();
  const SourceStatus expected{.up = false, .last_success = std::nullopt, .failure = lost};
  EXPECT_EQ(state.sources.at(GetParam().source), expected);
}

TEST_P(SourceTest, AnInterruptionTakesNothingAway) {
  Story story = three_quorate();
  story.read(GetParam().success).wait(3s);
  const Present before = *story.state().present;
  story.then(ReadingInterrupted{.source = GetParam().source});
  const SourceStatus expected{.up = true, .last_success = beginning.steady, .interrupted = true};
  EXPECT_EQ(story.state().sources.at(GetParam().source), expected);
  EXPECT_EQ(*story.state().present, before);
  EXPECT_TRUE(is_current(story.state(), GetParam().source, story.now().steady));
  EXPECT_FALSE(is_current(story.state(), GetParam().source, beginning.steady + 15s + 1ns));
  EXPECT_FALSE(story.read(GetParam().success).state().sources.at(GetParam().source).interrupted);
}

TEST_P(SourceTest, AnInterruptionLeavesTheFailureThatCameBefore) {
  const ClusterState state = three_quorate()
                                 .then(ReadingFailed{.source = GetParam().source, .failure = lost})
                                 .then(ReadingInterrupted{.source = GetParam().source})
                                 .state();
  const SourceStatus expected{.up = false, .failure = lost, .interrupted = true};
  EXPECT_EQ(state.sources.at(GetParam().source), expected);
}

TEST_P(SourceTest, IsUpAgainAfterTheNextSuccess) {
  const ClusterState state = three_quorate()
                                 .then(ReadingFailed{.source = GetParam().source, .failure = lost})
                                 .wait(1s)
                                 .read(GetParam().success)
                                 .state();
  const SourceStatus expected{.up = true, .last_success = beginning.steady + 1s};
  EXPECT_EQ(state.sources.at(GetParam().source), expected);
}

TEST_P(SourceTest, GoesDownWithTheConnectionWithoutHavingFailed) {
  const ClusterState state = three_quorate().read(GetParam().success).disconnect().state();
  const SourceStatus expected{.up = false, .last_success = beginning.steady};
  EXPECT_EQ(state.sources.at(GetParam().source), expected);
}

TEST(ClusterStateTest, AFailedReadingForgetsWhatWasReadOfItsSourceAndNothingElse) {
  Story story = three_quorate();
  story.read(VotesRead{.votes = {.expected = 3}})
      .read(ReachabilityRead{.nodes = {{id(2), {.reachable = true}}}})
      .read(LinkStatisticsRead{.links = {{{id(2), 0}, {.downs = 1}}}})
      .read(TotemRead{.totem = {.retransmits = 1}});
  const Present before = *story.state().present;
  const auto after = [&](Source source) {
    Story copy = story;
    return *copy.then(ReadingFailed{.source = source, .failure = lost}).state().present;
  };
  Present expected = before;
  expected.votes.reset();
  EXPECT_EQ(after(Source::votequorum), expected);
  expected = before;
  expected.link_statistics.clear();
  expected.totem.reset();
  EXPECT_EQ(after(Source::cmap), expected);
  expected = before;
  expected.reachability.clear();
  EXPECT_EQ(after(Source::cfg), expected);
}

INSTANTIATE_TEST_SUITE_P(
    Sources, SourceTest,
    ::testing::Values(SourceCase{"votequorum", Source::votequorum, VotesRead{}},
                      SourceCase{"cmap", Source::cmap, ConfigurationRead{}},
                      SourceCase{"cmap_links", Source::cmap, LinkStatisticsRead{}},
                      SourceCase{"cmap_totem", Source::cmap, TotemRead{}},
                      SourceCase{"cfg", Source::cfg, LocalNodeRead{}},
                      SourceCase{"cfg_links", Source::cfg, ReachabilityRead{}}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace corosync_exporter
