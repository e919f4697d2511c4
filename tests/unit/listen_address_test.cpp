// SPDX-License-Identifier: Apache-2.0
#include "web/listen_address.h"

#include <gtest/gtest.h>

#include <ostream>
#include <stdexcept>
#include <string>

namespace corosync_exporter::web {
namespace {

struct Written {
  std::string text;
  ListenAddress address;
};
void PrintTo(const Written& row, std::ostream* out) { *out << testing::PrintToString(row.text); }

class WrittenAddressTest : public testing::TestWithParam<Written> {};

TEST_P(WrittenAddressTest, IsReadAndWrittenTheSameWay) {
  const ListenAddress address = parse_listen_address(GetParam().text);
  EXPECT_EQ(address.host, GetParam().address.host);
  EXPECT_EQ(address.port, GetParam().address.port);
  EXPECT_EQ(to_string(address), GetParam().text);
}

INSTANTIATE_TEST_SUITE_P(
    , WrittenAddressTest,
    testing::Values(Written{":10056", {"", 10056}}, Written{"127.0.0.1:9100", {"127.0.0.1", 9100}},
                    Written{"node-1.example_net:80", {"node-1.example_net", 80}},
                    Written{"[::1]:443", {"::1", 443}},
                    Written{"[fd00:1:2::3]:1", {"fd00:1:2::3", 1}},
                    Written{"[::]:65535", {"::", 65535}},
                    Written{"localhost:0", {"localhost", 0}}));

TEST(ListenAddressTest, LeadingZerosOfAPortAreOfNoMatter) {
  EXPECT_EQ(parse_listen_address(":09100").port, 9100);
}

struct Wrong {
  std::string text;
  std::string complaint;
};
void PrintTo(const Wrong& row, std::ostream* out) { *out << testing::PrintToString(row.text); }

class WrongAddressTest : public testing::TestWithParam<Wrong> {};

TEST_P(WrongAddressTest, IsRefusedWithItsTextAndTheReason) {
  try {
    const ListenAddress address = parse_listen_address(GetParam().text);
    FAIL() << to_string(address);
  } catch (const std::invalid_argument& error) {
    EXPECT_EQ(error.what(), "\"" + GetParam().text + "\" " + GetParam().complaint);
  }
}

constexpr const char* no_port = "has no port: write host:port, :port or [::1]:port";
constexpr const char* wrong_port = "has no port from 0 to 65535 after the colon";
constexpr const char* wrong_ipv6 = "has no IPv6 address between its brackets";
constexpr const char* wrong_host = "has a host that is neither a name nor an address";

INSTANTIATE_TEST_SUITE_P(
    , WrongAddressTest,
    testing::Values(
        Wrong{"", no_port}, Wrong{"9100", no_port}, Wrong{"localhost", no_port},
        Wrong{":", wrong_port}, Wrong{":65536", wrong_port}, Wrong{":-1", wrong_port},
        Wrong{":+1", wrong_port}, Wrong{": 1", wrong_port}, Wrong{":1 ", wrong_port},
        Wrong{":0x50", wrong_port}, Wrong{":http", wrong_port},
        Wrong{":99999999999999999999", wrong_port},
        Wrong{"::1:80",
              "has more than one colon: an IPv6 address is written in brackets, [::1]:port"},
        Wrong{"[::1", "lacks the closing bracket of its IPv6 address"},
        Wrong{"[::1]", "has no :port after the bracket"},
        Wrong{"[::1]80", "has no :port after the bracket"}, Wrong{"[::1]:", wrong_port},
        Wrong{"[]:80", wrong_ipv6}, Wrong{"[127.0.0.1]:80", wrong_ipv6},
        Wrong{"[fe80::1%eth0]:80", wrong_ipv6}, Wrong{"a b:80", wrong_host},
        Wrong{"http//x:80", wrong_host}, Wrong{"a,b:80", wrong_host},
        Wrong{"a\nb:80", wrong_host}));

}  // namespace
}  // namespace corosync_exporter::web
