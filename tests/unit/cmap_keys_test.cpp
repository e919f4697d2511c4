// SPDX-License-Identifier: Apache-2.0
#include "corosync/cmap_keys.h"

#include <gtest/gtest.h>

#include <ostream>
#include <random>
#include <string>
#include <vector>

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

// ---- Anything at all ---------------------------------------------------------------------------

// Keys and addresses that are nearly right, under the sanitizers: bytes of good ones exchanged,
// left out, doubled. The seed is fixed, so that what fails fails again.
TEST(CmapKeysFuzzTest, WhatIsTakenFromATextStandsInIt) {
  constexpr unsigned int seed = 3127;
  constexpr int rounds = 200'000;
  const std::vector<std::string> good{"nodelist.node.12.ring0_addr",
                                      "nodelist.node.4294967295.name", "nodelist.node.0.nodeid",
                                      "r(0) ip(10.0.0.1) r(1) ip(fd00::1) "};
  const std::string bytes = std::string{"nodelist.0123456789() r-+:ip"} + '\0' + '\xff';
  std::mt19937 random{seed};
  const auto below = [&](std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>{0, limit - 1}(random);
  };
  int parsed = 0;
  for (int round = 0; round < rounds; ++round) {
    std::string text = good[below(good.size())];
    for (std::size_t changes = below(4); changes > 0 && !text.empty(); --changes) {
      const std::size_t at = below(text.size());
      switch (below(3)) {
        case 0:
          text[at] = bytes[below(bytes.size())];
          break;
        case 1:
          text.erase(at, 1 + below(3));
          break;
        default:
          text.insert(at, text, at, 1 + below(8));
      }
    }
    SCOPED_TRACE(text);
    if (const auto key = parse_nodelist_key(text)) {
      ++parsed;
      const std::string number{text, 14, text.size() - 14 - key->field.size() - 1};
      ASSERT_TRUE(text.starts_with("nodelist.node."));
      ASSERT_TRUE(text.ends_with("." + std::string{key->field}));
      ASSERT_FALSE(key->field.empty());
      ASSERT_EQ(std::stoull(number), key->position);
    }
    if (const auto address = first_address(text)) {
      ++parsed;
      ASSERT_TRUE(text.starts_with("r(0) ip(" + std::string{*address} + ")"));
      ASSERT_FALSE(address->empty());
    }
  }
  EXPECT_GT(parsed, rounds / 10);  // or the mutations have gone too far to show anything
}

}  // namespace
}  // namespace corosync_exporter
