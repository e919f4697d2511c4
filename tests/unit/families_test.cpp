// SPDX-License-Identifier: Apache-2.0
#include "exposition/families.h"

#include <gtest/gtest.h>

#include <ostream>
#include <set>
#include <string>

#include "exposition/page.h"
#include "page_text.h"
#include "print_model.h"
#include "random_events.h"
#include "story.h"

namespace corosync_exporter {

void PrintTo(const Known& known, std::ostream* out) {
  *out << "{present " << known.present << " votes " << known.votes << " configuration "
       << known.configuration << " reachability " << known.reachability << "}";
}

namespace {

using namespace std::chrono_literals;

PageText page(const ClusterState& state, SteadyTime now, const Self& self = {}) {
  return read_page(Page{Build{}}.text(std::make_shared<const ClusterState>(state), now, self, {}));
}
PageText page(const Story& story) { return page(story.state(), story.now().steady); }

ConfigurationRead three_named() {
  return {.info = {.cluster_name = "c", .transport = "knet", .provider = "corosync_votequorum"},
          .nodes = {{id(1), {.name = "one", .configured = true, .votes = 11}},
                    {id(2), {.name = "two", .configured = true, .votes = 12}},
                    {id(3), {.name = "three", .configured = true, .votes = 13}}}};
}

// Three named nodes, quorate, all read.
Story quorate() {
  Votes votes{.expected = 3, .highest_expected = 4, .present = 5, .required = 2};
  votes.nodes = {{id(1), {.votes = 6}}, {id(2), {.votes = 7}}};
  return Story{}
      .connect()
      .node_list({.ring = ring(1, 8), .members = ids({1, 2})})
      .verdict(true, ring(1, 8))
      .then(VotequorumQuorumNotified{ids({1, 2})})
      .read(VotesRead{votes})
      .read(three_named())
      .read(LocalNodeRead{id(1)});
}

// ---- What counts -------------------------------------------------------------------------------

TEST(KnownTest, NothingBeforeTheConnectionIsSynced) {
  const Story story = Story{}.connect().read(VotesRead{}).read(ConfigurationRead{});
  EXPECT_EQ(known_at(story.state(), story.now().steady), Known{});
}

TEST(KnownTest, EverythingOnceItIsRead) {
  const Story story = quorate();
  EXPECT_EQ(known_at(story.state(), story.now().steady),
            (Known{.present = true, .votes = true, .configuration = true, .reachability = true}));
}

TEST(KnownTest, EachReadingCountsForItself) {
  Story story = Story{}.connect().node_list({.ring = ring(1, 8)}).verdict(true, ring(1, 8));
  const auto known = [&] { return known_at(story.state(), story.now().steady); };
  EXPECT_EQ(known(), Known{.present = true});
  story.read(VotesRead{});
  EXPECT_EQ(known(), (Known{.present = true, .votes = true}));
  story.read(ConfigurationRead{});
  EXPECT_EQ(known(), (Known{.present = true, .votes = true, .configuration = true}));
  story.read(LocalNodeRead{});
  EXPECT_EQ(known(),
            (Known{.present = true, .votes = true, .configuration = true, .reachability = true}));
  story.then(ReadingFailed{.source = Source::votequorum});
  EXPECT_EQ(known(), (Known{.present = true, .configuration = true, .reachability = true}));
}

TEST(KnownTest, NothingInSilence) {
  const Story story = quorate();
  EXPECT_EQ(known_at(story.state(), story.now().steady + 15s + 1ns), Known{});
}

TEST(KnownTest, OldReadingsCountNoMore) {
  Story story = quorate();
  story.wait(15s + 1ns).then(ExpectedVotesNotified{});
  EXPECT_EQ(known_at(story.state(), story.now().steady), Known{.present = true});
}

// ---- Unknown is absent -------------------------------------------------------------------------

const std::set<std::string> kept_while_unknown{
    "corosync_up",
    "corosync_cluster_info",
    "corosync_local_node_id",
    "corosync_quorum_changes_total",
    "corosync_quorum_losses_total",
    "corosync_quorum_lost_seconds_total",
    "corosync_quorum_last_change_timestamp_seconds",
    "corosync_membership_changes_total",
    "corosync_membership_last_change_timestamp_seconds",
    "corosync_node_joins_total",
    "corosync_node_leaves_total",
};

void expect_unknown(const PageText& page) {
  EXPECT_EQ(page.at("corosync_up"), 0);
  for (const std::string& family : page.families) {
    EXPECT_TRUE(kept_while_unknown.contains(family) || family.starts_with("corosync_exporter_"))
        << family << " speaks of a present that nobody knows";
  }
}

TEST(UnknownTest, IsAbsentBeforeTheFirstConnection) { expect_unknown(page(Story{})); }

TEST(UnknownTest, IsAbsentInSilence) {
  const Story story = quorate();
  expect_unknown(page(story.state(), story.now().steady + 16s));
}

TEST(UnknownTest, IsAbsentWhileDisconnected) { expect_unknown(page(quorate().disconnect())); }

TEST(UnknownTest, LeavesTheNamesThatAlertsNeed) {
  const PageText text = page(quorate().disconnect());
  EXPECT_TRUE(text.has(
      R"(corosync_cluster_info{cluster_name="c",transport="knet",provider="corosync_votequorum"})"));
  EXPECT_TRUE(text.has("corosync_local_node_id"));
}

TEST(UnknownTest, VotesAreAbsentWhereTheyCannotBeRead) {
  const PageText before = page(quorate());
  const PageText after =
      page(quorate().then(ReadingFailed{.source = Source::votequorum, .failure = {}}));
  EXPECT_TRUE(before.has("corosync_votequorum_present_votes"));
  EXPECT_FALSE(after.has("corosync_votequorum_present_votes"));
  EXPECT_FALSE(after.family_set().contains("corosync_node_votes"));
  EXPECT_FALSE(after.family_set().contains("corosync_votequorum_flag"));
  EXPECT_TRUE(after.has("corosync_quorate"));
  EXPECT_TRUE(after.has("corosync_votequorum_waiting_for_all"));
}

TEST(UnknownTest, WaitingForAllIsAbsentWhereItCannotBeRead) {
  const PageText text = page(quorate().then(ReadingFailed{.source = Source::cmap, .failure = {}}));
  EXPECT_FALSE(text.has("corosync_votequorum_waiting_for_all"));
  EXPECT_TRUE(text.has("corosync_votequorum_present_votes"));
}

TEST(UnknownTest, WithoutAProviderThereIsNeitherVerdictNorVote) {
  const PageText text = page(Story{}
                                 .connect(false)
                                 .node_list({.ring = ring(1, 8), .members = ids({1, 2})})
                                 .verdict(true, ring(0, 0))
                                 .read(three_named()));
  EXPECT_EQ(text.at("corosync_up"), 1);
  EXPECT_EQ(text.at("corosync_members"), 2);
  EXPECT_FALSE(text.has("corosync_quorate"));
  EXPECT_FALSE(text.has("corosync_sync_in_progress"));
  for (const std::string& family : text.families) {
    EXPECT_FALSE(family.starts_with("corosync_votequorum_")) << family;
    EXPECT_FALSE(family.starts_with("corosync_qdevice_")) << family;
  }
  EXPECT_FALSE(text.family_set().contains("corosync_node_votes"));
}

TEST(UnknownTest, TimestampsAreAbsentBeforeTheFirstChange) {
  const PageText text = page(quorate());
  EXPECT_FALSE(text.has("corosync_quorum_last_change_timestamp_seconds"));
  EXPECT_FALSE(text.has("corosync_membership_last_change_timestamp_seconds"));
}

// ---- Nodes -------------------------------------------------------------------------------------

TEST(NodeFamiliesTest, ANodeWithoutANameHasNoSeriesYet) {
  Story story = Story{}.connect();
  story.node_list({.ring = ring(1, 8), .members = ids({1, 2})}).verdict(true, ring(1, 8));
  EXPECT_FALSE(page(story).family_set().contains("corosync_node_member"));
  EXPECT_EQ(page(story).at("corosync_members"), 2);
}

TEST(NodeFamiliesTest, ConfiguredAndSeenNodesHaveAMembership) {
  Story story = quorate();
  ConfigurationRead reading = three_named();
  reading.nodes.erase(id(1));
  reading.nodes[id(1)] = {.name = "one", .configured = false};
  const PageText text = page(story.read(reading));
  EXPECT_EQ(text.at(R"(corosync_node_member{node_id="1",node="one"})"), 1);
  EXPECT_EQ(text.at(R"(corosync_node_member{node_id="2",node="two"})"), 1);
  EXPECT_EQ(text.at(R"(corosync_node_member{node_id="3",node="three"})"), 0);
}

TEST(NodeFamiliesTest, JoinsAndLeavesBeginAtZero) {
  const PageText text = page(quorate());
  for (const char* node : {R"({node_id="1",node="one"})", R"({node_id="3",node="three"})"}) {
    EXPECT_EQ(text.at(std::string{"corosync_node_joins_total"} + node), 0);
    EXPECT_EQ(text.at(std::string{"corosync_node_leaves_total"} + node), 0);
  }
}

TEST(NodeFamiliesTest, VotesAreVotequorumsElseTheConfiguredOnes) {
  const PageText text = page(quorate());
  EXPECT_EQ(text.at(R"(corosync_node_votes{node_id="1",node="one"})"), 6);
  EXPECT_EQ(text.at(R"(corosync_node_votes{node_id="2",node="two"})"), 7);
  EXPECT_EQ(text.at(R"(corosync_node_votes{node_id="3",node="three"})"), 13);  // not seen yet
}

TEST(NodeFamiliesTest, ANodeIdIsUnsigned) {
  ConfigurationRead reading = three_named();
  reading.nodes[id(4294967295)] = {.name = "last", .configured = true};
  const PageText text = page(quorate().read(reading).read(LocalNodeRead{id(4294967295)}));
  EXPECT_TRUE(text.has(R"(corosync_node_member{node_id="4294967295",node="last"})"));
  EXPECT_EQ(text.at("corosync_local_node_id"), 4294967295);
}

TEST(VotesFamiliesTest, TheMarginIsNegativeWhereVotesAreMissing) {
  const PageText text = page(quorate().read(VotesRead{{.present = 1, .required = 3}}));
  EXPECT_EQ(text.at("corosync_votequorum_margin_votes"), -2);
}

// ---- Links and totem ----------------------------------------------------------------------------

TEST(LinkFamiliesTest, AreOfNamedNodesOnly) {
  const PageText text =
      page(quorate()
               .read(ReachabilityRead{{{id(2), {.reachable = true}}, {id(8), {.reachable = true}}}})
               .read(LinkStatisticsRead{{{{id(2), 1}, {.downs = 3}}, {{id(8), 1}, {.downs = 4}}}}));
  EXPECT_EQ(text.at(R"(corosync_node_reachable{node_id="2",node="two"})"), 1);
  EXPECT_EQ(text.at(R"(corosync_link_downs_total{node_id="2",node="two",link="1"})"), 3);
  for (const auto& [series, value] : text.samples) {
    EXPECT_EQ(series.find("node_id=\"8\""), std::string::npos) << series;
  }
}

TEST(LinkFamiliesTest, ALatencyIsInSecondsAndUnknownBeforeItsFirstSample) {
  const PageText text = page(quorate().read(LinkStatisticsRead{
      {{{id(2), 0}, {.latency = std::chrono::microseconds{150}}}, {{id(3), 0}, {}}}}));
  EXPECT_EQ(text.at(R"(corosync_link_latency_seconds{node_id="2",node="two",link="0"})"), 0.00015);
  EXPECT_FALSE(text.has(R"(corosync_link_latency_seconds{node_id="3",node="three",link="0"})"));
}

// knet's mean stands still then, so it would go on to say how it was before.
TEST(LinkFamiliesTest, ALatencyIsUnknownWhileTheLinkIsDown) {
  const auto statistics =
      LinkStatisticsRead{{{{id(2), 0}, {.latency = std::chrono::microseconds{150}}},
                          {{id(2), 1}, {.latency = std::chrono::microseconds{160}}}}};
  const Reachability half{.reachable = true,
                          .links = {{0, {.connected = false}}, {1, {.connected = true}}}};
  const PageText text = page(quorate().read(statistics).read(ReachabilityRead{{{id(2), half}}}));
  EXPECT_FALSE(text.has(R"(corosync_link_latency_seconds{node_id="2",node="two",link="0"})"));
  EXPECT_EQ(text.at(R"(corosync_link_latency_seconds{node_id="2",node="two",link="1"})"), 0.00016);
}

TEST(LinkFamiliesTest, GoWithTheSourceThatTheyAreFrom) {
  Story story = quorate();
  story.read(ReachabilityRead{{{id(2), {.reachable = true}}}});
  story.read(LinkStatisticsRead{{{{id(2), 0}, {}}}}).read(TotemRead{{.retransmits = 1}});
  EXPECT_TRUE(page(story).family_set().contains("corosync_node_reachable"));
  Story without_cfg = story;
  without_cfg.then(ReadingFailed{.source = Source::cfg});
  EXPECT_FALSE(page(without_cfg).family_set().contains("corosync_node_reachable"));
  EXPECT_TRUE(page(without_cfg).family_set().contains("corosync_link_ups_total"));
  story.then(ReadingFailed{.source = Source::cmap});
  EXPECT_TRUE(page(story).family_set().contains("corosync_node_reachable"));
  EXPECT_FALSE(page(story).family_set().contains("corosync_link_ups_total"));
  EXPECT_FALSE(page(story).family_set().contains("corosync_totem_retransmits_total"));
}

TEST(TotemFamiliesTest, WhatCorosyncDoesNotCountIsAbsent) {
  const PageText text = page(quorate().read(TotemRead{}));
  for (const std::string& family : text.families) {
    EXPECT_FALSE(family.starts_with("corosync_totem_")) << family;
    EXPECT_FALSE(family.starts_with("corosync_config_")) << family;
    EXPECT_FALSE(family.starts_with("corosync_scheduling_")) << family;
    EXPECT_FALSE(family.starts_with("corosync_ipc_")) << family;
  }
}

TEST(QuorumFamiliesTest, ASyncIsInProgressWhileTheVerdictIsOfAnotherRing) {
  Story story = quorate();
  EXPECT_EQ(page(story).at("corosync_sync_in_progress"), 0);
  story.node_list({.ring = ring(1, 12), .members = ids({1})});
  EXPECT_EQ(page(story).at("corosync_sync_in_progress"), 1);
  story.verdict(false, ring(1, 12));
  EXPECT_EQ(page(story).at("corosync_sync_in_progress"), 0);
}

// ---- What moves with time ----------------------------------------------------------------------

TEST(MomentaryFamiliesTest, LostSecondsGrowBetweenEvents) {
  Story story = quorate();
  story.verdict(false, ring(1, 8));
  EXPECT_EQ(
      page(story.state(), story.now().steady + 1500ms).at("corosync_quorum_lost_seconds_total"),
      1.5);
  EXPECT_EQ(
      page(story.state(), story.now().steady + 2500ms).at("corosync_quorum_lost_seconds_total"),
      2.5);
}

TEST(MomentaryFamiliesTest, ASourcesAgeGrowsAndOutlivesTheConnection) {
  Story story = quorate();
  story.disconnect();
  const PageText text = page(story.state(), story.now().steady + 90s);
  EXPECT_EQ(text.at(R"(corosync_exporter_source_age_seconds{source="votequorum"})"), 90);
  EXPECT_EQ(text.at(R"(corosync_exporter_source_up{source="votequorum"})"), 0);
}

TEST(MomentaryFamiliesTest, ASourceThatNeverSucceededHasNoAge) {
  Story story = Story{}.connect().then(ReadingFailed{.source = Source::cfg, .failure = {}});
  const PageText text = page(story);
  EXPECT_EQ(text.at(R"(corosync_exporter_source_up{source="cfg"})"), 0);
  EXPECT_FALSE(text.family_set().contains("corosync_exporter_source_age_seconds"));
}

TEST(MomentaryFamiliesTest, OfASourceThatWasOnlyInterruptedNothingIsKnown) {
  Story story = Story{}.connect().then(ReadingInterrupted{.source = Source::cfg});
  const PageText text = page(story);
  EXPECT_FALSE(text.family_set().contains("corosync_exporter_source_up"));
  EXPECT_FALSE(text.family_set().contains("corosync_exporter_source_age_seconds"));
}

TEST(MomentaryFamiliesTest, AnInterruptedSourceStaysUpWhileItsAgeGrows) {
  Story story = quorate();
  const PageText before = page(story);
  story.wait(20s);
  for (const Source source : {Source::votequorum, Source::cmap, Source::cfg}) {
    story.then(ReadingInterrupted{.source = source});
  }
  story.then(Answered{.at = story.now().steady}).wait(2s);
  const PageText text = page(story);
  EXPECT_EQ(text.at("corosync_up"), 1);
  EXPECT_EQ(text.at("corosync_exporter_silence_seconds"), 2);
  EXPECT_EQ(text.at(R"(corosync_exporter_source_up{source="votequorum"})"), 1);
  EXPECT_GE(text.at(R"(corosync_exporter_source_age_seconds{source="votequorum"})"), 22);
  EXPECT_TRUE(before.family_set().contains("corosync_votequorum_present_votes"));
  EXPECT_FALSE(text.family_set().contains("corosync_votequorum_present_votes")) << "too old";
}

TEST(MomentaryFamiliesTest, ThereIsNoSilenceWithoutAConnection) {
  Story story = quorate();
  story.disconnect();
  EXPECT_FALSE(page(story).family_set().contains("corosync_exporter_silence_seconds"));
}

TEST(MomentaryFamiliesTest, ACallInFlightShowsHowLongItHasWaited) {
  EXPECT_EQ(page({}, beginning.steady).at("corosync_exporter_call_in_flight_seconds"), 0);
  EXPECT_EQ(page({}, beginning.steady, {.call_in_flight = 12500ms})
                .at("corosync_exporter_call_in_flight_seconds"),
            12.5);
}

TEST(MomentaryFamiliesTest, AnswersAreCountedByCode) {
  const PageText text = page({}, beginning.steady, {.http_answers = {{200, 41}, {503, 42}}});
  EXPECT_EQ(text.at(R"(corosync_exporter_http_requests_total{code="200"})"), 41);
  EXPECT_EQ(text.at(R"(corosync_exporter_http_requests_total{code="503"})"), 42);
}

// ---- Whatever happens --------------------------------------------------------------------------

TEST(RandomPagesTest, AreOfTheFormatAndKeepSilentAboutTheUnknown) {
  for (std::uint32_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomEvents random{seed};
    Story story;
    for (int i = 0; i < 20; ++i) {
      story.wait(random.pause()).then(random.event());
      const SteadyTime now = story.now().steady + random.pause();
      const PageText text = page(story.state(), now);
      ASSERT_EQ(text.faults, std::vector<std::string>{});
      ASSERT_EQ(text.at("corosync_up"), is_up(story.state(), now) ? 1 : 0);
      if (!is_up(story.state(), now)) {
        expect_unknown(text);
      }
      for (const auto& [family, type] : text.types) {
        ASSERT_EQ(type == "counter", family.ends_with("_total")) << family;
        ASSERT_EQ(text.helps.at(family).find('\\'), std::string::npos) << family;
        ASSERT_TRUE(text.helps.at(family).ends_with('.')) << family;
      }
      for (const auto& [series, value] : text.samples) {
        ASSERT_TRUE(value >= 0 || series == "corosync_votequorum_margin_votes") << series;
      }
      ASSERT_FALSE(::testing::Test::HasFailure());
    }
  }
}

}  // namespace
}  // namespace corosync_exporter
