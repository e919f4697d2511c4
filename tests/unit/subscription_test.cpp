// SPDX-License-Identifier: Apache-2.0
#include "corosync/subscription.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <functional>
#include <new>
#include <ostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "corosync_test.h"
#include "no_memory.h"
#include "print_model.h"
#include "story.h"

namespace corosync_exporter {
namespace {

using fake_corosync::Service;

template <class Wanted>
std::vector<Wanted> only(const Subscription::Events& events) {
  std::vector<Wanted> found;
  for (const auto& [at, event] : events) {
    if (const auto* wanted = std::get_if<Wanted>(&event)) {
      found.push_back(*wanted);
    }
  }
  return found;
}

bool can_be_read(int descriptor) {
  pollfd connection{.fd = descriptor, .events = POLLIN, .revents = 0};
  return poll(&connection, 1, 0) == 1;
}

class SubscriptionTest : public CorosyncTest {
 protected:
  // What has come by now.
  Subscription::Events take() {
    subscription_.dispatch();
    return subscription_.take_events();
  }
  void open() {
    subscription_.open(calls_, CS_TRACK_CHANGES);
    take();  // the present
  }

  Calls calls_{Timing{}};
  Subscription subscription_;
};

// ---- Opening -----------------------------------------------------------------------------------

TEST_F(SubscriptionTest, ThePresentCanBeTakenAtOnce) {
  subscription_.open(calls_, CS_TRACK_CHANGES);
  const auto events = take();
  const auto lists = only<NodeListNotified>(events);
  ASSERT_EQ(lists.size(), 1U);
  EXPECT_EQ(lists[0].ring, ring(1, 8));
  EXPECT_EQ(lists[0].members, ids({1, 2, 3}));
  EXPECT_EQ(lists[0].joined, ids({}));
  EXPECT_EQ(lists[0].left, ids({}));
  const auto verdicts = only<QuorumNotified>(events);
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_TRUE(verdicts[0].quorate);
  EXPECT_EQ(verdicts[0].ring, ring(1, 8));
  EXPECT_EQ(only<VotequorumNodeListNotified>(events).size(), 1U);
  const auto voters = only<VotequorumQuorumNotified>(events);
  ASSERT_EQ(voters.size(), 1U);
  EXPECT_EQ(voters[0].voters, ids({2, 3, 1}));
  EXPECT_EQ(events.size(), 4U);
}

TEST_F(SubscriptionTest, TakenEventsAreGone) {
  subscription_.open(calls_, CS_TRACK_CHANGES);
  EXPECT_FALSE(take().empty());
  EXPECT_TRUE(subscription_.take_events().empty());
  EXPECT_TRUE(take().empty());
}

class FlagsTest : public SubscriptionTest, public ::testing::WithParamInterface<unsigned int> {};

TEST_P(FlagsTest, ArePassedToBothServices) {
  subscription_.open(calls_, GetParam());
  EXPECT_EQ(fake_corosync::track_flags(Service::quorum), std::vector{GetParam()});
  EXPECT_EQ(fake_corosync::track_flags(Service::votequorum), std::vector{GetParam()});
}

INSTANTIATE_TEST_SUITE_P(Flags, FlagsTest,
                         ::testing::Values(CS_TRACK_CURRENT, CS_TRACK_CHANGES,
                                           CS_TRACK_CHANGES_ONLY));

TEST_F(SubscriptionTest, ToThePresentAloneHearsOfNoChange) {
  subscription_.open(calls_, CS_TRACK_CURRENT);
  EXPECT_EQ(take().size(), 4U);
  fake_corosync::form({.nodeid = 2, .seq = 12}, {2, 3}, false);
  EXPECT_TRUE(take().empty());
}

TEST_F(SubscriptionTest, HasADescriptorForEachService) {
  EXPECT_TRUE(subscription_.descriptors().empty());
  subscription_.open(calls_, CS_TRACK_CHANGES);
  const auto descriptors = subscription_.descriptors();
  ASSERT_EQ(descriptors.size(), 2U);
  EXPECT_NE(descriptors[0], descriptors[1]);
  take();
  EXPECT_FALSE(can_be_read(descriptors[0]) || can_be_read(descriptors[1]));
  fake_corosync::send_quorum_quorum();
  EXPECT_TRUE(can_be_read(descriptors[0]));
  EXPECT_FALSE(can_be_read(descriptors[1]));
  take();
  fake_corosync::send_votequorum_quorum();
  EXPECT_FALSE(can_be_read(descriptors[0]));
  EXPECT_TRUE(can_be_read(descriptors[1]));
}

TEST_F(SubscriptionTest, KnowsThatThereIsAProvider) {
  subscription_.open(calls_, CS_TRACK_CHANGES);
  EXPECT_TRUE(subscription_.has_provider());
}

TEST_F(SubscriptionTest, WithoutAProviderLeavesVotequorumAlone) {
  fake_corosync::change([](fake_corosync::Cluster& cluster) { cluster.has_provider = false; });
  subscription_.open(calls_, CS_TRACK_CHANGES);
  EXPECT_FALSE(subscription_.has_provider());
  EXPECT_EQ(subscription_.descriptors().size(), 1U);
  EXPECT_EQ(fake_corosync::calls("votequorum_initialize"), 0U);
  const auto events = take();
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(only<NodeListNotified>(events).at(0).members, ids({1, 2, 3}));
  EXPECT_EQ(only<QuorumNotified>(events).at(0).ring, ring(0, 0));
}

// ---- Callbacks become events -------------------------------------------------------------------

TEST_F(SubscriptionTest, ANodeListHasAllItsFields) {
  open();
  fake_corosync::change([](fake_corosync::Cluster& cluster) {
    cluster.ring = {.nodeid = 4, .seq = 0x1'0000'0010};
    cluster.members = {4, 5, 6};
  });
  fake_corosync::send_quorum_nodelist({5, 6}, {1, 2, 3, 5});
  const auto lists = only<NodeListNotified>(take());
  ASSERT_EQ(lists.size(), 1U);
  EXPECT_EQ(lists[0].ring, ring(4, 0x1'0000'0010));
  EXPECT_EQ(lists[0].members, ids({4, 5, 6}));
  EXPECT_EQ(lists[0].joined, ids({5, 6}));
  EXPECT_EQ(lists[0].left, ids({1, 2, 3, 5}));
}

TEST_F(SubscriptionTest, AVerdictHasAllItsFields) {
  open();
  fake_corosync::change([](fake_corosync::Cluster& cluster) {
    cluster.ring = {.nodeid = 5, .seq = 0x1'0000'0014};
    cluster.quorate = false;
  });
  fake_corosync::send_quorum_quorum();
  const auto verdicts = only<QuorumNotified>(take());
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_FALSE(verdicts[0].quorate);
  EXPECT_EQ(verdicts[0].ring, ring(5, 0x1'0000'0014));
}

TEST_F(SubscriptionTest, VotersAreAllButTheQuorumDevice) {
  open();
  fake_corosync::change([](fake_corosync::Cluster& cluster) {
    cluster.voters = {{.nodeid = 7, .state = VOTEQUORUM_NODESTATE_DEAD},
                      {.nodeid = VOTEQUORUM_QDEVICE_NODEID, .state = 0},
                      {.nodeid = 4, .state = VOTEQUORUM_NODESTATE_MEMBER}};
  });
  fake_corosync::send_votequorum_quorum();
  const auto events = only<VotequorumQuorumNotified>(take());
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].voters, ids({7, 4}));
}

TEST_F(SubscriptionTest, VotequorumsNodeListIsAnEvent) {
  open();
  fake_corosync::send_votequorum_nodelist();
  EXPECT_EQ(only<VotequorumNodeListNotified>(take()).size(), 1U);
}

TEST_F(SubscriptionTest, ExpectedVotesAreAnEvent) {
  open();
  fake_corosync::send_votequorum_expected_votes();
  EXPECT_EQ(only<ExpectedVotesNotified>(take()).size(), 1U);
}

TEST_F(SubscriptionTest, EventsKeepTheOrderOfTheirService) {
  open();
  fake_corosync::send_votequorum_quorum();
  fake_corosync::send_quorum_quorum();
  fake_corosync::send_votequorum_expected_votes();
  fake_corosync::send_quorum_nodelist();
  fake_corosync::send_votequorum_nodelist();
  fake_corosync::send_quorum_quorum();
  const auto events = take();
  const auto position = [&](auto wanted, std::size_t nth = 0) {
    for (std::size_t i = 0; i < events.size(); ++i) {
      if (std::holds_alternative<decltype(wanted)>(events[i].second) && nth-- == 0) {
        return i;
      }
    }
    return events.size();
  };
  EXPECT_EQ(events.size(), 6U);
  EXPECT_LT(position(QuorumNotified{}), position(NodeListNotified{}));
  EXPECT_LT(position(NodeListNotified{}), position(QuorumNotified{}, 1));
  EXPECT_LT(position(VotequorumQuorumNotified{}), position(ExpectedVotesNotified{}));
  EXPECT_LT(position(ExpectedVotesNotified{}), position(VotequorumNodeListNotified{}));
}

TEST_F(SubscriptionTest, EitherServiceMayComeFirst) {
  open();
  fake_corosync::send_votequorum_quorum();
  EXPECT_EQ(take().size(), 1U);
  fake_corosync::send_quorum_quorum();
  EXPECT_EQ(take().size(), 1U);
}

TEST_F(SubscriptionTest, EventsAreStampedWhenTheyAreTakenIn) {
  open();
  const auto before = std::chrono::steady_clock::now();
  fake_corosync::send_quorum_quorum();
  const auto events = take();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_GE(events[0].first.steady, before);
  EXPECT_LE(events[0].first.steady, std::chrono::steady_clock::now());
}

TEST_F(SubscriptionTest, EachFindsTheWayBackToItself) {
  open();
  Subscription other;
  other.open(calls_, CS_TRACK_CHANGES);
  other.dispatch();
  EXPECT_EQ(other.take_events().size(), 4U);
  EXPECT_TRUE(take().empty());
  fake_corosync::send_quorum_quorum();
  other.dispatch();
  EXPECT_TRUE(subscription_.take_events().empty());
  EXPECT_EQ(other.take_events().size(), 1U);
  EXPECT_EQ(take().size(), 1U);
}

TEST_F(SubscriptionTest, AStormIsTakenInBatches) {
  open();
  for (int i = 0; i < 1000; ++i) {
    fake_corosync::send_quorum_quorum();
  }
  const std::size_t batch = take().size();
  EXPECT_GT(batch, 0U);
  EXPECT_LT(batch, 1000U);
  EXPECT_TRUE(can_be_read(subscription_.descriptors()[0]));
  std::size_t total = batch;
  while (can_be_read(subscription_.descriptors()[0])) {
    total += take().size();
  }
  EXPECT_EQ(total, 1000U);
}

TEST_F(SubscriptionTest, AStormFromOneServiceDoesNotKeepTheOtherWaiting) {
  open();
  for (int i = 0; i < 1000; ++i) {
    fake_corosync::send_quorum_quorum();
  }
  fake_corosync::send_votequorum_expected_votes();
  EXPECT_EQ(only<ExpectedVotesNotified>(take()).size(), 1U);
}

// ---- Errors and the end ------------------------------------------------------------------------

TEST_F(SubscriptionTest, AHangUpIsAnErrorOfTheServicesDispatch) {
  open();
  fake_corosync::hang_up(Service::votequorum);
  try {
    subscription_.dispatch();
    FAIL() << "did not throw";
  } catch (const CorosyncError& error) {
    EXPECT_EQ(error.failure().call, "votequorum_dispatch");
    EXPECT_EQ(error.code(), CS_ERR_LIBRARY);
  }
}

TEST_F(SubscriptionTest, WhatWasTakenInBeforeAnErrorIsKept) {
  open();
  fake_corosync::send_quorum_quorum();
  fake_corosync::hang_up(Service::votequorum);
  EXPECT_THROW(subscription_.dispatch(), CorosyncError);
  EXPECT_EQ(subscription_.take_events().size(), 1U);
}

// What could not be stored is lost, so whoever dispatches has to know; the frames between are C.
TEST_F(SubscriptionTest, MemoryThatRunsOutInACallbackIsTheDispatchersError) {
  open();
  fake_corosync::around_callbacks([](const std::function<void()>& callback) {
    const NoMemory none;
    callback();
  });
  fake_corosync::send_votequorum_quorum();
  EXPECT_THROW(subscription_.dispatch(), std::bad_alloc);
  fake_corosync::around_callbacks(nullptr);
  EXPECT_TRUE(take().empty());
  fake_corosync::send_votequorum_quorum();
  EXPECT_EQ(take().size(), 1U);
}

TEST_F(SubscriptionTest, ThatNothingWaitsIsNoError) {
  open();
  EXPECT_NO_THROW(subscription_.dispatch());
}

TEST_F(SubscriptionTest, ThePoliteEndStopsBothServices) {
  open();
  EXPECT_EQ(fake_corosync::trackers(Service::quorum), 1U);
  EXPECT_EQ(fake_corosync::trackers(Service::votequorum), 1U);
  subscription_.stop(calls_);
  EXPECT_EQ(fake_corosync::trackers(Service::quorum), 0U);
  EXPECT_EQ(fake_corosync::trackers(Service::votequorum), 0U);
}

TEST_F(SubscriptionTest, WithoutAProviderThePoliteEndStopsQuorumAlone) {
  fake_corosync::change([](fake_corosync::Cluster& cluster) { cluster.has_provider = false; });
  open();
  subscription_.stop(calls_);
  EXPECT_EQ(fake_corosync::trackers(Service::quorum), 0U);
  EXPECT_EQ(fake_corosync::calls("votequorum_trackstop"), 0U);
}

TEST_F(SubscriptionTest, ThePoliteEndOfALostConnectionIsAnError) {
  open();
  fake_corosync::kill();
  EXPECT_THROW(subscription_.stop(calls_), CorosyncError);
}

struct StepCase {
  std::string call;
  std::size_t descriptors;  // of what was open by then
};
void PrintTo(const StepCase& row, std::ostream* out) { *out << row.call; }

class SubscriptionStepTest : public CorosyncTest, public ::testing::WithParamInterface<StepCase> {};

TEST_P(SubscriptionStepTest, ThatFailsIsThrownAndLeavesNoHandle) {
  fake_corosync::fail_next(GetParam().call, CS_ERR_NO_MEMORY, 0);
  Calls calls{Timing{}};
  {
    Subscription subscription;
    try {
      subscription.open(calls, CS_TRACK_CHANGES);
      FAIL() << "did not throw";
    } catch (const CorosyncError& error) {
      EXPECT_EQ(error.failure().call, GetParam().call);
      EXPECT_EQ(error.code(), CS_ERR_NO_MEMORY);
    }
    EXPECT_EQ(subscription.descriptors().size(), GetParam().descriptors);
    EXPECT_EQ(fake_corosync::open_handles(), GetParam().descriptors);
  }
  EXPECT_EQ(fake_corosync::open_handles(), 0U);
}

INSTANTIATE_TEST_SUITE_P(
    Calls, SubscriptionStepTest,
    ::testing::Values(StepCase{"quorum_model_initialize", 0}, StepCase{"quorum_fd_get", 0},
                      StepCase{"quorum_trackstart", 1}, StepCase{"votequorum_initialize", 1},
                      StepCase{"votequorum_fd_get", 1}, StepCase{"votequorum_trackstart", 2}),
    [](const auto& row) { return row.param.call; });

class SubscriptionWaitTest : public CorosyncTest,
                             public ::testing::WithParamInterface<std::string> {};

TEST_P(SubscriptionWaitTest, IsSeenUnderItsOwnName) {
  fake_corosync::hang(GetParam());
  Calls calls{Timing{}};
  Subscription subscription;
  const std::jthread opener{[&] { subscription.open(calls, CS_TRACK_CHANGES); }};
  EXPECT_TRUE(fake_corosync::wait_until_hanging(GetParam()));
  const auto waiting = calls.waiting();
  EXPECT_TRUE(waiting && waiting->call == GetParam());
  fake_corosync::release(GetParam());
}

INSTANTIATE_TEST_SUITE_P(Calls, SubscriptionWaitTest,
                         ::testing::Values("quorum_model_initialize", "quorum_trackstart",
                                           "votequorum_initialize", "votequorum_trackstart"),
                         [](const auto& row) { return row.param; });

TEST_F(SubscriptionTest, MayMoveWhileItIsOpen) {
  open();
  Subscription moved{std::move(subscription_)};
  fake_corosync::send_quorum_quorum();
  fake_corosync::send_votequorum_quorum();
  moved.dispatch();
  EXPECT_EQ(moved.take_events().size(), 2U);
}

}  // namespace
}  // namespace corosync_exporter
