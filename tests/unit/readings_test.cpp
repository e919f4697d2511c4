// SPDX-License-Identifier: Apache-2.0
#include "corosync/readings.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "corosync_test.h"
#include "print_model.h"
#include "story.h"

namespace corosync_exporter {
namespace {

using namespace std::chrono_literals;
using fake_corosync::Cluster;
using fake_corosync::Service;

template <class Wanted>
std::vector<Wanted> all(const std::vector<Event>& events) {
  std::vector<Wanted> found;
  for (const Event& event : events) {
    if (const auto* wanted = std::get_if<Wanted>(&event)) {
      found.push_back(*wanted);
    }
  }
  return found;
}
template <class Wanted>
bool has(const std::vector<Event>& events) {
  return !all<Wanted>(events).empty();
}

std::vector<Source> sources_read(const std::vector<Event>& events) {
  std::vector<Source> sources;
  for (const SourceRead& read : all<SourceRead>(events)) {
    sources.push_back(read.source);
  }
  return sources;
}

class ReadingsTest : public CorosyncTest {
 protected:
  static Request everything() {
    return {.has_provider = true, .voters = ids({2, 3, 1}), .nodes = {}, .statistics = true};
  }
  std::vector<Event> read(Readings& readings, const Request& request) const {
    std::vector<Event> events;
    readings.read(request, now_, [&](Event event) { events.push_back(std::move(event)); });
    return events;
  }
  std::vector<Event> read(const Request& request) { return read(readings_, request); }
  std::vector<Event> read() { return read(everything()); }

  static void set_transport(const std::string& transport) {
    fake_corosync::change([&](Cluster& cluster) { cluster.cmap["totem.transport"] = transport; });
  }

  // As the watcher does for so long: all of it at each poll, and in between what is due.
  void read_for(Duration length, const std::function<void(const std::vector<Event>&)>& look) {
    const SteadyTime end = now_ + length;
    SteadyTime poll = now_;
    while (now_ < end) {
      Request request = everything();
      if (now_ >= poll) {
        poll = now_ + Timing{}.poll_interval;
      } else {
        request.statistics = false;
        request.only_due = true;
      }
      look(read(request));
      now_ = std::min(poll, std::max(now_, readings_.due().value_or(poll)));
    }
  }

  SteadyTime now_ = current_moment().steady;
  Calls calls_{Timing{}};
  Drain drain_;
  Readings readings_{calls_, drain_, Groups{}, Timing{}};
};

TEST_F(ReadingsTest, ReportsEverythingVotequorumFirst) {
  const auto events = read();
  ASSERT_EQ(events.size(), 9U);
  EXPECT_TRUE(std::holds_alternative<VotesRead>(events[0]));
  EXPECT_EQ(std::get<SourceRead>(events[1]).source, Source::votequorum);
  EXPECT_TRUE(std::holds_alternative<ConfigurationRead>(events[2]));
  EXPECT_TRUE(std::holds_alternative<LocalNodeRead>(events[3]));
  EXPECT_TRUE(std::holds_alternative<ReachabilityRead>(events[4]));
  EXPECT_EQ(std::get<SourceRead>(events[5]).source, Source::cfg);
  EXPECT_TRUE(std::holds_alternative<TotemRead>(events[6]));
  EXPECT_TRUE(std::holds_alternative<LinkStatisticsRead>(events[7]));
  EXPECT_EQ(std::get<SourceRead>(events[8]).source, Source::cmap);
}

TEST_F(ReadingsTest, KeepsItsConnections) {
  read();
  read();
  read();
  EXPECT_EQ(fake_corosync::open_handles(), 4U);
  EXPECT_EQ(fake_corosync::calls("votequorum_initialize"), 1U);
  EXPECT_EQ(fake_corosync::calls("cmap_initialize_map"), 2U);
  EXPECT_EQ(fake_corosync::calls("corosync_cfg_initialize"), 1U);
}

TEST_F(ReadingsTest, GivesItsConnectionsUpWhenToldTo) {
  read();
  readings_.disconnect();
  EXPECT_EQ(fake_corosync::open_handles(), 0U);
  EXPECT_EQ(read().size(), 9U);
}

TEST_F(ReadingsTest, AsksAboutTheNodesThatItIsTold) {
  Request request = everything();
  request.nodes = ids({8});
  const auto events = read(request);
  EXPECT_TRUE(all<ConfigurationRead>(events).at(0).nodes.contains(id(8)));
  EXPECT_EQ(all<VotesRead>(events).at(0).votes.nodes.size(), 3U);
}

TEST_F(ReadingsTest, WithoutAProviderVotequorumIsNotAsked) {
  EXPECT_FALSE(has<VotesRead>(read({.has_provider = false})));
  EXPECT_EQ(fake_corosync::calls("votequorum_initialize"), 0U);
}

TEST_F(ReadingsTest, DuringASyncOnlyVotequorumIsAsked) {
  Request request = everything();
  request.syncing = true;
  const auto events = read(request);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_TRUE(has<VotesRead>(events));
  EXPECT_TRUE(has<SourceRead>(events));
  EXPECT_EQ(fake_corosync::calls("cmap_initialize_map"), 0U);
  EXPECT_EQ(fake_corosync::calls("corosync_cfg_initialize"), 0U);
}

// ---- Links and totem ----------------------------------------------------------------------------

TEST_F(ReadingsTest, StatisticsAreReadWhenAskedFor) {
  Request request = everything();
  request.statistics = false;
  const auto events = read(request);
  EXPECT_FALSE(has<TotemRead>(events));
  EXPECT_FALSE(has<LinkStatisticsRead>(events));
  EXPECT_TRUE(has<ReachabilityRead>(events));
}

TEST_F(ReadingsTest, LinksAreToTheConfiguredNodesAndNotToTheNodeItself) {
  fake_corosync::change([](Cluster& cluster) {
    cluster.statistics["stats.knet.node1.link0.down_count"] = std::uint32_t{0};
    cluster.statistics["stats.knet.node1.link0.up_count"] = std::uint32_t{1};
  });
  Request request = everything();
  request.nodes = ids({8});
  const auto events = read(request);
  const auto reachability = all<ReachabilityRead>(events).at(0).nodes;
  ASSERT_EQ(reachability.size(), 2U);
  EXPECT_EQ(reachability.at(id(2)).links.at(0).mtu_bytes, 1397U);
  EXPECT_EQ(reachability.at(id(3)).links.at(0).mtu_bytes, 1398U);
  const auto links = all<LinkStatisticsRead>(events).at(0).links;
  ASSERT_EQ(links.size(), 2U);
  EXPECT_EQ(links.at({id(2), 0}).downs, 1U);
  EXPECT_EQ(links.at({id(3), 0}).downs, 3U);
}

class TransportTest : public ReadingsTest, public ::testing::WithParamInterface<std::string> {};

TEST_P(TransportTest, HasNoLinksToTellOf) {
  set_transport(GetParam());
  const auto events = read();
  EXPECT_FALSE(has<ReachabilityRead>(events));
  EXPECT_FALSE(has<LinkStatisticsRead>(events));
  EXPECT_TRUE(has<TotemRead>(events));
  EXPECT_EQ(fake_corosync::calls("corosync_cfg_node_status_get"), 0U);
}

INSTANTIATE_TEST_SUITE_P(WithoutKnet, TransportTest, ::testing::Values("udp", "udpu"));

TEST_F(ReadingsTest, LinksMayBeTurnedOff) {
  Readings readings{calls_, drain_, Groups{.links = false, .totem = true}, Timing{}};
  const auto events = read(readings, everything());
  EXPECT_FALSE(has<ReachabilityRead>(events));
  EXPECT_FALSE(has<LinkStatisticsRead>(events));
  EXPECT_TRUE(has<TotemRead>(events));
}

TEST_F(ReadingsTest, TotemMayBeTurnedOff) {
  Readings readings{calls_, drain_, Groups{.links = true, .totem = false}, Timing{}};
  const auto events = read(readings, everything());
  EXPECT_TRUE(has<ReachabilityRead>(events));
  EXPECT_TRUE(has<LinkStatisticsRead>(events));
  EXPECT_FALSE(has<TotemRead>(events));
}

TEST_F(ReadingsTest, TotemsSettingsComeFromTheConfiguration) {
  fake_corosync::change([](Cluster& cluster) {
    cluster.cmap["runtime.config.totem.token"] = std::uint32_t{1650};
    cluster.statistics["stats.srp.mcast_retx"] = std::uint64_t{5};
  });
  const Totem totem = all<TotemRead>(read()).at(0).totem;
  EXPECT_EQ(totem.token_timeout, std::chrono::milliseconds{1650});
  EXPECT_EQ(totem.retransmits, 5U);
}

// ---- Errors -------------------------------------------------------------------------------------

struct FailureCase {
  std::string call;
  Source source;
};
void PrintTo(const FailureCase& row, std::ostream* out) { *out << row.call; }

class ReadingFailureTest : public ReadingsTest,
                           public ::testing::WithParamInterface<FailureCase> {};

TEST_P(ReadingFailureTest, FailsOneSourceAndNoOther) {
  fake_corosync::fail_next(GetParam().call, CS_ERR_MESSAGE_ERROR);
  const auto events = read();
  const auto failed = all<ReadingFailed>(events);
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].source, GetParam().source);
  EXPECT_EQ(failed[0].failure, failure(GetParam().call, "CS_ERR_MESSAGE_ERROR"));
  EXPECT_EQ(has<VotesRead>(events), GetParam().source != Source::votequorum);
  EXPECT_EQ(has<ConfigurationRead>(events), GetParam().source != Source::cmap);
  EXPECT_EQ(has<ReachabilityRead>(events), GetParam().source == Source::votequorum);
  EXPECT_EQ(all<SourceRead>(events).size(), 2U);
  for (const SourceRead& read : all<SourceRead>(events)) {
    EXPECT_NE(read.source, GetParam().source);
  }
}

TEST_P(ReadingFailureTest, LeavesNoHandleOfTheFailedSource) {
  fake_corosync::fail_next(GetParam().call, CS_ERR_MESSAGE_ERROR);
  Request request = everything();
  request.statistics = false;
  read(request);
  EXPECT_EQ(fake_corosync::open_handles(), 2U);
}

TEST_P(ReadingFailureTest, IsTriedAgainAfterASecondAndThenOver) {
  fake_corosync::fail_next(GetParam().call, CS_ERR_MESSAGE_ERROR);
  read();
  EXPECT_EQ(readings_.due(), now_ + 1s);
  Request due = everything();
  due.only_due = true;
  due.statistics = false;
  EXPECT_TRUE(read(due).empty()) << "nothing is due yet";
  now_ += 1s;
  const auto events = read(due);
  EXPECT_FALSE(has<ReadingFailed>(events));
  EXPECT_EQ(sources_read(events), std::vector{GetParam().source}) << "the others were not at fault";
  EXPECT_EQ(fake_corosync::open_handles(), 4U);
  EXPECT_EQ(readings_.due(), std::nullopt);
}

INSTANTIATE_TEST_SUITE_P(Calls, ReadingFailureTest,
                         ::testing::Values(FailureCase{"votequorum_initialize", Source::votequorum},
                                           FailureCase{"votequorum_fd_get", Source::votequorum},
                                           FailureCase{"votequorum_getinfo", Source::votequorum},
                                           FailureCase{"cmap_initialize_map", Source::cmap},
                                           FailureCase{"cmap_fd_get", Source::cmap},
                                           FailureCase{"cmap_track_add", Source::cmap},
                                           FailureCase{"cmap_dispatch", Source::cmap},
                                           FailureCase{"cmap_get", Source::cmap},
                                           FailureCase{"cmap_iter_init", Source::cmap},
                                           FailureCase{"cmap_iter_next", Source::cmap},
                                           FailureCase{"cmap_iter_finalize", Source::cmap},
                                           FailureCase{"corosync_cfg_initialize", Source::cfg},
                                           FailureCase{"corosync_cfg_fd_get", Source::cfg},
                                           FailureCase{"corosync_cfg_local_get", Source::cfg}),
                         [](const auto& row) { return row.param.call; });

TEST_F(ReadingsTest, AFailureAtANodesLinksIsOneOfItsWholeSource) {
  fake_corosync::fail_next("corosync_cfg_node_status_get", CS_ERR_MESSAGE_ERROR);
  const auto events = read();
  EXPECT_FALSE(has<ReachabilityRead>(events));
  EXPECT_EQ(all<ReadingFailed>(events).at(0).source, Source::cfg);
  EXPECT_EQ(sources_read(events), (std::vector{Source::votequorum, Source::cmap}));
}

TEST_F(ReadingsTest, AFailureAtTheStatisticsIsOneOfCmap) {
  Request request = everything();
  request.statistics = false;
  read(request);
  fake_corosync::fail_next("cmap_initialize_map", CS_ERR_NO_SPACE);
  const auto events = read();
  EXPECT_TRUE(has<ConfigurationRead>(events));
  EXPECT_EQ(all<ReadingFailed>(events).at(0).source, Source::cmap);
  EXPECT_EQ(sources_read(events), (std::vector{Source::votequorum, Source::cfg}));
}

TEST_F(ReadingsTest, AFailureOfCfgLeavesTheLinksStatistics) {
  const auto before = all<LinkStatisticsRead>(read()).at(0).links;
  fake_corosync::fail_next("corosync_cfg_node_status_get", CS_ERR_MESSAGE_ERROR);
  EXPECT_EQ(all<LinkStatisticsRead>(read()).at(0).links, before);
}

class SlowReadingsTest : public ReadingsTest {
 protected:
  // To so many nodes, each of which has come up `ups` times.
  static void set_links(std::uint32_t count, std::uint32_t ups) {
    fake_corosync::change([&](Cluster& cluster) {
      for (std::uint32_t node = 2; node < count + 2; ++node) {
        cluster.cmap["nodelist.node." + std::to_string(node - 1) + ".nodeid"] = node;
        cluster.statuses[node] = cluster.statuses.at(2);
        const std::string link = "stats.knet.node" + std::to_string(node) + ".link0.";
        cluster.statistics[link + "down_count"] = std::uint32_t{0};
        cluster.statistics[link + "up_count"] = ups;
      }
    });
  }

  // How many links a reading that is late finds to have come up so often.
  std::ptrdiff_t links_with(std::uint64_t ups) {
    const auto links = all<LinkStatisticsRead>(read(late_, everything())).at(0).links;
    return std::ranges::count_if(links, [&](const auto& link) { return link.second.ups == ups; });
  }

 private:
  Readings late_{calls_, drain_, Groups{}, Timing{.links_wait_after = 0ms}};
};

TEST_F(SlowReadingsTest, FewLinksAreAllRead) {
  set_links(8, 1);
  EXPECT_EQ(links_with(1), 8);
  set_links(8, 2);
  EXPECT_EQ(links_with(2), 8);
}

TEST_F(SlowReadingsTest, OfManyLinksOneIsReadOnceAllWereRead) {
  set_links(9, 1);
  EXPECT_EQ(links_with(1), 9);
  set_links(9, 2);
  EXPECT_EQ(links_with(2), 1);
  EXPECT_EQ(links_with(2), 2);
}

TEST_F(SlowReadingsTest, TwelveReadingsAreEnoughForAllLinks) {
  constexpr std::uint32_t count = 24;
  set_links(count, 1);
  EXPECT_EQ(links_with(1), count);
  set_links(count, 2);
  for (int readings = 1; readings < 12; ++readings) {
    EXPECT_LT(links_with(2), count);
  }
  EXPECT_EQ(links_with(2), count);
}

TEST_F(ReadingsTest, ANodeThatKnetDoesNotKnowKeepsNobodyElseOut) {
  fake_corosync::change([](Cluster& cluster) { cluster.statuses.erase(2); });
  const auto events = read();
  EXPECT_FALSE(has<ReadingFailed>(events));
  const auto nodes = all<ReachabilityRead>(events).at(0).nodes;
  EXPECT_FALSE(nodes.contains(id(2)));
  EXPECT_TRUE(nodes.contains(id(3)));
}

struct HangUpCase {
  std::string name;
  Service service;
  Source source;
};
void PrintTo(const HangUpCase& row, std::ostream* out) { *out << row.name; }

class HangUpTest : public ReadingsTest, public ::testing::WithParamInterface<HangUpCase> {};

TEST_P(HangUpTest, FailsTheSourceWhichThenConnectsAnew) {
  read();
  fake_corosync::hang_up(GetParam().service);
  const auto failures = all<ReadingFailed>(read());
  ASSERT_EQ(failures.size(), 1U);
  EXPECT_EQ(failures[0].source, GetParam().source);
  now_ += 1s;
  const auto events = read();
  EXPECT_FALSE(has<ReadingFailed>(events));
  EXPECT_EQ(sources_read(events).size(), 3U);
  EXPECT_TRUE(drain_.next_look());  // the dead connection waits for corosync's process to end
}

INSTANTIATE_TEST_SUITE_P(Services, HangUpTest,
                         ::testing::Values(HangUpCase{"votequorum", Service::votequorum,
                                                      Source::votequorum},
                                           HangUpCase{"cmap", Service::cmap, Source::cmap},
                                           HangUpCase{"cfg", Service::cfg, Source::cfg}),
                         [](const auto& row) { return row.param.name; });

class ReadingRefusalTest : public ReadingsTest, public ::testing::WithParamInterface<cs_error_t> {};

TEST_P(ReadingRefusalTest, LeavesTheSourceAloneForAWhile) {
  fake_corosync::fail_next("corosync_cfg_initialize", GetParam());
  EXPECT_TRUE(has<ReadingFailed>(read()));
  now_ += 29s;
  Request urgent = everything();
  urgent.urgent = true;
  const auto events = read(urgent);
  EXPECT_FALSE(has<LocalNodeRead>(events));
  EXPECT_FALSE(has<ReadingFailed>(events));
  EXPECT_EQ(fake_corosync::calls("corosync_cfg_initialize"), 1U);
  readings_.disconnect();  // another connection, another chance
  EXPECT_TRUE(has<LocalNodeRead>(read()));
}

TEST_P(ReadingRefusalTest, IsTriedAgainAfterThatWhile) {
  fake_corosync::fail_next("cmap_initialize_map", GetParam());
  EXPECT_TRUE(has<ReadingFailed>(read()));
  now_ += 30s;
  EXPECT_TRUE(has<ConfigurationRead>(read()));
}

INSTANTIATE_TEST_SUITE_P(Codes, ReadingRefusalTest,
                         ::testing::Values(CS_ERR_ACCESS, CS_ERR_NO_SPACE, CS_ERR_NO_MEMORY));

// ---- A lasting fault: what it costs in ten minutes ----------------------------------------------

struct LastingCase {
  std::string call;
  Source source;
  std::string connects;  // the call that does, for each try
};
void PrintTo(const LastingCase& row, std::ostream* out) { *out << row.call; }

class LastingTest : public ReadingsTest, public ::testing::WithParamInterface<LastingCase> {
 protected:
  // When the source was tried in ten minutes, in seconds; all others are read in each poll.
  template <class Sign>
  std::vector<std::int64_t> tries() {
    const SteadyTime begin = now_;
    std::vector<std::int64_t> tries;
    std::map<Source, int> reads;
    read_for(10min, [&](const std::vector<Event>& events) {
      for (const Sign& sign : all<Sign>(events)) {
        if (sign.source == GetParam().source) {
          tries.push_back(std::chrono::duration_cast<std::chrono::seconds>(now_ - begin).count());
        }
      }
      for (const Source source : sources_read(events)) {
        ++reads[source];
      }
    });
    EXPECT_FALSE(reads.contains(GetParam().source));
    reads_ = reads;
    return tries;
  }
  std::map<Source, int> reads_;
};

TEST_P(LastingTest, AnErrorIsMetFifteenTimes) {
  fake_corosync::fail_always(GetParam().call, CS_ERR_MESSAGE_ERROR);
  EXPECT_EQ(tries<ReadingFailed>(), (std::vector<std::int64_t>{0, 1, 3, 7, 15, 31, 63, 123, 183,
                                                               243, 303, 363, 423, 483, 543}));
  EXPECT_EQ(reads_.size(), 2U);
  for (const auto& [source, count] : reads_) {
    EXPECT_EQ(count, 120) << name_of(source) << ": once a poll";
  }
  EXPECT_EQ(fake_corosync::calls(GetParam().call), 15U);
  EXPECT_LE(fake_corosync::calls(GetParam().connects), 2 * 15U);
}

TEST_P(LastingTest, ARefusalIsMetTwentyTimes) {
  fake_corosync::fail_always(GetParam().call, CS_ERR_NO_SPACE);
  EXPECT_EQ(tries<ReadingFailed>().size(), 20U);
  EXPECT_EQ(fake_corosync::calls(GetParam().call), 20U);
}

TEST_P(LastingTest, ACallThatIsNotAnsweredIsMadeThirteenTimesAndTakenBack) {
  fake_corosync::hang(GetParam().call);
  const std::jthread other{[&](const std::stop_token& stop) {
    SteadyTime taken_back;  // a call that was may take its time to return
    while (!stop.stop_requested()) {
      if (!fake_corosync::wait_until_hanging(GetParam().call, 10ms)) {
        continue;
      }
      if (const auto waiting = calls_.waiting();
          waiting && waiting->call == GetParam().call && waiting->since != taken_back) {
        taken_back = waiting->since;
        calls_.take_back_any();
      }
    }
  }};
  EXPECT_EQ(tries<ReadingInterrupted>(),
            (std::vector<std::int64_t>{0, 5, 15, 35, 75, 135, 195, 255, 315, 375, 435, 495, 555}));
  EXPECT_EQ(fake_corosync::calls(GetParam().call), 13U);
}

INSTANTIATE_TEST_SUITE_P(Sources, LastingTest,
                         ::testing::Values(LastingCase{"votequorum_getinfo", Source::votequorum,
                                                       "votequorum_initialize"},
                                           LastingCase{"cmap_iter_init", Source::cmap,
                                                       "cmap_initialize_map"},
                                           LastingCase{"corosync_cfg_local_get", Source::cfg,
                                                       "corosync_cfg_initialize"}),
                         [](const auto& row) { return std::string{name_of(row.param.source)}; });

// ---- Corosync is busy ---------------------------------------------------------------------------

TEST_F(ReadingsTest, WhatIsPutOffIsReadAtOnceOnAFreshConnectionAndThenHalfAsOften) {
  read();
  fake_corosync::control_flow();
  const auto events = read();
  EXPECT_EQ(sources_read(events), (std::vector{Source::votequorum, Source::cfg, Source::cmap}));
  EXPECT_TRUE(has<TotemRead>(events) && has<LinkStatisticsRead>(events));
  EXPECT_FALSE(has<ReadingInterrupted>(events) || has<ReadingFailed>(events));
  EXPECT_EQ(readings_.due(), now_ + 10s);
  now_ += 5s;
  EXPECT_TRUE(read().empty());
  now_ += 5s;
  EXPECT_EQ(sources_read(read()).size(), 3U);
  EXPECT_EQ(readings_.due(), std::nullopt) << "what it connected to then is answered";
  EXPECT_EQ(fake_corosync::open_handles(), 4U);
}

TEST_F(ReadingsTest, WhatIsPutOffOnAFreshConnectionTooIsInterruptedAndSoIsTheRest) {
  read();
  fake_corosync::fail_always("cmap_get", CS_ERR_TRY_AGAIN);
  const auto events = read();
  const auto interrupted = all<ReadingInterrupted>(events);
  ASSERT_EQ(interrupted.size(), 2U);
  EXPECT_EQ(interrupted[0].source, Source::cmap);
  EXPECT_EQ(interrupted[1].source, Source::cfg);
  EXPECT_EQ(sources_read(events), std::vector{Source::votequorum});
  EXPECT_EQ(readings_.due(), now_ + 5s);
}

TEST_F(ReadingsTest, WhatIsPutOffProvesNoLife) {
  read();
  fake_corosync::control_flow();
  fake_corosync::fail_always("votequorum_initialize", CS_ERR_TRY_AGAIN);  // as without room for it
  const auto events = read();
  EXPECT_TRUE(has<ReadingInterrupted>(events));
  EXPECT_FALSE(has<Answered>(events));
}

TEST_F(ReadingsTest, UrgencyThatComesTooEarlyIsNotForgotten) {
  read();
  fake_corosync::control_flow();
  read();
  const SteadyTime last_try = now_;
  now_ += 1s;
  Request request = everything();
  request.urgent = true;
  EXPECT_TRUE(read(request).empty());
  EXPECT_EQ(readings_.due(), last_try + 5s);
}

TEST_F(ReadingsTest, AnInterruptedReadingSaysWhenCorosyncLastAnswered) {
  fake_corosync::hang("cmap_iter_init");
  const SteadyTime begin = current_moment().steady;
  std::vector<Event> events;
  {
    const std::jthread other{[&] {
      EXPECT_TRUE(fake_corosync::wait_until_hanging("cmap_iter_init"));
      calls_.take_back_any();
    }};
    events = read({.has_provider = false});
  }
  const auto answers = all<Answered>(events);
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_GE(answers[0].at, begin) << "it had let us connect";
  EXPECT_EQ(all<CallCancelled>(events).at(0).call, "cmap_iter_init");
  fake_corosync::release("cmap_iter_init");
}

TEST_F(ReadingsTest, EverySourceMayFailAtOnce) {
  fake_corosync::kill();
  const auto failed = all<ReadingFailed>(read());
  ASSERT_EQ(failed.size(), 3U);
  for (const ReadingFailed& each : failed) {
    EXPECT_EQ(each.failure.error, "CS_ERR_LIBRARY");
    EXPECT_EQ(each.failure.detail, "Connection refused");
    EXPECT_FALSE(each.failure.answered);
  }
}

TEST_F(ReadingsTest, AConnectionThatAnsweredWithAnErrorIsFinalizedAtOnce) {
  fake_corosync::fail_next("cmap_get", CS_ERR_MESSAGE_ERROR);
  Request request = everything();
  request.statistics = false;
  read(request);
  EXPECT_EQ(fake_corosync::open_handles(Service::cmap), 0U);
  EXPECT_EQ(drain_.next_look(), std::nullopt);
}

}  // namespace
}  // namespace corosync_exporter
