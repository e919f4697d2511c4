// SPDX-License-Identifier: Apache-2.0
#include "corosync/statistics_reader.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "corosync_test.h"
#include "print_model.h"
#include "story.h"

namespace corosync_exporter {
namespace {

using fake_corosync::Cluster;

using namespace std::chrono_literals;

class StatisticsReaderTest : public CorosyncTest {
 protected:
  static void set(const std::map<std::string, fake_corosync::CmapValue>& statistics) {
    fake_corosync::change([&](Cluster& cluster) { cluster.statistics = statistics; });
  }

  using Links = std::map<LinkId, LinkStatistics>;
  Links read(const std::vector<LinkId>& ids) {
    return reader_.links(ids, ids.size(), SteadyTime::min());
  }

  Calls calls_{Timing{}};
  StatisticsReader reader_{calls_};
};

// ---- Links --------------------------------------------------------------------------------------

TEST_F(StatisticsReaderTest, ALinkHasAllItsFields) {
  const std::string link = "stats.knet.node2.link1.";
  std::map<std::string, fake_corosync::CmapValue> statistics{
      {link + "down_count", std::uint32_t{11}},      {link + "up_count", std::uint32_t{12}},
      {link + "latency_samples", std::uint32_t{13}}, {link + "latency_ave", std::uint32_t{14}},
      {link + "latency_max", std::uint32_t{15}},     {link + "latency_min", std::uint32_t{16}}};
  std::uint64_t next = 100;
  std::map<Traffic, TrafficCounters> traffic;
  const std::map<Traffic, std::string> names{{Traffic::data, "data"},
                                             {Traffic::ping, "ping"},
                                             {Traffic::pong, "pong"},
                                             {Traffic::pmtu, "pmtu"}};
  for (const auto& [kind, name] : names) {
    const auto counter = [&, name = name](const std::string& direction, const std::string& what) {
      statistics[link + direction + name + what] = ++next;
      return next;
    };
    traffic[kind] = {.receive_bytes = counter("rx_", "_bytes"),
                     .receive_packets = counter("rx_", "_packets"),
                     .transmit_bytes = counter("tx_", "_bytes"),
                     .transmit_packets = counter("tx_", "_packets"),
                     .transmit_errors = counter("tx_", "_errors"),
                     .transmit_retries = counter("tx_", "_retries")};
  }
  set(statistics);
  const LinkStatistics expected{
      .latency = 14us, .latency_max = 15us, .downs = 11, .ups = 12, .traffic = traffic};
  EXPECT_EQ(read({{id(2), 1}}), (Links{{{id(2), 1}, expected}}));
}

TEST_F(StatisticsReaderTest, ALinkThatCorosyncDoesNotHaveIsNone) {
  EXPECT_EQ(read({{id(2), 5}, {id(9), 0}}), Links{});
}

TEST_F(StatisticsReaderTest, ALinkOfWhichACountIsMissingIsNone) {
  for (const std::string only : {"down_count", "up_count"}) {
    set({{"stats.knet.node2.link1." + only, std::uint32_t{1}}});
    EXPECT_TRUE(read({{id(2), 1}}).empty()) << only;
  }
}

TEST_F(StatisticsReaderTest, ALatencyThatIsMissingIsUnknown) {
  const std::string link = "stats.knet.node2.link1.";
  set({{link + "down_count", std::uint32_t{1}},
       {link + "up_count", std::uint32_t{1}},
       {link + "latency_samples", std::uint32_t{1}}});
  const auto links = read({{id(2), 1}});
  ASSERT_EQ(links.size(), 1U);
  EXPECT_EQ(links.begin()->second.latency, std::nullopt);
  EXPECT_EQ(links.begin()->second.latency_max, std::nullopt);
}

TEST_F(StatisticsReaderTest, ALatencyIsUnknownBeforeItsFirstSample) {
  const std::string link = "stats.knet.node2.link0.";
  set({{link + "down_count", std::uint32_t{1}},
       {link + "up_count", std::uint32_t{0}},
       {link + "latency_samples", std::uint32_t{0}},
       {link + "latency_ave", std::uint32_t{0}},
       {link + "latency_max", std::uint32_t{0}}});
  const LinkStatistics only = read({{id(2), 0}}).at({id(2), 0});
  EXPECT_EQ(only.latency, std::nullopt);
  EXPECT_EQ(only.latency_max, std::nullopt);
}

// Nodes 1 to `count`, whose link 0 has received `packets` packets of data.
class StatisticsTurnsTest : public StatisticsReaderTest {
 protected:
  static void set_packets(std::uint32_t count, std::uint64_t packets) {
    std::map<std::string, fake_corosync::CmapValue> statistics;
    for (std::uint32_t node = 1; node <= count; ++node) {
      const std::string link = "stats.knet.node" + std::to_string(node) + ".link0.";
      statistics[link + "down_count"] = packets;
      statistics[link + "up_count"] = packets;
      for (const std::string kind : {"data", "ping", "pong", "pmtu"}) {
        for (const std::string counter : {"rx_*_bytes", "rx_*_packets", "tx_*_bytes",
                                          "tx_*_packets", "tx_*_errors", "tx_*_retries"}) {
          statistics[link + std::string{counter}.replace(3, 1, kind)] = packets;
        }
      }
    }
    set(statistics);
  }

  static constexpr SteadyTime hurried = SteadyTime::min();
  static constexpr SteadyTime at_leisure = SteadyTime::max();

  // By node; -1 where there is no traffic.
  using Packets = std::map<std::uint32_t, std::int64_t>;
  Packets packets(SteadyTime until, const std::vector<std::uint32_t>& nodes,
                  std::size_t least = 1) {
    std::vector<LinkId> ids;
    ids.reserve(nodes.size());
    for (const std::uint32_t node : nodes) {
      ids.emplace_back(id(node), LinkNumber{0});
    }
    Packets all;
    for (const auto& [link, statistics] : reader_.links(ids, least, until)) {
      const auto found = statistics.traffic.find(Traffic::data);
      all[static_cast<std::uint32_t>(link.first)] =
          found == statistics.traffic.end()
              ? -1
              : static_cast<std::int64_t>(found->second.receive_packets);
    }
    return all;
  }
};

TEST_F(StatisticsTurnsTest, WithTimeAllLinksAreReadEachTime) {
  for (const int now : {10, 20, 30}) {
    set_packets(3, static_cast<std::uint64_t>(now));
    EXPECT_EQ(packets(at_leisure, {1, 2, 3}), (Packets{{1, now}, {2, now}, {3, now}}));
  }
}

TEST_F(StatisticsTurnsTest, WithoutTimeOneLinkIsReadAfterTheOtherOnceAllWereRead) {
  const auto read = [this] { return packets(hurried, {1, 2, 3}); };
  set_packets(3, 10);
  EXPECT_EQ(read(), (Packets{{1, 10}, {2, 10}, {3, 10}}));
  set_packets(3, 20);
  EXPECT_EQ(read(), (Packets{{1, 10}, {2, 20}, {3, 10}}));
  set_packets(3, 30);
  EXPECT_EQ(read(), (Packets{{1, 10}, {2, 20}, {3, 30}}));
  set_packets(3, 40);
  EXPECT_EQ(read(), (Packets{{1, 40}, {2, 20}, {3, 30}}));
}

TEST_F(StatisticsTurnsTest, WithoutTimeSoManyLinksAreReadAsItIsToldTo) {
  set_packets(3, 10);
  EXPECT_EQ(packets(hurried, {1, 2, 3}, 2), (Packets{{1, 10}, {2, 10}, {3, 10}}));
  set_packets(3, 20);
  EXPECT_EQ(packets(hurried, {1, 2, 3}, 2), (Packets{{1, 20}, {2, 10}, {3, 20}}));
}

TEST_F(StatisticsTurnsTest, ALinkThatIsGoneLosesItsTurnAndIsReadOnceItIsBack) {
  set_packets(3, 10);
  EXPECT_EQ(packets(hurried, {1, 2, 3}), (Packets{{1, 10}, {2, 10}, {3, 10}}));
  set_packets(3, 20);
  EXPECT_EQ(packets(hurried, {1, 3}), (Packets{{1, 10}, {3, 20}}));
  set_packets(3, 30);
  EXPECT_EQ(packets(hurried, {1, 2, 3}), (Packets{{1, 30}, {2, 30}, {3, 20}}));
}

TEST_F(StatisticsTurnsTest, ALinkThatCorosyncHasNoMoreIsForgotten) {
  set_packets(2, 10);
  EXPECT_EQ(packets(at_leisure, {1, 2}), (Packets{{1, 10}, {2, 10}}));
  set_packets(1, 10);
  EXPECT_EQ(packets(at_leisure, {1, 2}), (Packets{{1, 10}}));
}

TEST_F(StatisticsTurnsTest, TrafficOfWhichACounterIsMissingIsUnknown) {
  set_packets(2, 10);
  fake_corosync::change(
      [](Cluster& cluster) { cluster.statistics.erase("stats.knet.node2.link0.tx_pmtu_bytes"); });
  EXPECT_EQ(packets(at_leisure, {1, 2}), (Packets{{1, 10}, {2, -1}}));
}

// ---- Totem --------------------------------------------------------------------------------------

TEST_F(StatisticsReaderTest, TotemHasAllItsFields) {
  set({{"stats.srp.orf_token_tx", std::uint64_t{1}},
       {"stats.srp.orf_token_rx", std::uint64_t{2}},
       {"stats.srp.mcast_tx", std::uint64_t{3}},
       {"stats.srp.mcast_rx", std::uint64_t{4}},
       {"stats.srp.memb_join_tx", std::uint64_t{5}},
       {"stats.srp.memb_join_rx", std::uint64_t{6}},
       {"stats.srp.memb_merge_detect_tx", std::uint64_t{7}},
       {"stats.srp.memb_merge_detect_rx", std::uint64_t{8}},
       {"stats.srp.memb_commit_token_tx", std::uint64_t{9}},
       {"stats.srp.memb_commit_token_rx", std::uint64_t{10}},
       {"stats.srp.token_hold_cancel_tx", std::uint64_t{11}},
       {"stats.srp.token_hold_cancel_rx", std::uint64_t{12}},
       {"stats.srp.operational_entered", std::uint64_t{13}},
       {"stats.srp.operational_token_lost", std::uint64_t{14}},
       {"stats.srp.gather_entered", std::uint64_t{15}},
       {"stats.srp.gather_token_lost", std::uint64_t{16}},
       {"stats.srp.commit_entered", std::uint64_t{17}},
       {"stats.srp.commit_token_lost", std::uint64_t{18}},
       {"stats.srp.recovery_entered", std::uint64_t{19}},
       {"stats.srp.recovery_token_lost", std::uint64_t{20}},
       {"stats.srp.mcast_retx", std::uint64_t{21}},
       {"stats.srp.consensus_timeouts", std::uint64_t{22}},
       {"stats.srp.rx_msg_dropped", std::uint64_t{23}},
       {"stats.srp.mtt_rx_token", std::uint32_t{24}},
       {"stats.srp.avg_token_workload", std::uint32_t{25}},
       {"stats.srp.avg_backlog_calc", std::uint32_t{26}},
       {"stats.srp.firewall_enabled_or_nic_failure", std::uint8_t{1}},
       {"stats.ipcs.global.active", std::uint64_t{27}},
       {"stats.ipcs.global.closed", std::uint64_t{28}},
       {"stats.schedmiss.0.timestamp", std::uint64_t{1'700'000'000'123}},
       {"stats.schedmiss.0.delay", 2500.5F},
       {"stats.schedmiss.1.timestamp", std::uint64_t{1'600'000'000'000}},
       {"stats.schedmiss.1.delay", 1.0F}});
  const Totem expected{
      .transmitted = {{TotemMessage::token, 1},
                      {TotemMessage::multicast, 3},
                      {TotemMessage::join, 5},
                      {TotemMessage::merge_detect, 7},
                      {TotemMessage::commit_token, 9},
                      {TotemMessage::token_hold_cancel, 11}},
      .received = {{TotemMessage::token, 2},
                   {TotemMessage::multicast, 4},
                   {TotemMessage::join, 6},
                   {TotemMessage::merge_detect, 8},
                   {TotemMessage::commit_token, 10},
                   {TotemMessage::token_hold_cancel, 12}},
      .entered = {{TotemPhase::operational, 13},
                  {TotemPhase::gather, 15},
                  {TotemPhase::commit, 17},
                  {TotemPhase::recovery, 19}},
      .token_losses = {{TotemPhase::operational, 14},
                       {TotemPhase::gather, 16},
                       {TotemPhase::commit, 18},
                       {TotemPhase::recovery, 20}},
      .retransmits = 21,
      .consensus_timeouts = 22,
      .dropped_messages = 23,
      .token_interval = 24ms,
      .token_hold = 25ms,
      .backlog_messages = 26,
      .network_fault = true,
      .last_pause = SchedulingPause{.at = SystemTime{1'700'000'000'123ms}, .lasted = 2500500us},
      .ipc_connections = 27,
      .ipc_closed = 28};
  EXPECT_EQ(reader_.totem(), expected);
}

TEST_F(StatisticsReaderTest, WhatCorosyncDoesNotCountIsUnknown) {
  set({});
  EXPECT_EQ(reader_.totem(), Totem{});
}

TEST_F(StatisticsReaderTest, HalfAPauseIsNone) {
  set({{"stats.schedmiss.0.timestamp", std::uint64_t{1'700'000'000'123}}});
  EXPECT_EQ(reader_.totem().last_pause, std::nullopt);
  set({{"stats.schedmiss.0.delay", 2500.5F}});
  EXPECT_EQ(reader_.totem().last_pause, std::nullopt);
}

TEST_F(StatisticsReaderTest, ANetworkWithoutFaultHasNone) {
  set({{"stats.srp.firewall_enabled_or_nic_failure", std::uint8_t{0}}});
  EXPECT_EQ(reader_.totem().network_fault, false);
}

TEST_F(StatisticsReaderTest, ReadsTheStatisticsMap) {
  fake_corosync::change([](Cluster& cluster) {
    cluster.cmap["stats.srp.mcast_retx"] = std::uint64_t{1};
    cluster.statistics["stats.srp.mcast_retx"] = std::uint64_t{2};
  });
  EXPECT_EQ(reader_.totem().retransmits, 2U);
}

}  // namespace
}  // namespace corosync_exporter
