// SPDX-License-Identifier: Apache-2.0
#include "status/words.h"

#include <gtest/gtest.h>

#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "print_model.h"
#include "story.h"

namespace corosync_exporter {
namespace {

using namespace std::chrono_literals;

TEST(WordsTest, TimesAreRfc3339ToTheMillisecond) {
  EXPECT_EQ(rfc3339(SystemTime{0s}), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(rfc3339(SystemTime{1'700'000'000'007ms}), "2023-11-14T22:13:20.007Z");
  EXPECT_EQ(rfc3339(SystemTime{951'782'399'999ms}), "2000-02-28T23:59:59.999Z");
  EXPECT_EQ(rfc3339(SystemTime{951'782'400'000ms}), "2000-02-29T00:00:00.000Z");
  EXPECT_EQ(time_of_day(SystemTime{1'700'000'000'007ms}), "22:13:20.007");
}

TEST(WordsTest, DurationsHaveThreeDigits) {
  EXPECT_EQ(duration_text(0s), "0 ms");
  EXPECT_EQ(duration_text(114us), "0.114 ms");
  EXPECT_EQ(duration_text(350ms), "350 ms");
  EXPECT_EQ(duration_text(999'600us), "1 s");
  EXPECT_EQ(duration_text(4034ms), "4.03 s");
  EXPECT_EQ(duration_text(42'100ms), "42.1 s");
  EXPECT_EQ(duration_text(100s), "1 min 40 s");
  EXPECT_EQ(duration_text(3h + 20min + 1s), "3 h 20 min");
}

TEST(WordsTest, AgesAreWholeSeconds) {
  EXPECT_EQ(age_text(-3s), "0 s");
  EXPECT_EQ(age_text(59'999ms), "59 s");
  EXPECT_EQ(age_text(60s), "1 min");
  EXPECT_EQ(age_text(12min + 5s), "12 min 5 s");
  EXPECT_EQ(age_text(24h), "1 d");
  EXPECT_EQ(age_text(52h + 59min), "2 d 4 h");
}

TEST(WordsTest, ListsAreCutAndSayByHowMuch) {
  EXPECT_EQ(listed({"a"}, 1), "a");
  EXPECT_EQ(listed({"a", "b"}, 2), "a and b");
  EXPECT_EQ(listed({"a", "b", "c"}, 3), "a, b and c");
  EXPECT_EQ(listed({"a", "b"}, 12), "a, b and 10 others");
  EXPECT_EQ(listed({"a", "b"}, 3), "a, b and 1 other");
}

struct VotesRow {
  std::string name;
  Votes votes;
  bool quorate = false;
  std::string words;
};
void PrintTo(const VotesRow& row, std::ostream* out) { *out << row.name; }

// Of two nodes, one of which has a quorum device that votes.
std::map<NodeId, NodeVotes> with_device(bool master_wins) {
  const Qdevice device{
      .registered = true, .alive = true, .casting_vote = true, .master_wins = master_wins};
  return {{id(1), {.votes = 1, .qdevice = device}}, {id(2), {.votes = 1, .qdevice = Qdevice{}}}};
}

class VotesInWordsTest : public ::testing::TestWithParam<VotesRow> {};

TEST_P(VotesInWordsTest, SayWhatTheMarginMeans) {
  EXPECT_EQ(votes_in_words(view_of(GetParam().votes, std::nullopt), GetParam().quorate),
            GetParam().words);
}

INSTANTIATE_TEST_SUITE_P(
    Forms, VotesInWordsTest,
    ::testing::Values(
        VotesRow{"SomeMayGo",
                 {.expected = 7, .present = 6, .required = 4},
                 true,
                 "6 of 7 votes, 4 needed: 2 more may go, losing 3 loses quorum"},
        VotesRow{"NoneMayGo",
                 {.expected = 3, .present = 2, .required = 2},
                 true,
                 "2 of 3 votes, 2 needed: losing one more loses quorum"},
        VotesRow{"TheOnlyOne",
                 {.expected = 1, .present = 1, .required = 1},
                 true,
                 "1 of 1 vote, 1 needed: losing one more loses quorum"},
        // The votes are read after the verdict: for some milliseconds they may differ.
        VotesRow{"TooFewAndYetQuorate",
                 {.expected = 3, .present = 1, .required = 2},
                 true,
                 "1 of 3 votes, 2 needed: too few, and yet quorate"},
        VotesRow{"TheTieBreakerMayDecide",
                 {.expected = 4, .present = 3, .required = 3, .auto_tie_breaker = true},
                 true,
                 "3 of 4 votes, 3 needed: losing one more leaves it to the tie breaker"},
        VotesRow{"TheTieBreakerMayDecideLater",
                 {.expected = 8, .present = 6, .required = 5, .auto_tie_breaker = true},
                 true,
                 "6 of 8 votes, 5 needed: 1 more may go, losing 2 leaves it to the tie breaker"},
        VotesRow{"TheTieBreakerDecided",
                 {.expected = 4, .present = 2, .required = 3, .auto_tie_breaker = true},
                 true,
                 "2 of 4 votes, 3 needed: too few, but the tie breaker keeps quorum"},
        VotesRow{"TheTieBreakerIsElsewhere",
                 {.expected = 4, .present = 2, .required = 3, .auto_tie_breaker = true},
                 false,
                 "2 of 4 votes, 3 needed: 1 more brings quorum back"},
        VotesRow{"TheDeviceMayDecide",
                 {.expected = 3, .present = 2, .required = 2, .nodes = with_device(true)},
                 true,
                 "2 of 3 votes, 2 needed: losing one more leaves it to the quorum device"},
        VotesRow{"TheDeviceDecided",
                 {.expected = 5, .present = 2, .required = 3, .nodes = with_device(true)},
                 true,
                 "2 of 5 votes, 3 needed: too few, but the quorum device keeps quorum"},
        VotesRow{"TheDeviceOnlyVotes",
                 {.expected = 3, .present = 2, .required = 2, .nodes = with_device(false)},
                 true,
                 "2 of 3 votes, 2 needed: losing one more loses quorum"},
        VotesRow{"OneIsLacking",
                 {.expected = 3, .present = 1, .required = 2},
                 false,
                 "1 of 3 votes, 2 needed: 1 more brings quorum back"},
        VotesRow{"SeveralAreLacking",
                 {.expected = 7, .present = 1, .required = 4},
                 false,
                 "1 of 7 votes, 4 needed: 3 more bring quorum back"},
        VotesRow{"EnoughAndYetNotQuorate",
                 {.expected = 3, .present = 2, .required = 2},
                 false,
                 "2 of 3 votes, 2 needed: enough, and yet not quorate"},
        VotesRow{
            "WaitsForAllOfTwo",
            {.expected = 2, .present = 1, .required = 1, .two_node = true, .wait_for_all = true},
            false,
            "1 of 2 votes, 1 needed: wait_for_all withholds quorum until all 2 are there at once"},
        VotesRow{
            "WaitsForAllOfThree",
            {.expected = 3, .present = 1, .required = 2, .wait_for_all = true},
            false,
            "1 of 3 votes, 2 needed: wait_for_all withholds quorum until all 3 are there at once"},
        VotesRow{"WaitsNoMore",
                 {.expected = 3, .present = 2, .required = 2, .wait_for_all = true},
                 true,
                 "2 of 3 votes, 2 needed: losing one more loses quorum"}),
    [](const auto& row) { return row.param.name; });

struct ReasonCase {
  std::string name;
  Story story;
  std::string reason;
};
void PrintTo(const ReasonCase& row, std::ostream* out) { *out << row.name; }

class WhyNotUpTest : public ::testing::TestWithParam<ReasonCase> {};

TEST_P(WhyNotUpTest, SaysWhatIsInTheWay) {
  const Story& story = GetParam().story;
  EXPECT_EQ(why_not_up(story.state(), story.now().steady), GetParam().reason);
}

TEST_P(WhyNotUpTest, HasNothingToSayExactlyWhenCorosyncIsUp) {
  const Story& story = GetParam().story;
  EXPECT_EQ(why_not_up(story.state(), story.now().steady).empty(),
            is_up(story.state(), story.now().steady));
}

INSTANTIATE_TEST_SUITE_P(
    Reasons, WhyNotUpTest,
    ::testing::Values(
        ReasonCase{"at_first", Story{}, "still connecting to corosync"},
        ReasonCase{"connected_and_not_synced", Story{}.connect(), "still connecting to corosync"},
        ReasonCase{"no_verdict_yet", Story{}.connect().node_list({.ring = ring(1, 8)}),
                   "still connecting to corosync"},
        ReasonCase{"refused",
                   Story{}.then(ConnectFailed{{.call = "quorum_model_initialize",
                                               .error = "CS_ERR_LIBRARY",
                                               .detail = "Connection refused"}}),
                   "not connected to corosync: quorum_model_initialize: CS_ERR_LIBRARY "
                   "(Connection refused)"},
        ReasonCase{"failed_without_a_word_of_errno",
                   Story{}.then(ConnectFailed{failure("quorum_trackstart", "CS_ERR_ACCESS")}),
                   "not connected to corosync: quorum_trackstart: CS_ERR_ACCESS"},
        ReasonCase{"lost", three_quorate().disconnect(),
                   "not connected to corosync: quorum_dispatch: CS_ERR_LIBRARY"},
        ReasonCase{"silent", three_quorate().wait(16500ms), "corosync has been silent for 16 s"},
        ReasonCase{"silent_as_it_cannot_be_asked",
                   three_quorate().wait(16s).then(ReadingFailed{
                       .source = Source::cmap,
                       .failure = {.call = "cmap_initialize_map",
                                   .error = "CS_ERR_LIBRARY",
                                   .detail = "Too many open files"}}),
                   "corosync has been silent for 16 s, and cmap cannot be read: "
                   "cmap_initialize_map: CS_ERR_LIBRARY (Too many open files)"},
        ReasonCase{"silent_before_it_was_synced", Story{}.connect().wait(20s),
                   "corosync has been silent for 20 s"},
        ReasonCase{"up", three_quorate(), ""},
        ReasonCase{"up_to_the_last", three_quorate().wait(15s), ""},
        ReasonCase{"not_quorate", three_quorate().verdict(false, ring(1, 8)), ""},
        ReasonCase{"without_a_provider", Story{}.connect(false).node_list({.ring = ring(1, 8)}),
                   ""}),
    [](const auto& row) { return row.param.name; });

TEST(WordsTest, InBriefIsTheVerdictOrWhatKeepsItUnknown) {
  const auto brief = [](const Story& story) { return in_brief(story.state(), story.now().steady); };
  const auto members = [](bool has_provider) {
    return Story{}.connect(has_provider).node_list({.ring = ring(1, 8), .members = ids({1, 2, 3})});
  };
  EXPECT_EQ(brief(members(true).verdict(true, ring(1, 8))), "quorate, 3 members");
  EXPECT_EQ(brief(members(true)
                      .verdict(true, ring(1, 8))
                      .node_list({.ring = ring(1, 12), .members = ids({1})})
                      .verdict(false, ring(1, 12))),
            "not quorate, 1 member");
  EXPECT_EQ(brief(members(false)), "without a quorum provider, 3 members");
  EXPECT_EQ(brief(Story{}), "still connecting to corosync");
  EXPECT_EQ(brief(members(true)), "still connecting to corosync");
  EXPECT_EQ(brief(members(true).disconnect()),
            "not connected to corosync: quorum_dispatch: CS_ERR_LIBRARY");
  EXPECT_EQ(brief(members(true).verdict(true, ring(1, 8)).wait(16s)), "corosync does not answer");
}

TimelineEntry entry(std::vector<Told> told) { return {.number = 1, .told = std::move(told)}; }

Told left() {
  return {.change = {.kind = ChangeKind::nodes_left, .nodes = ids({2, 3})}, .names = {"node2", ""}};
}

TEST(WordsTest, AnEntryTellsTheGravestFirst) {
  const auto lost = [](std::optional<Duration> lasted) {
    return Told{.at = SystemTime{5s},
                .change = {.kind = ChangeKind::quorum_lost, .lasted = lasted}};
  };
  EXPECT_EQ(sentence(entry({left(), lost(4034ms)})),
            "Quorum lost for 4.03 s; node2 and node 3 left");
  EXPECT_EQ(sentence(entry({left(), lost(std::nullopt)}), 12s),
            "Quorum lost, for 12 s so far; node2 and node 3 left");
  EXPECT_EQ(sentence(entry({left(), lost(std::nullopt)})), "Quorum lost; node2 and node 3 left");
  EXPECT_EQ(headline(entry({left(), lost(std::nullopt)})).at, SystemTime{5s});
  EXPECT_EQ(weight_of(entry({left(), lost(std::nullopt)})), Weight::critical);
}

TEST(WordsTest, QuorumRegainedIsGoodNewsAboveAll) {
  const Told regained{.change = {.kind = ChangeKind::quorum_regained, .lasted = 2s}};
  const TimelineEntry both = entry({left(), regained});
  EXPECT_EQ(sentence(both), "Quorum regained after 2 s; node2 and node 3 left");
  EXPECT_EQ(weight_of(both), Weight::good);
}

TEST(WordsTest, AnEntryThatStandsForSeveralSaysForHowMany) {
  TimelineEntry several =
      entry({left(), {.change = {.kind = ChangeKind::quorum_lost, .lasted = 90s}}});
  several.count = 12;
  EXPECT_EQ(sentence(several), "12 times: quorum lost for 90 s in all; node2 and node 3 left");
}

TEST(WordsTest, OfManyNodesAndLinksTheFirstAreNamed) {
  Told some = left();
  some.more = 3;
  EXPECT_EQ(sentence(entry({some})), "node2, node 3 and 3 others left");
  EXPECT_EQ(sentence(entry({{.change = {.kind = ChangeKind::links_down, .links = {{id(2), 1}}},
                             .names = {"node2"},
                             .more = 1}})),
            "Link 1 to node2 and 1 other down");
}

TEST(WordsTest, ASentenceBeginsLikeOneUnlessANameDoes) {
  EXPECT_EQ(sentence(entry({left()})), "node2 and node 3 left");
  EXPECT_EQ(sentence(entry({{.change = {.kind = ChangeKind::nodes_joined, .nodes = ids({7})},
                             .names = {""}}})),
            "Node 7 joined");
  EXPECT_EQ(sentence(entry({{.change = {.kind = ChangeKind::links_down, .links = {{id(2), 1}}},
                             .names = {"node2"}}})),
            "Link 1 to node2 down");
  EXPECT_EQ(sentence(entry({{.change = {.kind = ChangeKind::links_up,
                                        .links = {{id(2), 0}, {id(2), 1}, {id(3), 0}}},
                             .names = {"node2", "node2", ""}}})),
            "Links 0 and 1 to node2, link 0 to node 3 up");
  EXPECT_EQ(sentence(entry({left(),
                            {.change = {.kind = ChangeKind::links_down, .links = {{id(2), 0}}},
                             .names = {"node2"}}})),
            "node2 and node 3 left; links to them down");
  EXPECT_EQ(
      sentence(entry(
          {{.change = {.kind = ChangeKind::nodes_joined, .nodes = ids({2})}, .names = {"node2"}},
           {.change = {.kind = ChangeKind::links_up, .links = {{id(2), 0}}}, .names = {"node2"}}})),
      "node2 joined; links to it up");
  EXPECT_EQ(sentence(entry({{.change = {.kind = ChangeKind::expected_votes, .votes = {{3, 5}}}}})),
            "Expected votes changed from 3 to 5");
  EXPECT_EQ(sentence(entry({{.change = {.kind = ChangeKind::source_failed,
                                        .source = Source::cmap,
                                        .failure = failure("cmap_get", "CS_ERR_TRY_AGAIN")}}})),
            "Reading from cmap failed: cmap_get: CS_ERR_TRY_AGAIN");
}

}  // namespace
}  // namespace corosync_exporter
