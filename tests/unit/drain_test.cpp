// SPDX-License-Identifier: Apache-2.0
#include "corosync/drain.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "corosync/cmap_reader.h"
#include "corosync_test.h"
#include "descriptor.h"

namespace corosync_exporter {
namespace {

using namespace std::chrono_literals;
using fake_corosync::Service;

class DrainTest : public CorosyncTest {
 protected:
  [[nodiscard]] std::shared_ptr<CmapReader> connect() {
    return std::make_shared<CmapReader>(calls_, CMAP_MAP_ICMAP);
  }
  [[nodiscard]] std::shared_ptr<CmapReader> connect_and_hang_up() {
    auto cmap = connect();
    fake_corosync::hang_up(Service::cmap);
    return cmap;
  }
  void add(std::shared_ptr<CmapReader> cmap, SteadyTime now) {
    const std::vector descriptors{cmap->descriptor()};
    drain_.add(std::move(cmap), descriptors, now);
  }
  void add(std::shared_ptr<CmapReader> cmap) { add(std::move(cmap), now_); }

  const SteadyTime now_ = std::chrono::steady_clock::now();
  Calls calls_{Timing{}};
  Drain drain_;
};

TEST_F(DrainTest, HasNothingToLookForAtFirst) {
  EXPECT_EQ(drain_.next_look(), std::nullopt);
  drain_.empty(now_);
}

TEST_F(DrainTest, FinalizesAtOnceWhatStillStands) {
  add(connect());
  EXPECT_EQ(fake_corosync::open_handles(), 0U);
  EXPECT_EQ(drain_.next_look(), std::nullopt);
}

TEST_F(DrainTest, ADeadConnectionWaitsForAsLongAsTheProcessExists) {
  add(connect_and_hang_up());
  EXPECT_EQ(fake_corosync::open_handles(), 1U);
  EXPECT_TRUE(drain_.next_look());
  drain_.empty(now_ + 59s);
  EXPECT_EQ(fake_corosync::open_handles(), 1U);
}

TEST_F(DrainTest, AnExitIsExpectedOnlyOfACorosyncThatHungUp) {
  EXPECT_FALSE(drain_.expects_exit());
  auto ours = connect();
  const std::vector descriptors{ours->descriptor()};
  shutdown(descriptors.front(), SHUT_RDWR);
  drain_.add(std::move(ours), descriptors, now_, Drain::EndedBy::us);
  EXPECT_TRUE(drain_.next_look());
  EXPECT_FALSE(drain_.expects_exit());
  add(connect_and_hang_up());
  EXPECT_TRUE(drain_.expects_exit());
}

TEST_F(DrainTest, ADeadConnectionIsFinalizedOnceTheProcessIsGone) {
  add(connect_and_hang_up());
  fake_corosync::kill();
  EXPECT_EQ(fake_corosync::open_handles(), 1U);
  drain_.empty(now_);
  EXPECT_EQ(fake_corosync::open_handles(), 0U);
  EXPECT_EQ(drain_.next_look(), std::nullopt);
}

TEST_F(DrainTest, AConnectionThatDiedWithTheProcessIsFinalizedAtTheNextLook) {
  auto cmap = connect();
  fake_corosync::kill();
  add(std::move(cmap));
  drain_.empty(now_);
  EXPECT_EQ(fake_corosync::open_handles(), 0U);
}

TEST_F(DrainTest, AnotherCorosyncDoesNotStandForTheOneThatIsGone) {
  add(connect_and_hang_up());
  fake_corosync::kill();
  fake_corosync::start();
  drain_.empty(now_);
  EXPECT_EQ(fake_corosync::open_handles(), 0U);
}

TEST_F(DrainTest, LosesItsPatienceAfterAMinute) {
  add(connect_and_hang_up());
  drain_.empty(now_ + 60s);
  EXPECT_EQ(fake_corosync::open_handles(), 0U);
  EXPECT_EQ(drain_.next_look(), std::nullopt);
}

// As the rest of a pipe is, whose other end is closed.
TEST_F(DrainTest, ADeadConnectionToNobodyKnownWaitsForItsMinute) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  const Descriptor end{ends[0]};
  close(ends[1]);
  auto connection = std::make_shared<int>();
  const std::weak_ptr<int> is_kept = connection;
  drain_.add(std::move(connection), {end.get()}, now_);
  drain_.empty(now_ + 59s);
  EXPECT_FALSE(is_kept.expired());
  drain_.empty(now_ + 60s);
  EXPECT_TRUE(is_kept.expired());
}

TEST_F(DrainTest, EachConnectionHasItsOwnTime) {
  add(connect_and_hang_up());
  add(connect_and_hang_up(), now_ + 30s);
  drain_.empty(now_ + 60s);
  EXPECT_EQ(fake_corosync::open_handles(), 1U);
  drain_.empty(now_ + 90s);
  EXPECT_EQ(fake_corosync::open_handles(), 0U);
}

// What belongs together: several connections to one corosync, the first of which still stands.
TEST_F(DrainTest, ConnectionsAreDeadTogetherAsSoonAsOneIs) {
  auto dead = connect_and_hang_up();
  auto standing = connect();
  const std::vector descriptors{standing->descriptor(), dead->descriptor()};
  using Both = std::pair<std::shared_ptr<CmapReader>, std::shared_ptr<CmapReader>>;
  drain_.add(std::make_shared<Both>(std::move(standing), std::move(dead)), descriptors, now_);
  EXPECT_EQ(fake_corosync::open_handles(), 2U);
  fake_corosync::kill();
  drain_.empty(now_);
  EXPECT_EQ(fake_corosync::open_handles(), 0U);
}

TEST_F(DrainTest, FinalizesWhatIsLeftAtItsEnd) {
  {
    Drain drain;
    auto cmap = connect_and_hang_up();
    const std::vector descriptors{cmap->descriptor()};
    drain.add(std::move(cmap), descriptors, now_);
    EXPECT_EQ(fake_corosync::open_handles(), 1U);
  }
  EXPECT_EQ(fake_corosync::open_handles(), 0U);
}

}  // namespace
}  // namespace corosync_exporter
