// SPDX-License-Identifier: Apache-2.0
#include "corosync/cmap_keys.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace corosync_exporter {

void PrintTo(const NodelistKey& key, std::ostream* out) {
  *out << "{" << key.position << ", \"" << key.field << "\"}";
}

namespace {

using namespace std::string_view_literals;

struct KeyCase {
  std::string_view key;
  std::optional<NodelistKey> expected;
};
void PrintTo(const KeyCase& row, std::ostream* out) { *out << '"' << row.key << '"'; }

class NodelistKeyTest : public ::testing::TestWithParam<KeyCase> {};

TEST_P(NodelistKeyTest, IsTakenApart) {
  EXPECT_EQ(parse_nodelist_key(GetParam().key), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Good, NodelistKeyTest,
    ::testing::Values(KeyCase{"nodelist.node.0.nodeid", NodelistKey{0, "nodeid"}},
                      KeyCase{"nodelist.node.2.ring0_addr", NodelistKey{2, "ring0_addr"}},
                      KeyCase{"nodelist.node.127.name", NodelistKey{127, "name"}},
                      KeyCase{"nodelist.node.4294967295.name", NodelistKey{4294967295, "name"}},
                      KeyCase{"nodelist.node.1.a.b", NodelistKey{1, "a.b"}}));

INSTANTIATE_TEST_SUITE_P(
    Bad, NodelistKeyTest,
    ::testing::Values(KeyCase{"", {}}, KeyCase{"nodelist", {}}, KeyCase{"nodelist.node.", {}},
                      KeyCase{"nodelist.local_node_pos", {}}, KeyCase{"nodelist.node.1", {}},
                      KeyCase{"nodelist.node.1.", {}}, KeyCase{"nodelist.node..name", {}},
                      KeyCase{"nodelist.node.x.name", {}}, KeyCase{"nodelist.node.1x.name", {}},
                      KeyCase{"nodelist.node.-1.name", {}}, KeyCase{"nodelist.node.+1.name", {}},
                      KeyCase{"nodelist.node. 1.name", {}},
                      KeyCase{"nodelist.node.4294967296.name", {}},
                      KeyCase{"nodelist.node.99999999999999999999.name", {}},
                      KeyCase{"Nodelist.node.1.name", {}}, KeyCase{" nodelist.node.1.name", {}},
                      KeyCase{"\0nodelist.node.1.name"sv, {}},
                      KeyCase{"nodelist.node.1\0.name"sv, {}}));

struct AddressCase {
  std::string_view ip;
  std::optional<std::string_view> expected;
};
void PrintTo(const AddressCase& row, std::ostream* out) { *out << '"' << row.ip << '"'; }

class FirstAddressTest : public ::testing::TestWithParam<AddressCase> {};

TEST_P(FirstAddressTest, IsLinkZeros) {
  EXPECT_EQ(first_address(GetParam().ip), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(Good, FirstAddressTest,
                         ::testing::Values(AddressCase{"r(0) ip(10.0.0.1) ", "10.0.0.1"},
                                           AddressCase{"r(0) ip(10.0.0.1)", "10.0.0.1"},
                                           AddressCase{"r(0) ip(10.0.0.1) r(1) ip(10.1.0.1) ",
                                                       "10.0.0.1"},
                                           AddressCase{"r(0) ip(fd00::1) ", "fd00::1"}));

INSTANTIATE_TEST_SUITE_P(Bad, FirstAddressTest,
                         ::testing::Values(AddressCase{"", {}}, AddressCase{"10.0.0.1", {}},
                                           AddressCase{"r(1) ip(10.1.0.1) ", {}},
                                           AddressCase{"r(0) ip()", {}},
                                           AddressCase{"r(0) ip(", {}},
                                           AddressCase{"r(0) ip(10.0.0.1", {}},
                                           AddressCase{" r(0) ip(10.0.0.1)", {}}));

}  // namespace
}  // namespace corosync_exporter
