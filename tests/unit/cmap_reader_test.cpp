// SPDX-License-Identifier: Apache-2.0
#include "corosync/cmap_reader.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "corosync_test.h"
#include "print_model.h"

namespace corosync_exporter {
namespace {

using fake_corosync::CmapValue;

class CmapReaderTest : public CorosyncTest {
 protected:
  static void set(const std::string& key, const CmapValue& value) {
    fake_corosync::change([&](fake_corosync::Cluster& cluster) { cluster.cmap[key] = value; });
  }

  Calls calls_{Timing{}};
  CmapReader cmap_{calls_, CMAP_MAP_ICMAP};
};

struct NumberCase {
  std::string name;
  CmapValue value;
  std::optional<std::uint64_t> expected;
};
void PrintTo(const NumberCase& row, std::ostream* out) { *out << row.name; }

class CmapNumberTest : public CmapReaderTest, public ::testing::WithParamInterface<NumberCase> {};

TEST_P(CmapNumberTest, IsReadWhereItIsUnsigned) {
  set("some.key", GetParam().value);
  EXPECT_EQ(cmap_.number("some.key"), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Types, CmapNumberTest,
    ::testing::Values(NumberCase{"u8", std::uint8_t{0xF1}, 0xF1U},
                      NumberCase{"u16", std::uint16_t{0xF123}, 0xF123U},
                      NumberCase{"u32", std::uint32_t{0xF1234567}, 0xF1234567U},
                      NumberCase{"u64", std::uint64_t{0xF123456789ABCDEF}, 0xF123456789ABCDEFU},
                      NumberCase{"zero", std::uint32_t{0}, 0U},
                      NumberCase{"i8", std::int8_t{1}, {}}, NumberCase{"i16", std::int16_t{1}, {}},
                      NumberCase{"i32", std::int32_t{1}, {}},
                      NumberCase{"i64", std::int64_t{1}, {}}, NumberCase{"f32", 1.0F, {}},
                      NumberCase{"f64", 1.0, {}}, NumberCase{"text", "1", {}},
                      NumberCase{"binary", fake_corosync::Binary{{1, 0, 0, 0}}, {}}),
    [](const auto& row) { return row.param.name; });

struct TextCase {
  std::string name;
  CmapValue value;
  std::optional<std::string> expected;
};
void PrintTo(const TextCase& row, std::ostream* out) { *out << row.name; }

class CmapTextTest : public CmapReaderTest, public ::testing::WithParamInterface<TextCase> {};

TEST_P(CmapTextTest, IsReadAsValidUtf8) {
  set("some.key", GetParam().value);
  EXPECT_EQ(cmap_.text("some.key"), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Texts, CmapTextTest,
    ::testing::Values(TextCase{"plain", "node1", "node1"}, TextCase{"empty", "", ""},
                      TextCase{"umlaut", "k\u00f6ln", "k\u00f6ln"},
                      TextCase{"emoji", "\U0001F980", "\U0001F980"},
                      TextCase{"controls", "a\nb\tc\x01", "a\nb\tc\x01"},
                      TextCase{"latin1", "k\xF6ln", "k\uFFFDln"},
                      TextCase{"lone_continuation", "a\x80z", "a\uFFFDz"},
                      TextCase{"cut_short", "a\xE2\x82", "a\uFFFD"},
                      TextCase{"overlong", "a\xC0\xAFz", "a\uFFFDz"},
                      TextCase{"surrogate", "a\xED\xA0\x80z", "a\uFFFDz"},
                      TextCase{"ends_at_nul", std::string{"ab\0cd", 5}, "ab"},
                      TextCase{"long", std::string(511, 'x'), std::string(511, 'x')},
                      TextCase{"longer", std::string(512, 'x'), std::string(512, 'x')},
                      TextCase{"longest", std::string(16384, 'x'), std::string(16384, 'x')},
                      TextCase{"longer_than_corosync_allows", std::string(16385, 'x'), {}},
                      TextCase{
                          "long_binary", fake_corosync::Binary{std::vector<char>(600, 'a')}, {}},
                      TextCase{"number", std::uint32_t{1}, {}},
                      TextCase{"binary", fake_corosync::Binary{{'a', 0}}, {}}),
    [](const auto& row) { return row.param.name; });

TEST_F(CmapReaderTest, AKeyThatDoesNotExistIsUnknown) {
  EXPECT_EQ(cmap_.text("no.such.key"), std::nullopt);
  EXPECT_EQ(cmap_.number("no.such.key"), std::nullopt);
}

TEST_F(CmapReaderTest, ListsTheKeysBelowAPrefix) {
  set("a.b.c", std::uint32_t{1});
  set("a.b.d", std::uint32_t{2});
  set("a.bc", std::uint32_t{3});
  set("a", std::uint32_t{4});
  EXPECT_EQ(cmap_.keys("a.b."), (std::vector<std::string>{"a.b.c", "a.b.d"}));
}

TEST_F(CmapReaderTest, ListsNoKeysWhereThereAreNone) {
  EXPECT_EQ(cmap_.keys("no.such."), std::vector<std::string>{});
}

TEST_F(CmapReaderTest, ListsKeysOfTheGreatestLength) {
  const std::string longest = "x." + std::string(253, 'k');
  set(longest, std::uint32_t{1});
  EXPECT_EQ(cmap_.keys("x."), std::vector<std::string>{longest});
}

TEST_F(CmapReaderTest, GivesIteratorsBack) {
  (void)cmap_.keys("nodelist.");
  EXPECT_EQ(fake_corosync::calls("cmap_iter_finalize"), 1U);
}

TEST_F(CmapReaderTest, OnlyALongTextTakesASecondCall) {
  set("some.key", std::string(511, 'x'));
  EXPECT_TRUE(cmap_.text("some.key"));
  EXPECT_EQ(cmap_.text("no.such.key"), std::nullopt);
  EXPECT_EQ(fake_corosync::calls("cmap_get"), 2U);
  set("some.key", std::string(512, 'x'));
  EXPECT_TRUE(cmap_.text("some.key"));
  EXPECT_EQ(fake_corosync::calls("cmap_get"), 4U);
}

TEST_F(CmapReaderTest, ALongTextIsNoNumber) {
  set("some.key", std::string(512, '1'));
  EXPECT_EQ(cmap_.number("some.key"), std::nullopt);
  EXPECT_EQ(cmap_.real("some.key"), std::nullopt);
  EXPECT_EQ(fake_corosync::calls("cmap_get"), 2U);
}

TEST_F(CmapReaderTest, ReadsARealNumber) {
  set("some.key", 2.5F);
  EXPECT_EQ(cmap_.real("some.key"), 2.5);
  set("some.key", std::uint32_t{2});
  EXPECT_EQ(cmap_.real("some.key"), std::nullopt);
  EXPECT_EQ(cmap_.real("no.such.key"), std::nullopt);
}

TEST_F(CmapReaderTest, ReadsTheMapThatItIsFor) {
  fake_corosync::change([](fake_corosync::Cluster& cluster) {
    cluster.cmap["some.key"] = std::uint32_t{1};
    cluster.statistics["some.key"] = std::uint32_t{2};
  });
  CmapReader statistics{calls_, CMAP_MAP_STATS};
  EXPECT_EQ(cmap_.number("some.key"), 1U);
  EXPECT_EQ(statistics.number("some.key"), 2U);
}

// The fake complains where a buffer may be too small for the statistics.
TEST_F(CmapReaderTest, ReadsStatisticsOfAnyTypeWithoutHarm) {
  fake_corosync::change([](fake_corosync::Cluster& cluster) {
    cluster.statistics["stats.schedmiss.0.timestamp"] = std::uint64_t{1};
    cluster.statistics["stats.ipcs.service1.procname"] = "corosync-exporter";
  });
  CmapReader statistics{calls_, CMAP_MAP_STATS};
  EXPECT_EQ(statistics.number("stats.schedmiss.0.timestamp"), 1U);
  EXPECT_EQ(statistics.text("stats.schedmiss.0.timestamp"), std::nullopt);
  EXPECT_EQ(statistics.text("stats.ipcs.service1.procname"), "corosync-exporter");
}

TEST_F(CmapReaderTest, HearsOfChangesBelowThePrefixThatItTracks) {
  cmap_.track("nodelist.node.");
  EXPECT_FALSE(cmap_.has_changed());
  set("nodelist.node.0.name", "new");
  EXPECT_TRUE(cmap_.has_changed());
  EXPECT_FALSE(cmap_.has_changed());
  set("nodelist.node.9.name", "another");
  set("nodelist.node.9.nodeid", std::uint32_t{9});
  EXPECT_TRUE(cmap_.has_changed());
  EXPECT_FALSE(cmap_.has_changed());
  fake_corosync::change([](auto& cluster) { cluster.cmap.erase("nodelist.node.9.name"); });
  EXPECT_TRUE(cmap_.has_changed());
  set("totem.cluster_name", "other");
  EXPECT_FALSE(cmap_.has_changed());
}

TEST_F(CmapReaderTest, HearsOfChangesWhereverItHasMovedTo) {
  cmap_.track("nodelist.node.");
  CmapReader moved{std::move(cmap_)};
  set("nodelist.node.0.name", "new");
  EXPECT_TRUE(moved.has_changed());
}

struct FailingCase {
  std::string call;
  cs_error_t code;
};
void PrintTo(const FailingCase& row, std::ostream* out) { *out << row.call; }

class CmapFailureTest : public CorosyncTest, public ::testing::WithParamInterface<FailingCase> {};

TEST_P(CmapFailureTest, IsThrownWithTheCallsNameAndLeavesNoHandle) {
  fake_corosync::fail_next(GetParam().call, GetParam().code);
  Calls calls{Timing{}};
  try {
    CmapReader cmap{calls, CMAP_MAP_ICMAP};
    cmap.track("nodelist.");
    (void)cmap.has_changed();
    (void)cmap.keys("nodelist.");
    (void)cmap.text("totem.cluster_name");
    FAIL() << "did not throw";
  } catch (const CorosyncError& error) {
    EXPECT_EQ(error.failure().call, GetParam().call);
    EXPECT_EQ(error.code(), GetParam().code);
  }
  EXPECT_EQ(fake_corosync::open_handles(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Calls, CmapFailureTest,
                         ::testing::Values(FailingCase{"cmap_initialize_map", CS_ERR_ACCESS},
                                           FailingCase{"cmap_fd_get", CS_ERR_BAD_HANDLE},
                                           FailingCase{"cmap_track_add", CS_ERR_EXIST},
                                           FailingCase{"cmap_dispatch", CS_ERR_LIBRARY},
                                           FailingCase{"cmap_iter_init", CS_ERR_NO_MEMORY},
                                           FailingCase{"cmap_iter_next", CS_ERR_LIBRARY},
                                           FailingCase{"cmap_iter_finalize", CS_ERR_LIBRARY},
                                           FailingCase{"cmap_get", CS_ERR_TRY_AGAIN}),
                         [](const auto& row) { return row.param.call; });

TEST_F(CmapReaderTest, ALostConnectionIsAnError) {
  fake_corosync::hang_up(fake_corosync::Service::cmap);
  EXPECT_THROW((void)cmap_.text("totem.cluster_name"), CorosyncError);
  EXPECT_THROW((void)cmap_.keys("nodelist."), CorosyncError);
}

}  // namespace
}  // namespace corosync_exporter
