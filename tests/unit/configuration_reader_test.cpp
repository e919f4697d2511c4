// SPDX-License-Identifier: Apache-2.0
#include "corosync/configuration_reader.h"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <ostream>
#include <string>
#include <thread>

#include "corosync_test.h"
#include "print_model.h"
#include "story.h"

namespace corosync_exporter {
namespace {

using fake_corosync::Cluster;

using namespace std::chrono_literals;

class ConfigurationReaderTest : public CorosyncTest {
 protected:
  Calls calls_{Timing{}};
  ConfigurationReader reader_{calls_};
};

TEST_F(ConfigurationReaderTest, TheClusterHasAllItsFields) {
  fake_corosync::change([](Cluster& cluster) {
    cluster.cmap["totem.cluster_name"] = "name";
    cluster.cmap["totem.transport"] = "udpu";
    cluster.cmap["quorum.provider"] = "provider";
  });
  const ClusterInfo expected{.cluster_name = "name", .transport = "udpu", .provider = "provider"};
  EXPECT_EQ(reader_.cluster({}).info, expected);
}

TEST_F(ConfigurationReaderTest, WhatTheConfigurationLeavesOutIsCorosyncsDefault) {
  fake_corosync::change([](Cluster& cluster) { cluster.cmap.clear(); });
  const ClusterInfo expected{.cluster_name = "", .transport = "knet", .provider = ""};
  EXPECT_EQ(reader_.cluster({}).info, expected);
}

struct WaitingCase {
  std::string name;
  std::optional<fake_corosync::CmapValue> value;
  bool expected;
};
void PrintTo(const WaitingCase& row, std::ostream* out) { *out << row.name; }

class WaitingForAllTest : public ConfigurationReaderTest,
                          public ::testing::WithParamInterface<WaitingCase> {};

TEST_P(WaitingForAllTest, IsItsKeysOne) {
  if (GetParam().value) {
    fake_corosync::change([](Cluster& cluster) {
      cluster.cmap["runtime.votequorum.wait_for_all_status"] = *GetParam().value;
    });
  }
  EXPECT_EQ(reader_.cluster({}).waiting_for_all, GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(Values, WaitingForAllTest,
                         ::testing::Values(WaitingCase{"absent", {}, false},
                                           WaitingCase{"zero", std::uint8_t{0}, false},
                                           WaitingCase{"one", std::uint8_t{1}, true},
                                           WaitingCase{"text", std::string{"1"}, false}),
                         [](const auto& row) { return row.param.name; });

TEST_F(ConfigurationReaderTest, ANodeIsConfiguredWithNameAndVotes) {
  const std::map<NodeId, NodeConfiguration> expected{
      {id(1), {.name = "alpha", .configured = true, .votes = 5}},
      {id(2), {.name = "beta", .configured = true, .votes = 6}},
      {id(3), {.name = "gamma", .configured = true, .votes = 7}}};
  EXPECT_EQ(reader_.cluster({}).nodes, expected);
}

TEST_F(ConfigurationReaderTest, APositionIsNoIdentity) {
  fake_corosync::change([](Cluster& cluster) {
    cluster.cmap["nodelist.node.0.nodeid"] = std::uint32_t{3};
    cluster.cmap["nodelist.node.2.nodeid"] = std::uint32_t{1};
  });
  const auto nodes = reader_.cluster({}).nodes;
  EXPECT_EQ(nodes.at(id(3)).name, "alpha");
  EXPECT_EQ(nodes.at(id(1)).name, "gamma");
}

TEST_F(ConfigurationReaderTest, WithoutANameANodeIsCalledByItsAddress) {
  fake_corosync::change([](Cluster& cluster) { cluster.cmap.erase("nodelist.node.1.name"); });
  EXPECT_EQ(reader_.cluster({}).nodes.at(id(2)).name, "10.0.0.2");
}

TEST_F(ConfigurationReaderTest, AnEmptyNameIsNone) {
  fake_corosync::change([](Cluster& cluster) { cluster.cmap["nodelist.node.1.name"] = ""; });
  EXPECT_EQ(reader_.cluster({}).nodes.at(id(2)).name, "10.0.0.2");
}

TEST_F(ConfigurationReaderTest, WithoutNameAndAddressANodeIsCalledByItsId) {
  fake_corosync::change([](Cluster& cluster) {
    cluster.cmap.erase("nodelist.node.1.name");
    cluster.cmap.erase("nodelist.node.1.ring0_addr");
  });
  EXPECT_EQ(reader_.cluster({}).nodes.at(id(2)).name, "2");
}

TEST_F(ConfigurationReaderTest, AVoteIsOneWhereNothingElseIsConfigured) {
  fake_corosync::change(
      [](Cluster& cluster) { cluster.cmap.erase("nodelist.node.1.quorum_votes"); });
  EXPECT_EQ(reader_.cluster({}).nodes.at(id(2)).votes, 1U);
}

TEST_F(ConfigurationReaderTest, AnEntryWithoutANodeIdIsNoNode) {
  fake_corosync::change([](Cluster& cluster) { cluster.cmap.erase("nodelist.node.1.nodeid"); });
  const auto nodes = reader_.cluster({}).nodes;
  EXPECT_EQ(nodes.size(), 2U);
  EXPECT_FALSE(nodes.contains(id(2)));
}

TEST_F(ConfigurationReaderTest, AnUnlistedNodeIsCalledByTheAddressThatCorosyncSawItAt) {
  fake_corosync::change([](Cluster& cluster) {
    cluster.cmap["runtime.members.8.ip"] = "r(0) ip(10.0.0.8) r(1) ip(10.1.0.8) ";
  });
  const NodeConfiguration expected{.name = "10.0.0.8", .configured = false, .votes = 1};
  EXPECT_EQ(reader_.cluster(ids({1, 8})).nodes.at(id(8)), expected);
}

TEST_F(ConfigurationReaderTest, AnUnlistedNodeThatCorosyncNeverSawIsCalledByItsId) {
  const NodeConfiguration expected{.name = "8", .configured = false, .votes = 1};
  EXPECT_EQ(reader_.cluster(ids({8})).nodes.at(id(8)), expected);
}

TEST_F(ConfigurationReaderTest, AListedNodeIsNotLookedUpAmongTheUnlisted) {
  fake_corosync::change(
      [](Cluster& cluster) { cluster.cmap["runtime.members.2.ip"] = "r(0) ip(10.9.9.9) "; });
  EXPECT_EQ(reader_.cluster(ids({2})).nodes.at(id(2)).name, "beta");
}

TEST_F(ConfigurationReaderTest, HostileKeysAreNoNodes) {
  fake_corosync::change([](Cluster& cluster) {
    cluster.cmap["nodelist.node.x.nodeid"] = std::uint32_t{77};
    cluster.cmap["nodelist.node.4294967296.nodeid"] = std::uint32_t{78};
    cluster.cmap["nodelist.node.9"] = std::uint32_t{79};
    cluster.cmap["nodelist.node.10.nodeid"] = "80";
    cluster.cmap["nodelist.node.11.nodeid.nodeid"] = std::uint32_t{81};
  });
  EXPECT_EQ(reader_.cluster({}).nodes.size(), 3U);
}

TEST_F(ConfigurationReaderTest, TheNodeListIsReadAgainOnlyWhenItChanged) {
  (void)reader_.cluster({});
  (void)reader_.cluster({});
  EXPECT_EQ(fake_corosync::calls("cmap_iter_init"), 1U);
  fake_corosync::change([](Cluster& cluster) { cluster.cmap["nodelist.node.1.name"] = "new"; });
  EXPECT_EQ(reader_.cluster({}).nodes.at(id(2)).name, "new");
  EXPECT_EQ(fake_corosync::calls("cmap_iter_init"), 2U);
  fake_corosync::change([](Cluster& cluster) {
    cluster.cmap["runtime.votequorum.wait_for_all_status"] = std::uint8_t{1};
  });
  EXPECT_TRUE(reader_.cluster({}).waiting_for_all);
  EXPECT_EQ(fake_corosync::calls("cmap_iter_init"), 2U);
}

// As a reload does with lines that are gone, while corosync goes on as before.
TEST_F(ConfigurationReaderTest, KeysThatAreGoneLaterChangeNothingAboutTheCluster) {
  fake_corosync::change([](Cluster& cluster) { cluster.cmap["totem.transport"] = "udpu"; });
  const ClusterInfo before = reader_.cluster({}).info;
  fake_corosync::change([](Cluster& cluster) {
    for (const char* key : {"totem.cluster_name", "totem.transport", "quorum.provider"}) {
      cluster.cmap.erase(key);
    }
  });
  EXPECT_EQ(reader_.cluster({}).info, before);
}

TEST_F(ConfigurationReaderTest, ANodeThatIsAddedOrTakenOutIsNoticed) {
  (void)reader_.cluster({});
  fake_corosync::change([](Cluster& cluster) {
    cluster.cmap["nodelist.node.3.nodeid"] = std::uint32_t{4};
    cluster.cmap.erase("nodelist.node.0.nodeid");
  });
  const auto nodes = reader_.cluster({}).nodes;
  EXPECT_TRUE(nodes.contains(id(4)));
  EXPECT_FALSE(nodes.contains(id(1)));
}

// A position's keys are read one by one: between two of them it may come to stand for another node.
TEST_F(ConfigurationReaderTest, ANodeListThatChangesWhileItIsReadIsReadOnceMore) {
  fake_corosync::hang("cmap_iter_finalize");
  std::map<NodeId, NodeConfiguration> nodes;
  {
    const std::jthread reading{[&] { nodes = reader_.cluster({}).nodes; }};
    ASSERT_TRUE(fake_corosync::wait_until_hanging("cmap_iter_finalize"));
    fake_corosync::change([](Cluster& cluster) { cluster.cmap["nodelist.node.1.name"] = "new"; });
    fake_corosync::release("cmap_iter_finalize");
  }
  EXPECT_EQ(nodes.at(id(2)).name, "new");
  EXPECT_EQ(fake_corosync::calls("cmap_iter_init"), 2U);
}

TEST_F(ConfigurationReaderTest, TotemsSettingsHaveAllTheirFields) {
  fake_corosync::change([](Cluster& cluster) {
    cluster.cmap["runtime.config.totem.token"] = std::uint32_t{1650};
    cluster.cmap["runtime.config.totem.consensus"] = std::uint32_t{1980};
    cluster.cmap["totem.config_version"] = std::uint64_t{7};
  });
  Totem totem{.retransmits = 5};
  reader_.add_settings(totem);
  const Totem expected{.retransmits = 5,
                       .token_timeout = 1650ms,
                       .consensus_timeout = 1980ms,
                       .configuration_version = 7};
  EXPECT_EQ(totem, expected);
}

// Longer than any line of corosync.conf: somebody set it while corosync ran.
TEST_F(ConfigurationReaderTest, ALongTextIsReadToItsEnd) {
  const std::string provider(600, 'p');
  const std::string name(16384, 'n');
  fake_corosync::change([&](Cluster& cluster) {
    cluster.cmap["quorum.provider"] = provider;
    cluster.cmap["nodelist.node.1.name"] = name;
    cluster.cmap["runtime.members.8.ip"] = "r(0) ip(10.0.0.8) " + std::string(600, ' ');
  });
  const auto cluster = reader_.cluster(ids({8}));
  EXPECT_EQ(cluster.info.provider, provider);
  EXPECT_EQ(cluster.nodes.at(id(2)).name, name);
  EXPECT_EQ(cluster.nodes.at(id(3)).name, "gamma");
  EXPECT_EQ(cluster.nodes.at(id(8)).name, "10.0.0.8");
}

TEST_F(ConfigurationReaderTest, ALongTextInPlaceOfANumberCostsNoOtherKey) {
  const std::string text(600, '1');
  fake_corosync::change([&](Cluster& cluster) {
    cluster.cmap["nodelist.node.1.quorum_votes"] = text;
    cluster.cmap["runtime.votequorum.wait_for_all_status"] = text;
    cluster.cmap["runtime.config.totem.token"] = std::uint32_t{1650};
    cluster.cmap["totem.config_version"] = text;
  });
  const auto cluster = reader_.cluster({});
  EXPECT_FALSE(cluster.waiting_for_all);
  EXPECT_EQ(cluster.nodes.at(id(2)).name, "beta");
  EXPECT_EQ(cluster.nodes.at(id(2)).votes, 1U);
  Totem totem;
  reader_.add_settings(totem);
  EXPECT_EQ(totem.token_timeout, 1650ms);
  EXPECT_EQ(totem.configuration_version, std::nullopt);
}

TEST_F(ConfigurationReaderTest, TotemsSettingsAreUnknownWhereTheyAreAbsent) {
  Totem totem;
  reader_.add_settings(totem);
  EXPECT_EQ(totem, Totem{});
}

}  // namespace
}  // namespace corosync_exporter
