// SPDX-License-Identifier: Apache-2.0
#include "corosync/cfg_reader.h"

#include <gtest/gtest.h>

#include <cstring>

#include "corosync_test.h"
#include "print_model.h"
#include "story.h"

namespace corosync_exporter {
namespace {

using fake_corosync::Cluster;

class CfgReaderTest : public CorosyncTest {
 protected:
  Calls calls_{Timing{}};
  CfgReader reader_{calls_};
};

TEST_F(CfgReaderTest, TheLocalNodeIsRead) {
  fake_corosync::change([](Cluster& cluster) { cluster.local_node = 3; });
  EXPECT_EQ(reader_.local_node(), id(3));
}

TEST_F(CfgReaderTest, ANodesLinksHaveAllTheirFields) {
  fake_corosync::change([](Cluster& cluster) {
    corosync_cfg_node_status_v1& status = cluster.statuses[2];
    status.reachable = 1;
    for (const unsigned int number : {0U, 3U, 7U}) {
      corosync_knet_link_status_v1& link = status.link_status[number];
      link.enabled = number != 3;
      link.connected = number != 7;
      link.mtu = 1390 + number;
      std::strcpy(link.dst_ipaddr, "10.0.0.2");
    }
  });
  const Reachability expected{
      .reachable = true,
      .links = {{0, {.enabled = true, .connected = true, .mtu_bytes = 1390}},
                {3, {.enabled = false, .connected = true, .mtu_bytes = 1393}},
                {7, {.enabled = true, .connected = false, .mtu_bytes = 1397}}}};
  EXPECT_EQ(reader_.reachability(id(2)), expected);
}

TEST_F(CfgReaderTest, ALinkWithoutAnAddressIsNone) {
  fake_corosync::change([](Cluster& cluster) {
    cluster.statuses[2] = {};
    cluster.statuses[2].link_status[1].enabled = 1;
  });
  EXPECT_EQ(reader_.reachability(id(2)), Reachability{});
}

TEST_F(CfgReaderTest, ANodeThatKnetDoesNotKnowHasNone) {
  fake_corosync::change([](Cluster& cluster) { cluster.statuses.erase(2); });
  EXPECT_EQ(reader_.reachability(id(2)), std::nullopt);
}

TEST_F(CfgReaderTest, CorosyncsShutdownIsNotTracked) {
  (void)reader_.local_node();
  EXPECT_EQ(fake_corosync::trackers(fake_corosync::Service::cfg), 0U);
}

}  // namespace
}  // namespace corosync_exporter
