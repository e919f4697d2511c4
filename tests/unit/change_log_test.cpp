// SPDX-License-Identifier: Apache-2.0
#include "corosync/change_log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "story.h"
#include "temporary.h"

namespace corosync_exporter {
namespace {

using namespace std::chrono_literals;

// Node 2 has a name, and of three nodes two are members.
ClusterState two_of_three() {
  ClusterState state{.stale_after = 5s};
  state.nodes = std::map<NodeId, Node>{{id(2), {.name = "beta"}}};
  state.present.emplace();
  state.present->has_provider = true;
  state.present->verdict.emplace().quorate = true;
  state.present->membership.emplace().members = {id(1), id(2)};
  return state;
}

// Without the time.
std::string logged(const Change& change, const ClusterState& now = two_of_three()) {
  const LogFile file;
  log_change(Logger{LogLevel::info, LogFormat::logfmt, file.descriptor()}, change, now);
  const std::string text = file.text();
  return text.substr(text.find(' ') + 1);
}

struct LogCase {
  std::string name;
  Change change;
  std::string line;
};
void PrintTo(const LogCase& row, std::ostream* out) { *out << row.name; }

class ChangeLogTest : public ::testing::TestWithParam<LogCase> {};

TEST_P(ChangeLogTest, AChangeIsALine) {
  EXPECT_EQ(logged(GetParam().change), GetParam().line + "\n");
}

const Failure failed{.call = "cmap_get", .error = "CS_ERR_LIBRARY", .detail = "why"};

const std::vector<LogCase> cases{
    LogCase{"connected",
            {.kind = ChangeKind::connected},
            R"-(level=info msg="connected to corosync" quorate=true members=2)-"},
    LogCase{
        "connection_failed",
        {.kind = ChangeKind::connection_failed, .failure = failed},
        R"-(level=warn msg="cannot connect to corosync" call=cmap_get error=CS_ERR_LIBRARY reason=why)-"},
    LogCase{"disconnected",
            {.kind = ChangeKind::disconnected, .failure = failed},
            R"-(level=warn msg="connection to corosync lost" call=cmap_get error=CS_ERR_LIBRARY)-"},
    LogCase{"fell_silent",
            {.kind = ChangeKind::fell_silent},
            R"-(level=warn msg="corosync is silent: its facts count as unknown" seconds=5)-"},
    LogCase{"answers_again",
            {.kind = ChangeKind::answers_again},
            R"-(level=info msg="corosync answers again")-"},
    LogCase{"nodes_left",
            {.kind = ChangeKind::nodes_left, .nodes = {id(2), id(3)}},
            R"-(level=warn msg="nodes left" nodes="2 (beta), 3" members=2)-"},
    LogCase{"nodes_joined",
            {.kind = ChangeKind::nodes_joined, .nodes = {id(2)}},
            R"-(level=info msg="nodes joined" nodes="2 (beta)" members=2)-"},
    LogCase{"quorum_lost",
            {.kind = ChangeKind::quorum_lost},
            R"-(level=warn msg="quorum lost" members=2)-"},
    LogCase{"quorum_regained",
            {.kind = ChangeKind::quorum_regained, .lasted = 1500ms},
            R"-(level=info msg="quorum regained" members=2 lost_seconds=1.5)-"},
    LogCase{"source_failed",
            {.kind = ChangeKind::source_failed, .source = Source::cmap, .failure = failed},
            R"-(level=warn msg="reading failed" source=cmap call=cmap_get error=CS_ERR_LIBRARY)-"},
    LogCase{"source_recovered",
            {.kind = ChangeKind::source_recovered, .source = Source::cfg},
            R"-(level=info msg="reading works again" source=cfg)-"},
    LogCase{"links_down",
            {.kind = ChangeKind::links_down, .links = {{id(2), 0}, {id(3), 1}}},
            R"-(level=warn msg="links down" links="0 to 2 (beta), 1 to 3")-"},
    LogCase{"links_up",
            {.kind = ChangeKind::links_up, .links = {{id(2), 1}}},
            R"-(level=info msg="links up" links="1 to 2 (beta)")-"},
    LogCase{"device_silent",
            {.kind = ChangeKind::device_silent, .nodes = {id(2)}},
            R"-(level=warn msg="quorum device casts no vote" nodes="2 (beta)")-"},
    LogCase{"device_votes",
            {.kind = ChangeKind::device_votes, .nodes = {id(2)}},
            R"-(level=info msg="quorum device casts its vote" nodes="2 (beta)")-"},
    LogCase{"expected_votes",
            {.kind = ChangeKind::expected_votes, .votes = {{3, 5}}},
            R"-(level=info msg="expected votes changed" from=3 to=5)-"}};

INSTANTIATE_TEST_SUITE_P(Kinds, ChangeLogTest, ::testing::ValuesIn(cases),
                         [](const auto& row) { return row.param.name; });

TEST(ChangeLogLineTest, WithoutAProviderThereIsNoVerdict) {
  ClusterState state = two_of_three();
  state.present->has_provider = false;
  EXPECT_EQ(logged({.kind = ChangeKind::connected}, state),
            "level=info msg=\"connected to corosync, which has no quorum provider\" members=2\n");
}

TEST(ChangeLogLineTest, ARefusalSaysHowToBeLetIn) {
  const std::string line =
      logged({.kind = ChangeKind::connection_failed,
              .failure = Failure{.call = "quorum_model_initialize", .error = "CS_ERR_ACCESS"}});
  EXPECT_NE(line.find("uid: " + std::to_string(geteuid())), std::string::npos) << line;
  EXPECT_NE(line.find("corosync-cfgtool -R"), std::string::npos) << line;
}

}  // namespace
}  // namespace corosync_exporter
