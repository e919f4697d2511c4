// SPDX-License-Identifier: Apache-2.0
#include "corosync/votequorum_reader.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "corosync_test.h"
#include "print_model.h"
#include "story.h"

namespace corosync_exporter {
namespace {

using fake_corosync::Cluster;

class VotequorumReaderTest : public CorosyncTest {
 protected:
  Votes read_votes() { return reader_.votes(ids({2, 3, 1})).votes; }

  Calls calls_{Timing{}};
  VotequorumReader reader_{calls_};
};

TEST_F(VotequorumReaderTest, VotesHaveAllTheirFields) {
  const Votes votes = read_votes();
  EXPECT_EQ(votes.expected, 21U);
  EXPECT_EQ(votes.highest_expected, 22U);
  EXPECT_EQ(votes.present, 23U);
  EXPECT_EQ(votes.required, 12U);
  EXPECT_EQ(votes.qdevice, std::nullopt);
  EXPECT_EQ(votes.nodes.at(id(1)).votes, 5U);
  EXPECT_EQ(votes.nodes.at(id(2)).votes, 6U);
  EXPECT_EQ(votes.nodes.at(id(3)).votes, 7U);
  EXPECT_EQ(votes.nodes.size(), 3U);
}

TEST_F(VotequorumReaderTest, WhatANodeExpectsCountsWhileItIsAMember) {
  fake_corosync::change([](Cluster& cluster) {
    cluster.infos[2].node_expected_votes = 41;
    cluster.infos[3].node_expected_votes = 42;
    cluster.infos[3].node_state = VOTEQUORUM_NODESTATE_DEAD;
  });
  const Votes votes = read_votes();
  EXPECT_EQ(votes.nodes.at(id(2)).expected, 41U);
  EXPECT_EQ(votes.nodes.at(id(3)).expected, std::nullopt);
}

TEST_F(VotequorumReaderTest, TheClustersFiguresAreTheOwnNodes) {
  fake_corosync::change([](Cluster& cluster) {
    cluster.local_node = 2;
    cluster.infos[2].total_votes = 31;
    cluster.infos[2].quorum = 32;
    cluster.infos[2].highest_expected = 33;
    cluster.infos[2].node_expected_votes = 34;
  });
  const Votes votes = read_votes();
  EXPECT_EQ(votes.present, 31U);
  EXPECT_EQ(votes.required, 32U);
  EXPECT_EQ(votes.highest_expected, 33U);
  EXPECT_EQ(votes.expected, 34U);
}

struct FlagCase {
  std::string name;
  unsigned int flag;
  bool Votes::*value;
};
void PrintTo(const FlagCase& row, std::ostream* out) { *out << row.name; }

class VotequorumFlagTest : public VotequorumReaderTest,
                           public ::testing::WithParamInterface<FlagCase> {};

TEST_P(VotequorumFlagTest, IsReadFromItsOwnBit) {
  for (const unsigned int flags : {GetParam().flag, ~GetParam().flag}) {
    fake_corosync::change([&](Cluster& cluster) { cluster.infos[1].flags = flags; });
    const Votes votes = read_votes();
    EXPECT_EQ(votes.*GetParam().value, flags == GetParam().flag);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Flags, VotequorumFlagTest,
    ::testing::Values(
        FlagCase{"two_node", VOTEQUORUM_INFO_TWONODE, &Votes::two_node},
        FlagCase{"wait_for_all", VOTEQUORUM_INFO_WAIT_FOR_ALL, &Votes::wait_for_all},
        FlagCase{"last_man_standing", VOTEQUORUM_INFO_LAST_MAN_STANDING, &Votes::last_man_standing},
        FlagCase{"auto_tie_breaker", VOTEQUORUM_INFO_AUTO_TIE_BREAKER, &Votes::auto_tie_breaker},
        FlagCase{"allow_downscale", VOTEQUORUM_INFO_ALLOW_DOWNSCALE, &Votes::allow_downscale}),
    [](const auto& row) { return row.param.name; });

struct QdeviceCase {
  std::string name;
  unsigned int flag;
  bool Qdevice::*value;
};
void PrintTo(const QdeviceCase& row, std::ostream* out) { *out << row.name; }

class QdeviceTest : public VotequorumReaderTest,
                    public ::testing::WithParamInterface<QdeviceCase> {};

TEST_P(QdeviceTest, IsReadFromItsOwnBitForEachMember) {
  fake_corosync::change([&](Cluster& cluster) {
    cluster.infos[2].flags = GetParam().flag;
    cluster.infos[3].flags = ~GetParam().flag;
  });
  const Votes votes = read_votes();
  EXPECT_TRUE((*votes.nodes.at(id(2)).qdevice).*GetParam().value);
  EXPECT_FALSE((*votes.nodes.at(id(3)).qdevice).*GetParam().value);
}

INSTANTIATE_TEST_SUITE_P(
    Flags, QdeviceTest,
    ::testing::Values(
        QdeviceCase{"registered", VOTEQUORUM_INFO_QDEVICE_REGISTERED, &Qdevice::registered},
        QdeviceCase{"alive", VOTEQUORUM_INFO_QDEVICE_ALIVE, &Qdevice::alive},
        QdeviceCase{"casting_vote", VOTEQUORUM_INFO_QDEVICE_CAST_VOTE, &Qdevice::casting_vote},
        QdeviceCase{"master_wins", VOTEQUORUM_INFO_QDEVICE_MASTER_WINS, &Qdevice::master_wins}),
    [](const auto& row) { return row.param.name; });

TEST_F(VotequorumReaderTest, AQuorumDevicesVotesAreKnownWhereItIsRegistered) {
  fake_corosync::change([](Cluster& cluster) { cluster.infos[1].qdevice_votes = 9; });
  EXPECT_EQ(read_votes().qdevice, std::nullopt);
  fake_corosync::change(
      [](Cluster& cluster) { cluster.infos[1].flags = VOTEQUORUM_INFO_QDEVICE_REGISTERED; });
  EXPECT_EQ(read_votes().qdevice, 9U);
}

class NodeStateTest : public VotequorumReaderTest,
                      public ::testing::WithParamInterface<unsigned int> {};

TEST_P(NodeStateTest, OnlyAMembersQuorumDeviceFlagsCount) {
  fake_corosync::change([](Cluster& cluster) {
    cluster.infos[3].node_state = GetParam();
    cluster.infos[3].flags = VOTEQUORUM_INFO_QDEVICE_REGISTERED | VOTEQUORUM_INFO_QDEVICE_ALIVE;
  });
  const Votes votes = read_votes();
  EXPECT_EQ(votes.nodes.at(id(3)).votes, 7U);
  EXPECT_EQ(votes.nodes.at(id(3)).qdevice.has_value(), GetParam() == VOTEQUORUM_NODESTATE_MEMBER);
}

INSTANTIATE_TEST_SUITE_P(States, NodeStateTest,
                         ::testing::Values(VOTEQUORUM_NODESTATE_MEMBER, VOTEQUORUM_NODESTATE_DEAD,
                                           VOTEQUORUM_NODESTATE_LEAVING));

TEST_F(VotequorumReaderTest, AVoterThatVotequorumDoesNotKnowIsLeftOut) {
  const Votes votes = reader_.votes(ids({1, 8, 3})).votes;
  EXPECT_TRUE(votes.nodes.contains(id(1)));
  EXPECT_FALSE(votes.nodes.contains(id(8)));
  EXPECT_TRUE(votes.nodes.contains(id(3)));
}

TEST_F(VotequorumReaderTest, NobodyIsAskedAboutWhoIsNoVoter) {
  (void)reader_.votes(ids({1}));
  EXPECT_EQ(fake_corosync::calls("votequorum_getinfo"), 2U);  // the own node, and node 1
}

TEST_F(VotequorumReaderTest, AnOwnNodeThatVotequorumDoesNotKnowIsAnError) {
  fake_corosync::change([](Cluster& cluster) { cluster.local_node = 8; });
  try {
    (void)reader_.votes({});
    FAIL() << "did not throw";
  } catch (const CorosyncError& error) {
    EXPECT_EQ(error.failure(), failure("votequorum_getinfo", "CS_ERR_NOT_EXIST"));
  }
}

}  // namespace
}  // namespace corosync_exporter
