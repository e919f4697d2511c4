// SPDX-License-Identifier: Apache-2.0
#include "watcher_test.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

namespace corosync_exporter {
namespace {

using namespace std::chrono_literals;
using fake_corosync::Cluster;
using fake_corosync::Service;

bool tells(const Timeline& timeline, ChangeKind kind) {
  return std::ranges::any_of(timeline.entries(), [&](const auto& entry) {
    return std::ranges::any_of(entry->told,
                               [&](const Told& told) { return told.change.kind == kind; });
  });
}

// Now, for the state as last published.
SteadyTime now() { return current_moment().steady; }

// ---- Connecting --------------------------------------------------------------------------------

TEST_F(WatcherTest, KnowsEverythingOnceConnected) {
  start();
  run_until_settled();
  EXPECT_TRUE(is_up(state_, now()));
  EXPECT_EQ(state_.connects, 1U);
  const Membership membership{.ring = ring(1, 8), .members = ids({1, 2, 3})};
  EXPECT_EQ(state_.present->membership, membership);
  const Verdict verdict{.quorate = true, .ring = ring(1, 8)};
  EXPECT_EQ(state_.present->verdict, verdict);
  EXPECT_EQ(state_.present->voters, ids({2, 3, 1}));
  ASSERT_TRUE(run_until([&] { return state_.present->votes->nodes.size() == 3; }));
  EXPECT_EQ(state_.present->votes->present, 23U);
  EXPECT_EQ(state_.info->cluster_name, "testcluster");
  EXPECT_EQ(state_.local_node, id(1));
  EXPECT_EQ(state_.nodes.at(id(2)).name, "beta");
}

TEST_F(WatcherTest, NothingIsCountedByConnecting) {
  start();
  run_until_settled();
  EXPECT_EQ(state_.quorum.changes, 0U);
  EXPECT_EQ(state_.membership.changes, 0U);
  const Notifications once{
      .quorum_nodelist = 1, .quorum_quorum = 1, .votequorum_nodelist = 1, .votequorum_quorum = 1};
  EXPECT_EQ(state_.notifications, once);
}

TEST_F(WatcherTest, TracksChangesOnEachServiceOnce) {
  start();
  run_until_settled();
  EXPECT_EQ(fake_corosync::track_flags(Service::quorum), std::vector<unsigned>{CS_TRACK_CHANGES});
  EXPECT_EQ(fake_corosync::track_flags(Service::votequorum),
            std::vector<unsigned>{CS_TRACK_CHANGES});
}

TEST_F(WatcherTest, WaitsForACorosyncThatIsNotThere) {
  fake_corosync::kill();
  start();
  const std::pair<std::string, std::string> refused{"quorum_model_initialize", "CS_ERR_LIBRARY"};
  ASSERT_TRUE(run_until([&] { return state_.connect_errors[refused] >= 10; }));
  EXPECT_EQ(state_.disconnected_by->detail, "Connection refused");
  EXPECT_FALSE(is_up(state_, now()));
  EXPECT_EQ(log_lines(), 1U);
  fake_corosync::start();
  run_until_settled();
  EXPECT_EQ(log_lines(), 2U);
}

// As seen at a start: not ready, then a ring of its own without quorum, then everybody.
TEST_F(WatcherTest, FollowsACorosyncThatStarts) {
  fake_corosync::change([](Cluster& cluster) {
    cluster.ring = {.nodeid = 1, .seq = 4};
    cluster.members = {1};
    cluster.quorate = false;
  });
  fake_corosync::fail_always("quorum_model_initialize", CS_ERR_TRY_AGAIN);
  start();
  ASSERT_TRUE(run_until([&] {
    return state_.connect_errors[{"quorum_model_initialize", "CS_ERR_TRY_AGAIN"}] == 3;
  }));
  fake_corosync::stop_failing("quorum_model_initialize");
  run_until_synced();
  EXPECT_EQ(state_.present->membership->members, ids({1}));
  EXPECT_FALSE(state_.present->verdict->quorate);
  fake_corosync::form({.nodeid = 1, .seq = 8}, {1, 2, 3}, true);
  ASSERT_TRUE(run_until([&] { return state_.quorum.changes == 1; }));
  EXPECT_EQ(state_.quorum.losses, 0U);
  EXPECT_EQ(state_.membership.changes, 1U);
  EXPECT_EQ(state_.nodes.at(id(2)).joins, 1U);
  EXPECT_GT(time_without_quorum(state_, now()), 0s);
}

TEST_F(WatcherTest, WithoutAProviderTheMembersAreAllThereIs) {
  fake_corosync::change([](Cluster& cluster) {
    cluster.has_provider = false;
    cluster.cmap.erase("quorum.provider");
  });
  start();
  run_until_settled();
  EXPECT_TRUE(is_up(state_, now()));
  EXPECT_EQ(state_.present->membership->members, ids({1, 2, 3}));
  EXPECT_EQ(state_.present->verdict, std::nullopt);
  EXPECT_EQ(state_.present->votes, std::nullopt);
  EXPECT_FALSE(state_.sources.contains(Source::votequorum));
  EXPECT_EQ(state_.info->provider, "");
  EXPECT_EQ(fake_corosync::calls("votequorum_initialize"), 0U);
  EXPECT_TRUE(state_.connect_errors.empty());
}

TEST_F(WatcherTest, AProviderMayComeWithTheNextCorosync) {
  fake_corosync::change([](Cluster& cluster) { cluster.has_provider = false; });
  start();
  run_until_settled();
  fake_corosync::kill();
  run_until_disconnected();
  fake_corosync::change([](Cluster& cluster) { cluster.has_provider = true; });
  fake_corosync::start();
  run_until_settled();
  EXPECT_TRUE(state_.present->verdict);
  EXPECT_TRUE(state_.present->votes);
}

// ---- Callbacks, in every order that corosync may send them in ----------------------------------

struct OrderCase {
  std::string name;  // q and v: quorum's and votequorum's; N and Q: node list and quorum
  std::vector<std::function<void()>> callbacks;
};
void PrintTo(const OrderCase& row, std::ostream* out) { *out << row.name; }

const auto qN = [] { fake_corosync::send_quorum_nodelist({}, {2, 3}); };
const auto qQ = [] { fake_corosync::send_quorum_quorum(); };
const auto vN = [] { fake_corosync::send_votequorum_nodelist(); };
const auto vQ = [] { fake_corosync::send_votequorum_quorum(); };

class OrderTest : public WatcherTest, public ::testing::WithParamInterface<OrderCase> {
 protected:
  std::uint64_t callbacks() const {
    const Notifications& seen = state_.notifications;
    return seen.quorum_nodelist + seen.quorum_quorum + seen.votequorum_nodelist +
           seen.votequorum_quorum + seen.votequorum_expected_votes;
  }
};

TEST_P(OrderTest, LeadsToTheSameEnd) {
  start();
  run_until_settled();
  fake_corosync::change([](Cluster& cluster) {
    cluster.ring = {.nodeid = 1, .seq = 12};
    cluster.members = {1};
    cluster.quorate = false;
  });
  for (const auto& send : GetParam().callbacks) {
    const std::uint64_t before = callbacks();
    send();
    ASSERT_TRUE(run_until([&] { return callbacks() == before + 1; }));
  }
  EXPECT_EQ(state_.quorum.changes, 1U);
  EXPECT_EQ(state_.quorum.losses, 1U);
  EXPECT_EQ(state_.membership.changes, 1U);
  EXPECT_EQ(state_.nodes.at(id(2)).leaves, 1U);
  EXPECT_EQ(state_.nodes.at(id(3)).leaves, 1U);
  EXPECT_EQ(state_.present->membership->ring, state_.present->verdict->ring);
}

TEST_P(OrderTest, LeadsToTheSameEndWhenAllComeAtOnce) {
  start();
  run_until_settled();
  fake_corosync::change([](Cluster& cluster) {
    cluster.ring = {.nodeid = 1, .seq = 12};
    cluster.members = {1};
    cluster.quorate = false;
  });
  const std::uint64_t before = callbacks();
  for (const auto& send : GetParam().callbacks) {
    send();
  }
  ASSERT_TRUE(run_until([&] { return callbacks() == before + GetParam().callbacks.size(); }));
  EXPECT_EQ(state_.quorum.losses, 1U);
  EXPECT_EQ(state_.membership.changes, 1U);
}

INSTANTIATE_TEST_SUITE_P(Orders, OrderTest,
                         ::testing::Values(OrderCase{"qN_vN_qQ_vQ", {qN, vN, qQ, vQ}},
                                           OrderCase{"qN_vN_vQ_qQ", {qN, vN, vQ, qQ}},
                                           OrderCase{"qN_qQ_vN_vQ", {qN, qQ, vN, vQ}},
                                           OrderCase{"vN_qN_qQ_vQ", {vN, qN, qQ, vQ}},
                                           OrderCase{"vN_qN_vQ_qQ", {vN, qN, vQ, qQ}},
                                           OrderCase{"vN_vQ_qN_qQ", {vN, vQ, qN, qQ}}),
                         [](const auto& row) { return row.param.name; });

TEST_F(WatcherTest, ASyncIsInProgressFromTheNodeListToTheVerdict) {
  start();
  run_until_settled();
  fake_corosync::change([](Cluster& cluster) { cluster.ring = {.nodeid = 1, .seq = 12}; });
  fake_corosync::send_quorum_nodelist();
  ASSERT_TRUE(run_until([&] { return state_.present->membership->ring == ring(1, 12); }));
  EXPECT_EQ(state_.present->verdict->ring, ring(1, 8));
  fake_corosync::send_quorum_quorum();
  ASSERT_TRUE(run_until([&] { return state_.present->verdict->ring == ring(1, 12); }));
}

// A ring that breaks before its verdict has none.
TEST_F(WatcherTest, ANodeListMayComeWithoutAVerdict) {
  start();
  run_until_settled();
  fake_corosync::change([](Cluster& cluster) { cluster.ring = {.nodeid = 1, .seq = 12}; });
  fake_corosync::send_quorum_nodelist();
  fake_corosync::form({.nodeid = 1, .seq = 16}, {1, 2}, true);
  ASSERT_TRUE(run_until([&] { return state_.present->verdict->ring == ring(1, 16); }));
  EXPECT_EQ(state_.membership.changes, 2U);
  EXPECT_EQ(state_.quorum.changes, 0U);
}

// After SIGCONT, a node's peers are told to have left and joined at once.
TEST_F(WatcherTest, ANodeMayLeaveAndJoinInOneNodeList) {
  start();
  run_until_settled();
  fake_corosync::change([](Cluster& cluster) { cluster.ring = {.nodeid = 1, .seq = 12}; });
  fake_corosync::send_quorum_nodelist({2, 3}, {2, 3});
  ASSERT_TRUE(run_until([&] { return state_.nodes.at(id(3)).joins == 1; }));
  EXPECT_EQ(state_.nodes.at(id(3)).leaves, 1U);
}

TEST_F(WatcherTest, ANewRingOfTheSameMembersChangesNoVerdict) {
  start();
  run_until_settled();
  fake_corosync::form({.nodeid = 1, .seq = 12}, {1, 2, 3}, true);
  ASSERT_TRUE(run_until([&] { return state_.membership.changes == 1; }));
  ASSERT_TRUE(run_until([&] { return state_.notifications.quorum_quorum == 2; }));
  EXPECT_EQ(state_.quorum.changes, 0U);
}

// ---- The timeline ------------------------------------------------------------------------------

TEST_F(WatcherTest, TheTimelineIsPublishedWithTheState) {
  start();
  run_until_settled();
  ASSERT_EQ(timeline_->entries().size(), 1U);
  EXPECT_EQ(timeline_->entries()[0]->told[0].change.kind, ChangeKind::connected);
  fake_corosync::form({.nodeid = 1, .seq = 12}, {1}, false);
  ASSERT_TRUE(run_until([&] { return state_.quorum.losses == 1; }));
  const auto& told = timeline_->entries().back()->told;
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].change.kind, ChangeKind::nodes_left);
  EXPECT_EQ(told[0].names[0], "beta");
  EXPECT_EQ(told[1].change.kind, ChangeKind::quorum_lost);
  EXPECT_EQ(told[1].at, state_.quorum.last_change);
}

TEST_F(WatcherTest, AnUnchangedTimelineIsPublishedAgainAsItIs) {
  start();
  run_until_settled();
  const Timeline* const before = timeline_.get();
  fake_corosync::send_votequorum_expected_votes();
  ASSERT_TRUE(run_until([&] { return state_.notifications.votequorum_expected_votes == 1; }));
  EXPECT_EQ(timeline_.get(), before);
}

TEST_F(WatcherTest, TheGenerationGrowsWithEachPublishedState) {
  start();
  run_until_settled();
  const std::uint64_t before = generation_;
  fake_corosync::send_votequorum_expected_votes();
  ASSERT_TRUE(run_until([&] { return state_.notifications.votequorum_expected_votes == 1; }));
  EXPECT_GT(generation_, before);
}

TEST_F(WatcherTest, AStormOfChangesLeavesAShortTimelineThatCountsThem) {
  constexpr std::uint64_t flips = 2000;
  start();
  run_until_settled();
  for (std::uint64_t i = 0; i < flips; ++i) {
    fake_corosync::change([&](Cluster& cluster) { cluster.quorate = i % 2 != 0; });
    fake_corosync::send_quorum_quorum();
  }
  ASSERT_TRUE(run_until([&] { return state_.quorum.changes == flips; }));
  const auto& entries = timeline_->entries();
  EXPECT_GT(entries.back()->number, flips);
  EXPECT_LE(entries.size(), 6U)
      << "connected; of lost and regained the newest, and all before that";
  std::uint64_t told = 0;
  for (const auto& entry : entries) {
    told += entry->count;
  }
  EXPECT_EQ(told, entries.back()->number);
}

// ---- Readings ----------------------------------------------------------------------------------

TEST_F(WatcherTest, PollingFindsWhatIsNotAnnounced) {
  start();
  run_until_settled();
  fake_corosync::change([](Cluster& cluster) {
    cluster.infos[1].total_votes = 41;
    cluster.infos[1].flags |= VOTEQUORUM_INFO_QDEVICE_REGISTERED;
    cluster.infos[1].qdevice_votes = 42;
    cluster.cmap["runtime.votequorum.wait_for_all_status"] = std::uint8_t{1};
    cluster.local_node = 2;
    cluster.statuses[1] = cluster.statuses[2];
    cluster.infos[2].total_votes = 41;
    cluster.infos[2].flags = cluster.infos[1].flags;
    cluster.infos[2].qdevice_votes = 42;
  });
  ASSERT_TRUE(run_until([&] {
    return state_.present->votes->present == 41 && state_.present->waiting_for_all &&
           state_.local_node == id(2);
  }));
  EXPECT_EQ(state_.present->votes->qdevice, 42U);
}

TEST_F(WatcherTest, ACallbackIsReasonToReadWithoutWaitingForThePoll) {
  Timing timing = quick();
  timing.poll_interval = never;
  start(timing);
  run_until_settled();
  fake_corosync::change([](Cluster& cluster) { cluster.infos[1].node_expected_votes = 41; });
  fake_corosync::send_votequorum_expected_votes();
  ASSERT_TRUE(run_until([&] { return state_.present->votes->expected == 41; }));
}

TEST_F(WatcherTest, ANewcomerIsNamedByTheReadingAfterIt) {
  Timing timing = quick();
  timing.poll_interval = never;
  start(timing);
  run_until_settled();
  fake_corosync::change([](Cluster& cluster) {
    cluster.voters.push_back({.nodeid = 4, .state = VOTEQUORUM_NODESTATE_MEMBER});
    cluster.infos[4] = cluster.infos[3];
    cluster.infos[4].node_votes = 8;
    cluster.cmap["runtime.members.4.ip"] = "r(0) ip(10.0.0.4) ";
  });
  fake_corosync::form({.nodeid = 1, .seq = 12}, {1, 2, 3, 4}, true);
  ASSERT_TRUE(run_until([&] {
    const auto node = state_.nodes.find(id(4));
    return node != state_.nodes.end() && node->second.name == "10.0.0.4" &&
           state_.present->votes->nodes.contains(id(4));
  }));
  EXPECT_EQ(state_.present->votes->nodes.at(id(4)).votes, 8U);
}

TEST_F(WatcherTest, AFailedReadingLeavesTheRestAloneAndRecovers) {
  start();
  run_until_settled();
  fake_corosync::fail_always("cmap_get", CS_ERR_LIBRARY);
  ASSERT_TRUE(run_until([&] { return !state_.sources.at(Source::cmap).up; }));
  EXPECT_TRUE(is_up(state_, now()));
  EXPECT_TRUE(state_.sources.at(Source::votequorum).up);
  EXPECT_TRUE(state_.sources.at(Source::cfg).up);
  EXPECT_EQ(state_.connects, 1U);
  fake_corosync::stop_failing("cmap_get");
  ASSERT_TRUE(run_until([&] { return state_.sources.at(Source::cmap).up; }));
}

TEST_F(WatcherTest, AFailedReadingIsRepeatedBeforeTheNextPoll) {
  Timing timing = quick();
  timing.poll_interval = never;
  fake_corosync::fail_next("cmap_initialize_map", CS_ERR_LIBRARY);
  start(timing);
  run_until_settled();
  EXPECT_EQ(fake_corosync::calls("cmap_initialize_map"), 3U);  // icmap twice, the statistics once
}

TEST_F(WatcherTest, ReadingsThatComeAfterTheConnectionWasLostAreNoNews) {
  Timing timing = quick();
  timing.first_retry = never;
  start(timing);
  run_until_settled();
  fake_corosync::hang("corosync_cfg_local_get");
  ASSERT_TRUE(
      run_until([] { return fake_corosync::wait_until_hanging("corosync_cfg_local_get", 0ms); }));
  fake_corosync::change([](Cluster& cluster) {
    cluster.local_node = 2;
    cluster.statuses[1] = cluster.statuses[2];
  });
  fake_corosync::hang_up(Service::quorum);
  run_until_disconnected();
  const std::size_t reads = fake_corosync::calls("corosync_cfg_node_status_get");
  fake_corosync::release("corosync_cfg_local_get");
  ASSERT_TRUE(
      run_until([&] { return fake_corosync::calls("corosync_cfg_node_status_get") > reads; }));
  run_rounds(50);
  EXPECT_FALSE(watcher_->waiting());
  EXPECT_EQ(state_.present, std::nullopt);
  EXPECT_EQ(state_.local_node, id(1));
  EXPECT_FALSE(state_.sources.at(Source::cfg).up);
  EXPECT_FALSE(is_up(state_, now()));
}

TEST_F(WatcherTest, LinksAndTotemAreReadAtOnceAndThenWithThePoll) {
  start();
  run_until_settled();
  EXPECT_EQ(state_.present->reachability.at(id(2)).links.at(0).mtu_bytes, 1397U);
  EXPECT_EQ(state_.present->link_statistics.at({id(3), 0}).downs, 3U);
  EXPECT_EQ(state_.present->totem->transmitted.at(TotemMessage::multicast), 100U);
  fake_corosync::change([](Cluster& cluster) {
    cluster.statistics["stats.srp.mcast_tx"] = std::uint64_t{101};
    cluster.statuses[2].link_status[0].connected = 0;
  });
  ASSERT_TRUE(run_until([&] {
    return state_.present->totem->transmitted.at(TotemMessage::multicast) == 101 &&
           !state_.present->reachability.at(id(2)).links.at(0).connected;
  }));
}

TEST_F(WatcherTest, IsSettledOnceEverythingWasReadOrATryHasFailed) {
  fake_corosync::fail_next("quorum_trackstart", CS_ERR_TRY_AGAIN);
  Timing timing = quick();
  timing.first_retry = 50ms;
  start(timing);
  EXPECT_FALSE(watcher_->is_settled());
  run_until_disconnected();
  EXPECT_TRUE(watcher_->is_settled());
  ASSERT_TRUE(run_until([&] { return state_.present.has_value(); }));
  EXPECT_FALSE(watcher_->is_settled() && !state_.present->totem);
  ASSERT_TRUE(run_until([&] { return watcher_->is_settled(); }));
  EXPECT_TRUE(state_.present->totem);
}

// ---- A membership sync, during which corosync answers for votequorum alone ----------------------

TEST_F(WatcherTest, DuringASyncOnlyVotequorumIsAsked) {
  start();
  run_until_settled();
  fake_corosync::change([](Cluster& cluster) { cluster.ring = {.nodeid = 1, .seq = 12}; });
  fake_corosync::send_quorum_nodelist();
  ASSERT_TRUE(run_until([&] { return is_syncing(state_); }));
  ASSERT_TRUE(run_until([&] { return !watcher_->waiting(); }));
  const std::size_t votes = fake_corosync::calls("votequorum_getinfo");
  ASSERT_TRUE(run_until([&] { return fake_corosync::calls("votequorum_getinfo") > votes + 20; }));
  const std::size_t others =
      fake_corosync::calls("cmap_get") + fake_corosync::calls("corosync_cfg_local_get");
  ASSERT_TRUE(run_until([&] { return fake_corosync::calls("votequorum_getinfo") > votes + 60; }));
  EXPECT_EQ(fake_corosync::calls("cmap_get") + fake_corosync::calls("corosync_cfg_local_get"),
            others);
  EXPECT_TRUE(is_up(state_, now()));
  fake_corosync::send_quorum_quorum();
  ASSERT_TRUE(run_until([&] {
    return fake_corosync::calls("cmap_get") + fake_corosync::calls("corosync_cfg_local_get") >
           others;
  }));
}

TEST_F(WatcherTest, WhatIsDueDuringASyncWaitsForItsEnd) {
  Timing timing = quick();
  timing.poll_interval = 300ms;
  start(timing);
  run_until_settled();
  fake_corosync::control_flow();  // what is then read on a fresh connection has a time when it is
                                  // due
  ASSERT_TRUE(run_until([&] { return fake_corosync::calls("corosync_cfg_initialize") >= 2; }));
  fake_corosync::change([](Cluster& cluster) { cluster.ring = {.nodeid = 1, .seq = 12}; });
  fake_corosync::send_quorum_nodelist();
  ASSERT_TRUE(run_until([&] { return is_syncing(state_); }));
  const SteadyTime begin = now();
  ASSERT_TRUE(run_until([&] { return now() - begin > 3 * timing.poll_interval; }));
  const std::uint64_t published = generation_;
  ASSERT_TRUE(run_until([&] { return now() - begin > 6 * timing.poll_interval; }));
  EXPECT_LT(generation_ - published, 50U) << "it is not asked for again and again";
  fake_corosync::send_quorum_quorum();
  const std::size_t asked = fake_corosync::calls("corosync_cfg_local_get");
  ASSERT_TRUE(run_until([&] { return fake_corosync::calls("corosync_cfg_local_get") > asked; }));
}

TEST_F(WatcherTest, StatisticsAreReadAsSoonAsASyncHasEnded) {
  Timing timing = quick();
  timing.poll_interval = 1h;
  timing.stale_after = 2h;
  start(timing);
  run_until_settled();
  fake_corosync::change([](Cluster& cluster) { cluster.ring = {.nodeid = 1, .seq = 12}; });
  fake_corosync::send_quorum_nodelist();
  ASSERT_TRUE(run_until([&] { return is_syncing(state_); }));
  fake_corosync::change(
      [](Cluster& cluster) { cluster.statistics["stats.srp.mcast_retx"] = std::uint64_t{77}; });
  fake_corosync::send_quorum_quorum();
  EXPECT_TRUE(run_until([&] {
    return state_.present && state_.present->totem && state_.present->totem->retransmits == 77U;
  }));
}

// ---- Corosync goes and comes back --------------------------------------------------------------

TEST_F(WatcherTest, AKilledCorosyncIsLostAtOnceAndFoundAgain) {
  start();
  run_until_settled();
  fake_corosync::kill();
  run_until_disconnected();
  EXPECT_EQ(lost_by_, failure("quorum_dispatch", "CS_ERR_LIBRARY"));
  EXPECT_FALSE(is_up(state_, now()));
  ASSERT_TRUE(run_until([&] { return !state_.connect_errors.empty(); }));
  fake_corosync::start();
  run_until_settled();
  EXPECT_EQ(state_.connects, 2U);
  EXPECT_TRUE(is_up(state_, now()));
}

TEST_F(WatcherTest, TheHandlesOfAKilledCorosyncAreGivenBackSoon) {
  start();
  run_until_settled();
  fake_corosync::kill();
  run_until_disconnected();
  ASSERT_TRUE(run_until([] { return fake_corosync::open_handles() == 0; }));
}

TEST_F(WatcherTest, TheHandlesOfACorosyncThatStopsWaitForItsProcessToEnd) {
  start();
  run_until_settled();
  fake_corosync::begin_to_stop();
  run_until_disconnected();
  EXPECT_EQ(lost_by_, failure("votequorum_dispatch", "CS_ERR_LIBRARY"));
  ASSERT_TRUE(run_until([&] { return state_.connect_errors.size() == 1; }));
  EXPECT_EQ(fake_corosync::open_handles(Service::votequorum), 2U);  // to listen and to read
  fake_corosync::kill();
  ASSERT_TRUE(run_until([] { return fake_corosync::open_handles() == 0; }));
  fake_corosync::start();
  run_until_settled();
}

struct HangUpCase {
  std::string name;
  Service service;
  std::string call;
};
void PrintTo(const HangUpCase& row, std::ostream* out) { *out << row.name; }

class WatcherHangUpTest : public WatcherTest, public ::testing::WithParamInterface<HangUpCase> {};

TEST_P(WatcherHangUpTest, OfEitherServiceEndsTheConnection) {
  start();
  run_until_settled();
  fake_corosync::hang_up(GetParam().service);
  ASSERT_TRUE(run_until([&] { return state_.connects == 2; }));
  run_until_settled();
  EXPECT_EQ(lost_by_, failure(GetParam().call, "CS_ERR_LIBRARY"));
}

INSTANTIATE_TEST_SUITE_P(Services, WatcherHangUpTest,
                         ::testing::Values(HangUpCase{"quorum", Service::quorum, "quorum_dispatch"},
                                           HangUpCase{"votequorum", Service::votequorum,
                                                      "votequorum_dispatch"}),
                         [](const auto& row) { return row.param.name; });

TEST_F(WatcherTest, WhatCorosyncSaidBeforeItDiedUnheardIsLostWithIt) {
  start();
  run_until_settled();
  fake_corosync::form({.nodeid = 1, .seq = 12}, {1}, false);
  fake_corosync::kill();
  run_until_disconnected();
  EXPECT_EQ(state_.quorum.losses, 0U);
}

struct ReconnectCase {
  std::string name;
  quorum_ring_id ring;
  bool quorate;
  std::uint64_t membership_changes;
  std::uint64_t quorum_changes;
};
void PrintTo(const ReconnectCase& row, std::ostream* out) { *out << row.name; }

class ReconnectTest : public WatcherTest, public ::testing::WithParamInterface<ReconnectCase> {};

TEST_P(ReconnectTest, CountsOneChangeWhereSomethingDiffersAndNoneElse) {
  start();
  run_until_settled();
  fake_corosync::kill();
  run_until_disconnected();
  fake_corosync::change([](Cluster& cluster) {
    cluster.ring = GetParam().ring;
    cluster.quorate = GetParam().quorate;
  });
  fake_corosync::start();
  run_until_settled();
  EXPECT_EQ(state_.membership.changes, GetParam().membership_changes);
  EXPECT_EQ(state_.quorum.changes, GetParam().quorum_changes);
  EXPECT_EQ(state_.quorum.losses, GetParam().quorum_changes);
  EXPECT_EQ(state_.membership.last_change.has_value(), GetParam().membership_changes > 0);
  EXPECT_EQ(state_.quorum.last_change.has_value(), GetParam().quorum_changes > 0);
}

INSTANTIATE_TEST_SUITE_P(
    Differences, ReconnectTest,
    ::testing::Values(ReconnectCase{"none", {.nodeid = 1, .seq = 8}, true, 0, 0},
                      ReconnectCase{"ring", {.nodeid = 1, .seq = 40}, true, 1, 0},
                      ReconnectCase{"verdict", {.nodeid = 1, .seq = 8}, false, 0, 1},
                      ReconnectCase{"both", {.nodeid = 2, .seq = 40}, false, 1, 1}),
    [](const auto& row) { return row.param.name; });

TEST_F(WatcherTest, ManyRestartsLeaveNothingBehind) {
  start();
  for (int i = 0; i < 20; ++i) {
    run_until_settled();
    fake_corosync::kill();
    run_until_disconnected();
    fake_corosync::start();
  }
  run_until_settled();
  EXPECT_EQ(state_.connects, 21U);
  ASSERT_TRUE(run_until([] { return fake_corosync::open_handles() == 6; }));
}

// ---- Corosync hangs ----------------------------------------------------------------------------

class HangTest : public WatcherTest {
 protected:
  static Timing impatient() {
    Timing timing = quick();
    timing.stale_after = 50ms;
    timing.call_limit = 20ms;
    return timing;
  }
};

TEST_F(HangTest, SilenceMakesThePresentUnknownAndAWordBringsItBack) {
  Timing timing = quick();
  timing.stale_after = 500ms;  // no reading takes so long
  start(timing);
  run_until_settled();
  EXPECT_TRUE(is_up(state_, now()));
  fake_corosync::freeze();
  ASSERT_TRUE(run_until([&] { return !is_up(state_, now()); }));
  EXPECT_TRUE(watcher_->waiting());
  EXPECT_TRUE(is_silent(state_, now()));
  fake_corosync::thaw();
  ASSERT_TRUE(run_until([&] { return is_up(state_, now()); }));
  EXPECT_EQ(state_.connects, 1U);
}

TEST_F(HangTest, SilenceIsToldOnce) {
  Timing timing = quick();
  timing.stale_after = 500ms;  // no reading takes so long
  start(timing);
  run_until_settled();
  EXPECT_EQ(log_lines(), 1U);  // connected
  fake_corosync::freeze();
  ASSERT_TRUE(run_until([&] { return log_lines() == 2; }));  // silent
  EXPECT_FALSE(is_up(state_, now()));
  run_rounds(100);
  EXPECT_EQ(log_lines(), 2U);
  fake_corosync::thaw();
  ASSERT_TRUE(run_until([&] { return log_lines() == 3; }));  // answers again
  EXPECT_TRUE(is_up(state_, now()));
}

TEST_F(HangTest, ACorosyncThatDoesNotAnswerAtTheStartIsToldOnce) {
  Timing timing = quick();
  timing.stale_after = 50ms;
  fake_corosync::freeze();
  start(timing);
  ASSERT_TRUE(run_until([&] { return log_lines() == 1; }));
  run_rounds(100);
  EXPECT_EQ(log_lines(), 1U);
  fake_corosync::thaw();
  run_until_settled();
}

TEST_F(HangTest, AVerdictDoesNotWaitForAReadingThatHangs) {
  start();
  run_until_settled();
  fake_corosync::hang("cmap_get");
  ASSERT_TRUE(run_until([] { return fake_corosync::wait_until_hanging("cmap_get", 0ms); }));
  fake_corosync::form({.nodeid = 1, .seq = 12}, {1}, false);
  ASSERT_TRUE(run_until([&] { return state_.quorum.losses == 1; }));
  fake_corosync::release("cmap_get");
}

class TakenBackTest : public HangTest, public ::testing::WithParamInterface<std::string> {
 protected:
  // Takes calls back, and is patient with silence.
  static Timing busy() {
    Timing timing = impatient();
    timing.stale_after = never;
    return timing;
  }
  [[nodiscard]] std::uint64_t cancelled() const {
    const auto found = state_.cancelled_calls.find(GetParam());
    return found == state_.cancelled_calls.end() ? 0 : found->second;
  }
  [[nodiscard]] bool is_any_interrupted() const {
    return std::ranges::any_of(state_.sources,
                               [](const auto& entry) { return entry.second.interrupted; });
  }
};

TEST_P(TakenBackTest, AReadingThatHangsIsInterruptedAndNothingElseIsLost) {
  start(busy());
  run_until_settled();
  const auto entries = timeline_->entries().size();
  const auto lines = log_lines();
  fake_corosync::hang(GetParam());
  ASSERT_TRUE(run_until([&] { return cancelled() >= 3; }));
  EXPECT_TRUE(is_any_interrupted());
  for (const auto& [source, status] : state_.sources) {
    EXPECT_TRUE(status.up) << name_of(source);
    EXPECT_EQ(status.failure, std::nullopt);
  }
  EXPECT_TRUE(is_up(state_, now()));
  EXPECT_EQ(timeline_->entries().size(), entries);
  EXPECT_EQ(log_lines(), lines + 1) << "busy, once";
  fake_corosync::release(GetParam());
  ASSERT_TRUE(run_until([&] { return !is_any_interrupted(); }));
  EXPECT_EQ(log_lines(), lines + 2) << "and answering again, once";
  EXPECT_EQ(state_.connects, 1U);
  EXPECT_TRUE(state_.connect_errors.empty());
}

TEST_P(TakenBackTest, CorosyncLivesAsLongAsItAnswersOnAFreshConnection) {
  Timing timing = busy();
  timing.stale_after = 1s;
  start(timing);
  run_until_settled();
  fake_corosync::hang(GetParam());
  ASSERT_TRUE(run_until([&] { return cancelled() >= 1; }));
  const SteadyTime begin = now();
  ASSERT_TRUE(run_until([&] {
    EXPECT_TRUE(is_up(state_, now()));
    return HasFailure() || now() - begin > 2 * timing.stale_after;
  }));
  fake_corosync::release(GetParam());
}

INSTANTIATE_TEST_SUITE_P(Calls, TakenBackTest,
                         ::testing::Values("votequorum_getinfo", "cmap_get",
                                           "corosync_cfg_node_status_get"),
                         [](const auto& row) { return row.param; });

TEST_F(HangTest, SilentIsOneThatAnswersOnNoConnection) {
  Timing timing = impatient();
  timing.stale_after = 500ms;
  start(timing);
  run_until_settled();
  fake_corosync::hang("votequorum_getinfo");
  fake_corosync::hang("votequorum_initialize");
  fake_corosync::hang("corosync_cfg_initialize");
  ASSERT_TRUE(run_until([&] { return is_silent(state_, now()); }));
  ASSERT_TRUE(run_until([&] { return tells(*timeline_, ChangeKind::fell_silent); }));
  EXPECT_EQ(state_.connects, 1U);
  fake_corosync::release("corosync_cfg_initialize");
  ASSERT_TRUE(run_until([&] { return is_up(state_, now()); }));
  EXPECT_TRUE(fake_corosync::wait_until_hanging("votequorum_initialize", 10s));
  fake_corosync::release("votequorum_getinfo");
  fake_corosync::release("votequorum_initialize");
}

TEST_F(HangTest, ACallTakenBackIsNotFollowedByAnother) {
  Timing timing = impatient();
  timing.stale_after = never;
  start(timing);
  run_until_settled();
  fake_corosync::hang("cmap_get");
  ASSERT_TRUE(run_until([&] { return state_.cancelled_calls.contains("cmap_get"); }));
  fake_corosync::hang("corosync_cfg_node_status_get");
  run_rounds(100);
  EXPECT_FALSE(state_.cancelled_calls.contains("corosync_cfg_node_status_get"));
  fake_corosync::release("cmap_get");
  fake_corosync::release("corosync_cfg_node_status_get");
}

// As where a sync does not end: corosync takes no requests on the connections that it had.
TEST_F(HangTest, UnderFlowControlReadingsGoOnOnFreshConnections) {
  Timing timing = impatient();
  timing.stale_after = never;
  start(timing);
  run_until_settled();
  fake_corosync::control_flow();
  fake_corosync::change(
      [](Cluster& cluster) { cluster.statistics["stats.srp.mcast_retx"] = std::uint64_t{77}; });
  ASSERT_TRUE(run_until([&] { return state_.present->totem->retransmits == 77U; }));
  EXPECT_TRUE(state_.cancelled_calls.empty()) << "nothing was sent that would have lain there";
  for (const auto& [source, status] : state_.sources) {
    EXPECT_TRUE(status.up && !status.interrupted && !status.failure) << name_of(source);
  }
  EXPECT_EQ(log_lines(), 1U) << "connected";
}

class ConnectTakenBackTest : public HangTest, public ::testing::WithParamInterface<std::string> {};

TEST_P(ConnectTakenBackTest, ATrackstartThatHangsIsTriedAgainAndIsNoError) {
  fake_corosync::hang(GetParam());
  start(impatient());
  ASSERT_TRUE(run_until([&] { return state_.cancelled_calls[GetParam()] >= 3; }));
  EXPECT_TRUE(state_.connect_errors.empty());
  EXPECT_EQ(state_.disconnected_by, std::nullopt);
  EXPECT_TRUE(timeline_->entries().empty());
  fake_corosync::release(GetParam());
  run_until_settled();
  EXPECT_EQ(state_.connects, 1U);
}

INSTANTIATE_TEST_SUITE_P(Calls, ConnectTakenBackTest,
                         ::testing::Values("quorum_trackstart", "votequorum_trackstart"),
                         [](const auto& row) { return row.param; });

class ConnectHangTest : public HangTest, public ::testing::WithParamInterface<std::string> {};

TEST_P(ConnectHangTest, IsWaitedForAsItCannotBeGivenUp) {
  fake_corosync::hang(GetParam());
  start(impatient());
  ASSERT_TRUE(run_until([] { return fake_corosync::wait_until_hanging(GetParam(), 0ms); }));
  EXPECT_EQ(watcher_->waiting()->call, GetParam());
  EXPECT_FALSE(is_up(state_, now()));
  fake_corosync::release(GetParam());
  run_until_settled();
  EXPECT_TRUE(state_.connect_errors.empty());
}

TEST_P(ConnectHangTest, EndsWithTheCorosyncThatHangs) {
  fake_corosync::hang(GetParam());
  start(impatient());
  ASSERT_TRUE(run_until([] { return fake_corosync::wait_until_hanging(GetParam(), 0ms); }));
  fake_corosync::kill();
  fake_corosync::release(GetParam());
  fake_corosync::start();
  run_until_settled();
  EXPECT_FALSE(state_.connect_errors.empty());
}

INSTANTIATE_TEST_SUITE_P(Calls, ConnectHangTest,
                         ::testing::Values("quorum_model_initialize", "votequorum_initialize"),
                         [](const auto& row) { return row.param; });

TEST_F(HangTest, AFrozenCorosyncThatIsKilledAndRestartedIsFoundAgain) {
  start(impatient());
  run_until_settled();
  fake_corosync::freeze();
  ASSERT_TRUE(run_until([&] { return watcher_->waiting().has_value(); }));
  fake_corosync::kill();
  fake_corosync::thaw();
  fake_corosync::start();
  ASSERT_TRUE(run_until([&] { return state_.connects >= 2; }));
  run_until_settled();
}

TEST_F(HangTest, AThawedCorosyncIsTheOneThatItWasHoweverLongItWasFrozen) {
  Timing timing = impatient();
  timing.stale_after = 500ms;
  start(timing);
  run_until_settled();
  fake_corosync::freeze();
  ASSERT_TRUE(run_until([&] { return is_silent(state_, now()); }));
  run_rounds(500);
  EXPECT_FALSE(is_up(state_, now()));
  fake_corosync::thaw();
  ASSERT_TRUE(run_until([&] { return is_up(state_, now()); }));
  EXPECT_EQ(state_.connects, 1U);
}

// ---- The end -----------------------------------------------------------------------------------

TEST_F(WatcherTest, StopsPolitely) {
  start();
  run_until_settled();
  EXPECT_TRUE(watcher_->stop(10s));
  EXPECT_EQ(fake_corosync::calls("quorum_trackstop"), 1U);
  EXPECT_EQ(fake_corosync::calls("votequorum_trackstop"), 1U);
  EXPECT_EQ(fake_corosync::open_handles(), 0U);
  watcher_.reset();
}

TEST_F(WatcherTest, StopsWithoutHavingStarted) {
  watcher_.emplace(loop_, quick(), Groups{}, CS_TRACK_CHANGES, log_,
                   [](const Snapshot& /*snapshot*/) {});
  EXPECT_TRUE(watcher_->stop(10s));
  watcher_.reset();
}

TEST_F(WatcherTest, StopsWhileCorosyncIsAway) {
  fake_corosync::kill();
  start();
  ASSERT_TRUE(run_until([&] { return !state_.connect_errors.empty(); }));
  EXPECT_TRUE(watcher_->stop(10s));
  watcher_.reset();
}

TEST_F(WatcherTest, DoesNothingMoreOnceStopped) {
  start();
  run_until_settled();
  EXPECT_TRUE(watcher_->stop(10s));
  const std::size_t reads = fake_corosync::calls("votequorum_getinfo");
  run_rounds(30);
  EXPECT_EQ(fake_corosync::calls("votequorum_getinfo"), reads);
  watcher_.reset();
}

TEST_F(WatcherTest, DoesNotWaitForACorosyncThatHangs) {
  start();
  run_until_settled();
  fake_corosync::freeze();
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(watcher_->stop(50ms));
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
  fake_corosync::thaw();
  watcher_.reset();
}

// ---- What it says ------------------------------------------------------------------------------

TEST_F(WatcherTest, SaysOneLineForEachTransitionAndElseNothing) {
  start();
  run_until_settled();
  EXPECT_EQ(log_lines(), 1U);  // connected
  const std::size_t reads = fake_corosync::calls("corosync_cfg_local_get");
  ASSERT_TRUE(
      run_until([&] { return fake_corosync::calls("corosync_cfg_local_get") > reads + 10; }));
  EXPECT_EQ(log_lines(), 1U);

  fake_corosync::form({.nodeid = 1, .seq = 12}, {1}, false);
  ASSERT_TRUE(run_until([&] { return state_.quorum.losses == 1; }));
  EXPECT_EQ(log_lines(), 3U);  // nodes left, quorum lost

  fake_corosync::form({.nodeid = 1, .seq = 16}, {1, 2, 3}, true);
  ASSERT_TRUE(run_until([&] { return state_.quorum.changes == 2; }));
  EXPECT_EQ(log_lines(), 5U);  // nodes joined, quorum regained

  fake_corosync::kill();
  run_until_disconnected();
  EXPECT_GE(log_lines(), 6U);  // lost
  ASSERT_TRUE(run_until([&] { return !state_.connect_errors.empty(); }));
  EXPECT_EQ(log_lines(), 7U);  // and cannot connect, for another reason
  fake_corosync::start();
  run_until_settled();
  EXPECT_EQ(log_lines(), 8U);  // connected
}

}  // namespace
}  // namespace corosync_exporter
