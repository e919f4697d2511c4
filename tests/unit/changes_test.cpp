// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "model/apply.h"
#include "print_model.h"
#include "story.h"

namespace corosync_exporter {
namespace {

using namespace std::chrono_literals;

const Failure refused = failure("quorum_model_initialize", "CS_ERR_ACCESS");
const Failure lost = failure("quorum_dispatch", "CS_ERR_LIBRARY");

// What there is to tell of one event after a story.
std::vector<Change> changes_of(const Story& before, const Event& event, Duration later = 1ms) {
  Story now = before;
  now.wait(later);
  ClusterState state = now.state();
  return apply(state, event, now.now());
}

Story connected() {
  return Story{}.connect().node_list({.ring = ring(1, 8), .members = ids({1, 2, 3})});
}

using Changes = std::vector<Change>;

TEST(ChangesTest, ConnectedIsToldOnceSynced) {
  EXPECT_EQ(changes_of(Story{}, Connected{.has_provider = true}), Changes{});
  EXPECT_EQ(changes_of(connected(), QuorumNotified{.quorate = true, .ring = ring(1, 8)}),
            Changes{{.kind = ChangeKind::connected}});
}

TEST(ChangesTest, WithoutAProviderConnectedIsToldWithTheNodeList) {
  EXPECT_EQ(changes_of(Story{}.connect(false), NodeListNotified{.ring = ring(1, 8)}),
            Changes{{.kind = ChangeKind::connected}});
}

TEST(ChangesTest, AFailureToConnectIsToldOnceForEachReason) {
  Story story;
  const Changes told{{.kind = ChangeKind::connection_failed, .failure = refused}};
  EXPECT_EQ(changes_of(story, ConnectFailed{refused}), told);
  EXPECT_EQ(changes_of(story.then(ConnectFailed{refused}), ConnectFailed{refused}), Changes{});
  const Changes other{{.kind = ChangeKind::connection_failed, .failure = lost}};
  EXPECT_EQ(changes_of(story, ConnectFailed{lost}), other);
}

TEST(ChangesTest, ALostConnectionIsToldWithItsReason) {
  const Changes told{{.kind = ChangeKind::disconnected, .failure = lost}};
  EXPECT_EQ(changes_of(three_quorate(), Disconnected{lost}), told);
}

TEST(ChangesTest, AConnectionLostBeforeItWasSyncedFailed) {
  const Changes told{{.kind = ChangeKind::connection_failed, .failure = lost}};
  EXPECT_EQ(changes_of(connected(), Disconnected{lost}), told);
}

TEST(ChangesTest, ReconnectingForTheReasonThatWasToldIsSilent) {
  EXPECT_EQ(changes_of(three_quorate().disconnect(), ConnectFailed{lost}), Changes{});
}

TEST(ChangesTest, SilenceIsAChangeThatTimeAloneMakes) {
  const Story story = three_quorate();
  const SteadyTime then = story.now().steady;
  ClusterState state = story.state();
  EXPECT_EQ(fall_silent(state, then + 15s), std::nullopt);
  EXPECT_EQ(fall_silent(state, then + 16s), Change{.kind = ChangeKind::fell_silent});
  EXPECT_EQ(fall_silent(state, then + 17s), std::nullopt);
}

TEST(ChangesTest, AWordAfterSilenceIsAnAnswer) {
  EXPECT_EQ(changes_of(three_quorate().wait(16s), ExpectedVotesNotified{}),
            Changes{{.kind = ChangeKind::answers_again}});
}

// The moment has passed, but nobody has told of it.
TEST(ChangesTest, AWordThatForestallsTheTellingOfSilenceIsNoAnswer) {
  const Story story = three_quorate();
  ClusterState state = story.state();
  const Moment later{.steady = story.now().steady + 16s, .system = story.now().system + 16s};
  EXPECT_EQ(apply(state, ExpectedVotesNotified{}, later), Changes{});
  EXPECT_EQ(fall_silent(state, later.steady), std::nullopt);
}

TEST(ChangesTest, AnOldWordThatComesLateDoesNotEndSilence) {
  Story story = three_quorate().wait(16s);
  EXPECT_EQ(changes_of(story, Answered{story.now().steady - 16s}), Changes{});
  EXPECT_EQ(changes_of(story, Answered{story.now().steady - 15500ms}), Changes{});
  EXPECT_EQ(changes_of(story, Answered{story.now().steady - 1s}),
            Changes{{.kind = ChangeKind::answers_again}});
}

TEST(ChangesTest, AConnectionThatWasSilentBeforeItSyncedIsToldFirst) {
  EXPECT_EQ(changes_of(connected().wait(16s), QuorumNotified{.quorate = true, .ring = ring(1, 8)}),
            (Changes{{.kind = ChangeKind::connected}, {.kind = ChangeKind::answers_again}}));
}

TEST(ChangesTest, TheEndOfASilentConnectionIsNoAnswer) {
  const Changes told{{.kind = ChangeKind::disconnected, .failure = lost}};
  EXPECT_EQ(changes_of(three_quorate().wait(16s), Disconnected{lost}), told);
}

TEST(ChangesTest, LeavingIsToldBeforeJoining) {
  const NodeListNotified event{
      .ring = ring(1, 12), .members = ids({1, 3, 4}), .joined = ids({4, 3}), .left = ids({2, 3})};
  const Changes told{{.kind = ChangeKind::nodes_left, .nodes = ids({2, 3})},
                     {.kind = ChangeKind::nodes_joined, .nodes = ids({3, 4})}};
  EXPECT_EQ(changes_of(three_quorate(), event), told);
}

TEST(ChangesTest, TheFirstNodeListTellsOfNobody) {
  EXPECT_EQ(changes_of(Story{}.connect(), NodeListNotified{.members = ids({1, 2})}), Changes{});
}

TEST(ChangesTest, ALossIsTold) {
  EXPECT_EQ(changes_of(three_quorate(), QuorumNotified{.quorate = false, .ring = ring(1, 12)}),
            Changes{{.kind = ChangeKind::quorum_lost}});
}

TEST(ChangesTest, ARegainIsToldWithHowLongItLasted) {
  Story story = three_quorate();
  story.verdict(false, ring(1, 12)).wait(2s).verdict(true, ring(1, 16));
  story.verdict(false, ring(1, 20));
  EXPECT_EQ(changes_of(story, QuorumNotified{.quorate = true, .ring = ring(1, 24)}, 70ms),
            (Changes{{.kind = ChangeKind::quorum_regained, .lasted = 70ms}}));
}

TEST(ChangesTest, ARegainAfterReconnectionLastedForAsLongAsWasSeen) {
  Story story = three_quorate();
  story.verdict(false, ring(1, 12)).wait(2s).disconnect().wait(1h).connect();
  story.node_list({.ring = ring(1, 12), .members = ids({1, 2, 3})}).verdict(false, ring(1, 12));
  EXPECT_EQ(changes_of(story, QuorumNotified{.quorate = true, .ring = ring(1, 12)}, 1s),
            (Changes{{.kind = ChangeKind::quorum_regained, .lasted = 3s}}));
}

TEST(ChangesTest, AVerdictThatChangesNothingIsNotTold) {
  EXPECT_EQ(changes_of(three_quorate(), QuorumNotified{.quorate = true, .ring = ring(1, 12)}),
            Changes{});
}

TEST(ChangesTest, AVerdictThatDiffersAfterReconnectionIsTold) {
  Story story = three_quorate().disconnect().connect();
  story.node_list({.ring = ring(1, 20), .members = ids({1})});
  EXPECT_EQ(changes_of(story, QuorumNotified{.quorate = false, .ring = ring(1, 20)}),
            (Changes{{.kind = ChangeKind::connected}, {.kind = ChangeKind::quorum_lost}}));
}

TEST(ChangesTest, AFailedReadingIsToldOnceUntilItRecovers) {
  const ReadingFailed failed{.source = Source::cmap, .failure = lost};
  Story story = three_quorate();
  const Changes told{{.kind = ChangeKind::source_failed, .source = Source::cmap, .failure = lost}};
  EXPECT_EQ(changes_of(story, failed), told);
  story.then(failed);
  EXPECT_EQ(changes_of(story, failed), Changes{});
  EXPECT_EQ(changes_of(story, ReadingFailed{.source = Source::cmap, .failure = refused}),
            Changes{});
  EXPECT_EQ(changes_of(story, SourceRead{Source::cmap}),
            (Changes{{.kind = ChangeKind::source_recovered, .source = Source::cmap}}));
}

TEST(ChangesTest, APartOfASourceIsNoRecovery) {
  Story story = three_quorate();
  story.then(ReadingFailed{.source = Source::cmap, .failure = lost});
  EXPECT_EQ(changes_of(story, ConfigurationRead{}), Changes{});
}

TEST(ChangesTest, ASuccessfulReadingIsNotTold) {
  EXPECT_EQ(changes_of(three_quorate(), SourceRead{Source::cfg}), Changes{});
}

TEST(ChangesTest, OneSourceDoesNotRecoverForAnother) {
  Story story = three_quorate();
  story.then(ReadingFailed{.source = Source::cmap, .failure = lost});
  EXPECT_EQ(changes_of(story, SourceRead{Source::cfg}), Changes{});
}

TEST(ChangesTest, ALostConnectionDoesNotTellOfItsReadings) {
  Story story = three_quorate();
  story.then(ReadingFailed{.source = Source::cmap, .failure = lost}).disconnect();
  story.connect();
  EXPECT_EQ(changes_of(story, SourceRead{Source::cmap}), Changes{});
}

// ---- What readings tell ------------------------------------------------------------------------

ReachabilityRead links_to_2(bool first, bool second) {
  return {{{id(2),
            {.reachable = first || second,
             .links = {{0, {.enabled = true, .connected = first}},
                       {1, {.enabled = true, .connected = second}}}}}}};
}

TEST(ChangesTest, ALinkThatGoesDownOrComesUpIsTold) {
  Story story = three_quorate().then(links_to_2(true, false));
  EXPECT_EQ(changes_of(story, links_to_2(false, true)),
            (Changes{{.kind = ChangeKind::links_down, .links = {{id(2), 0}}},
                     {.kind = ChangeKind::links_up, .links = {{id(2), 1}}}}));
  EXPECT_EQ(changes_of(story, links_to_2(true, false)), Changes{});
}

TEST(ChangesTest, TheFirstReadingOfALinkIsNoChange) {
  EXPECT_EQ(changes_of(three_quorate(), links_to_2(false, true)), Changes{});
  EXPECT_EQ(
      changes_of(three_quorate().then(ReachabilityRead{{{id(2), {}}}}), links_to_2(false, true)),
      Changes{});
  Story again = three_quorate().then(links_to_2(true, true)).disconnect().connect();
  EXPECT_EQ(changes_of(again, links_to_2(false, false)), Changes{});
}

TEST(ChangesTest, AQuorumDeviceThatStopsToVoteIsTold) {
  const auto device = [](bool first, bool second) {
    Votes votes{.expected = 3};
    votes.nodes[id(1)].qdevice = Qdevice{.registered = true, .casting_vote = first};
    votes.nodes[id(2)].qdevice = Qdevice{.registered = true, .casting_vote = second};
    return VotesRead{votes};
  };
  Story story = three_quorate().then(device(true, false));
  EXPECT_EQ(changes_of(story, device(false, true)),
            (Changes{{.kind = ChangeKind::device_silent, .nodes = ids({1})},
                     {.kind = ChangeKind::device_votes, .nodes = ids({2})}}));
}

TEST(ChangesTest, OtherExpectedVotesAreTold) {
  Story story = three_quorate();
  EXPECT_EQ(changes_of(story, VotesRead{{.expected = 3}}), Changes{});
  story.then(VotesRead{{.expected = 3}});
  EXPECT_EQ(changes_of(story, VotesRead{{.expected = 5}}),
            (Changes{{.kind = ChangeKind::expected_votes, .votes = std::pair{3U, 5U}}}));
}

}  // namespace
}  // namespace corosync_exporter
