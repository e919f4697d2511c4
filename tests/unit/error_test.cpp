// SPDX-License-Identifier: Apache-2.0
#include "corosync/error.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <ostream>
#include <set>
#include <string>

#include "print_model.h"

namespace corosync_exporter {
namespace {

struct NameCase {
  cs_error_t code;
  std::string name;
};
void PrintTo(const NameCase& row, std::ostream* out) { *out << row.name; }

class ErrorNameTest : public ::testing::TestWithParam<NameCase> {};

TEST_P(ErrorNameTest, IsSpelledAsInCorotypes) {
  EXPECT_EQ(error_name(GetParam().code), GetParam().name);
}

// Every name that corotypes.h gives to a number below 200.
#define NAMED(code) \
  NameCase { code, #code }
INSTANTIATE_TEST_SUITE_P(
    Codes, ErrorNameTest,
    ::testing::Values(
        NAMED(CS_OK), NAMED(CS_ERR_LIBRARY), NAMED(CS_ERR_VERSION), NAMED(CS_ERR_INIT),
        NAMED(CS_ERR_TIMEOUT), NAMED(CS_ERR_TRY_AGAIN), NAMED(CS_ERR_INVALID_PARAM),
        NAMED(CS_ERR_NO_MEMORY), NAMED(CS_ERR_BAD_HANDLE), NAMED(CS_ERR_BUSY), NAMED(CS_ERR_ACCESS),
        NAMED(CS_ERR_NOT_EXIST), NAMED(CS_ERR_NAME_TOO_LONG), NAMED(CS_ERR_EXIST),
        NAMED(CS_ERR_NO_SPACE), NAMED(CS_ERR_INTERRUPT), NAMED(CS_ERR_NAME_NOT_FOUND),
        NAMED(CS_ERR_NO_RESOURCES), NAMED(CS_ERR_NOT_SUPPORTED), NAMED(CS_ERR_BAD_OPERATION),
        NAMED(CS_ERR_FAILED_OPERATION), NAMED(CS_ERR_MESSAGE_ERROR), NAMED(CS_ERR_QUEUE_FULL),
        NAMED(CS_ERR_QUEUE_NOT_AVAILABLE), NAMED(CS_ERR_BAD_FLAGS), NAMED(CS_ERR_TOO_BIG),
        NAMED(CS_ERR_NO_SECTIONS), NAMED(CS_ERR_CONTEXT_NOT_FOUND), NAMED(CS_ERR_TOO_MANY_GROUPS),
        NAMED(CS_ERR_SECURITY)),
    [](const auto& row) { return row.param.name; });
#undef NAMED

TEST(ErrorTest, AnUnnamedNumberIsItsOwnName) {
  EXPECT_EQ(error_name(static_cast<cs_error_t>(77)), "CS_ERR_77");
  EXPECT_EQ(error_name(static_cast<cs_error_t>(0)), "CS_ERR_0");
}

TEST(ErrorTest, SaysWhichCallFailedAndHow) {
  const CorosyncError error{"cmap_get", CS_ERR_ACCESS};
  EXPECT_EQ(error.code(), CS_ERR_ACCESS);
  const Failure expected{.call = "cmap_get", .error = "CS_ERR_ACCESS", .answered = true};
  EXPECT_EQ(error.failure(), expected);
  EXPECT_STREQ(error.what(), "cmap_get: CS_ERR_ACCESS");
}

TEST(ErrorTest, SaysWhatErrnoSaid) {
  const CorosyncError error{"cmap_initialize", CS_ERR_LIBRARY, ECONNREFUSED};
  EXPECT_EQ(error.failure().detail, "Connection refused");
}

TEST(ErrorTest, KnowsWhatTheLibrarySaysWithoutCorosync) {
  EXPECT_FALSE(CorosyncError("cmap_get", CS_ERR_LIBRARY).failure().answered);
  EXPECT_FALSE(CorosyncError("cmap_get", CS_ERR_TIMEOUT).failure().answered);
  EXPECT_TRUE(CorosyncError("cmap_get", CS_ERR_TRY_AGAIN).failure().answered);
}

TEST(ErrorTest, KnowsARefusal) {
  EXPECT_TRUE(CorosyncError("cmap_initialize_map", CS_ERR_ACCESS).is_refusal());
  EXPECT_TRUE(CorosyncError("cmap_initialize_map", CS_ERR_NO_SPACE).is_refusal());
  EXPECT_TRUE(CorosyncError("cmap_initialize_map", CS_ERR_NO_MEMORY).is_refusal());
  EXPECT_FALSE(CorosyncError("cmap_initialize_map", CS_ERR_LIBRARY).is_refusal());
}

TEST(ErrorTest, OkIsNoError) { EXPECT_NO_THROW(check(CS_OK, "quorum_fd_get")); }

TEST(ErrorTest, AnythingElseIsOne) {
  EXPECT_THROW(check(CS_ERR_LIBRARY, "quorum_fd_get"), CorosyncError);
  EXPECT_THROW(check(static_cast<cs_error_t>(0), "quorum_fd_get"), CorosyncError);
}

}  // namespace
}  // namespace corosync_exporter
