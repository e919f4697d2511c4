// SPDX-License-Identifier: Apache-2.0
#include "web/network.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <string>

namespace corosync_exporter::web {
namespace {

using namespace std::string_literals;

TEST(NetworkTest, AnIpv4AddressIsOneInAllItsForms) {
  EXPECT_EQ(network_of("192.0.2.1"s), network_of("::ffff:192.0.2.1"s));
  EXPECT_NE(network_of("192.0.2.1"s), network_of("192.0.2.2"s));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  ASSERT_EQ(inet_pton(AF_INET, "192.0.2.1", &address.sin_addr), 1);
  EXPECT_EQ(network_of(reinterpret_cast<const sockaddr&>(address)), network_of("192.0.2.1"s));
}

TEST(NetworkTest, AnIpv6NetworkIsOneClient) {
  EXPECT_EQ(network_of("2001:db8:0:1::1"s), network_of("2001:db8:0:1:ffff::2"s));
  EXPECT_NE(network_of("2001:db8:0:1::1"s), network_of("2001:db8:0:2::1"s));
  EXPECT_EQ(network_of("fe80::1%eth0"s), network_of("fe80::2"s));
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  ASSERT_EQ(inet_pton(AF_INET6, "2001:db8:0:1::9", &address.sin6_addr), 1);
  EXPECT_EQ(network_of(reinterpret_cast<const sockaddr&>(address)), network_of("2001:db8:0:1::1"s));
}

TEST(NetworkTest, WhatIsNoAddressIsOneClientToo) {
  EXPECT_EQ(network_of(""s), Network{});
  EXPECT_EQ(network_of("localhost"s), Network{});
  sockaddr address{};
  address.sa_family = AF_UNIX;
  EXPECT_EQ(network_of(address), Network{});
}

}  // namespace
}  // namespace corosync_exporter::web
