// SPDX-License-Identifier: Apache-2.0
#include "corosync/handle.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <array>
#include <utility>
#include <vector>

#include "descriptor.h"

namespace corosync_exporter {
namespace {

std::vector<std::uint64_t> given_back;

cs_error_t give_back(std::uint64_t handle) {
  given_back.push_back(handle);
  return CS_OK;
}

using TestHandle = Handle<give_back>;
using TestConnection = Connection<give_back>;
using Handles = std::vector<std::uint64_t>;

class HandleTest : public ::testing::Test {
 protected:
  HandleTest() { given_back.clear(); }
};

TEST_F(HandleTest, OwnsNothingAtFirst) {
  {
    const TestHandle handle;
    EXPECT_FALSE(handle);
  }
  EXPECT_EQ(given_back, Handles{});
}

TEST_F(HandleTest, IsGivenBackOnce) {
  {
    const TestHandle handle{7};
    EXPECT_TRUE(handle);
    EXPECT_EQ(handle.get(), 7U);
    EXPECT_EQ(given_back, Handles{});
  }
  EXPECT_EQ(given_back, Handles{7});
}

TEST_F(HandleTest, MovesItsOwnership) {
  {
    TestHandle from{7};
    const TestHandle to{std::move(from)};
    EXPECT_EQ(to.get(), 7U);
  }
  EXPECT_EQ(given_back, Handles{7});
}

TEST_F(HandleTest, GivesBackWhatItOwnedWhenMovedInto) {
  {
    TestHandle to{7};
    to = TestHandle{8};
    EXPECT_EQ(to.get(), 8U);
    EXPECT_EQ(given_back, Handles{7});
  }
  EXPECT_EQ(given_back, (Handles{7, 8}));
}

TEST_F(HandleTest, SurvivesBeingMovedIntoItself) {
  {
    TestHandle handle{7};
    TestHandle& same = handle;
    handle = std::move(same);
    EXPECT_EQ(handle.get(), 7U);
  }
  EXPECT_EQ(given_back, Handles{7});
}

TEST_F(HandleTest, AConnectionMovesBothItsParts) {
  {
    TestConnection from{TestHandle{7}, 42};
    TestConnection to;
    EXPECT_FALSE(to);
    to = std::move(from);
    EXPECT_TRUE(to);
    EXPECT_EQ(to.handle(), 7U);
    EXPECT_EQ(to.descriptor(), 42);
  }
  EXPECT_EQ(given_back, Handles{7});
}

class DescriptorTest : public ::testing::Test {
 protected:
  // The two ends of a pipe.
  DescriptorTest() { EXPECT_EQ(pipe2(ends_.data(), O_CLOEXEC), 0); }

  static bool is_open(int descriptor) { return fcntl(descriptor, F_GETFD) >= 0; }

  std::array<int, 2> ends_{};
};

TEST_F(DescriptorTest, IsClosedAtTheEnd) {
  {
    const Descriptor first{ends_[0]};
    const Descriptor second{ends_[1]};
    EXPECT_TRUE(is_open(ends_[0]));
  }
  EXPECT_FALSE(is_open(ends_[0]));
  EXPECT_FALSE(is_open(ends_[1]));
}

TEST_F(DescriptorTest, MovesItsOwnership) {
  Descriptor first{ends_[0]};
  Descriptor second{ends_[1]};
  {
    const Descriptor moved{std::move(first)};
    EXPECT_EQ(moved.get(), ends_[0]);
  }
  EXPECT_FALSE(is_open(ends_[0]));
  second = Descriptor{-1};
  EXPECT_FALSE(is_open(ends_[1]));
}

}  // namespace
}  // namespace corosync_exporter
