// SPDX-License-Identifier: Apache-2.0
#include "exposition/page.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "model/snapshot_cell.h"
#include "page_text.h"
#include "print_model.h"
#include "story.h"

namespace corosync_exporter {
namespace {

using namespace std::chrono_literals;

std::string text(Page& page, const std::shared_ptr<const ClusterState>& state, SteadyTime now) {
  return page.text(state, now, Self{}, {});
}

TEST(PageTest, IsLastingMomentaryAndProcessInThisOrder) {
  Page page{{.version = "v", .revision = "r"}};
  const std::string process = "# HELP process_a Help.\n# TYPE process_a gauge\nprocess_a 0\n";
  const PageText read =
      read_page(page.text(std::make_shared<const ClusterState>(), beginning.steady, {}, process));
  EXPECT_EQ(read.faults, std::vector<std::string>{});
  EXPECT_EQ(read.families.front(), "corosync_up");
  EXPECT_EQ(read.families.back(), "process_a");
  EXPECT_TRUE(read.has(R"(corosync_exporter_build_info{version="v",revision="r"})"));
}

TEST(PageTest, IsTheSameForTheSameMoment) {
  Page page{Build{}};
  const auto state = std::make_shared<const ClusterState>(three_quorate().state());
  const std::string first = text(page, state, beginning.steady);
  EXPECT_EQ(text(page, state, beginning.steady), first);
  Page another{Build{}};
  EXPECT_EQ(text(another, state, beginning.steady), first);
}

TEST(PageTest, FollowsTheState) {
  Page page{Build{}};
  ClusterState state = three_quorate().state();
  for (std::uint64_t connects = 1; connects < 4; ++connects) {
    state.connects = connects;
    const PageText read =
        read_page(text(page, std::make_shared<const ClusterState>(state), beginning.steady));
    EXPECT_EQ(read.at("corosync_exporter_connects_total"), static_cast<double>(connects));
  }
}

TEST(PageTest, FollowsWhatIsKnownOfTheSameState) {
  Page page{Build{}};
  const auto state = std::make_shared<const ClusterState>(three_quorate().state());
  const auto up = [&](SteadyTime now) {
    return read_page(text(page, state, now)).at("corosync_up");
  };
  EXPECT_EQ(up(beginning.steady), 1);
  EXPECT_EQ(up(beginning.steady + 16s), 0);
  EXPECT_EQ(up(beginning.steady), 1);
}

TEST(PageTest, FollowsTheMomentOfTheSameState) {
  Page page{Build{}};
  const auto state =
      std::make_shared<const ClusterState>(three_quorate().verdict(false, ring(1, 8)).state());
  const auto lost = [&](SteadyTime now) {
    return read_page(text(page, state, now)).at("corosync_quorum_lost_seconds_total");
  };
  EXPECT_EQ(lost(beginning.steady + 1s), 1);
  EXPECT_EQ(lost(beginning.steady + 2s), 2);
}

// A state never changes once it is published. This one does, behind the page's back, to show that
// the page does not look at it again.
TEST(PageTest, RendersAStateOnce) {
  Page page{Build{}};
  const auto state = std::make_shared<ClusterState>(three_quorate().state());
  const std::string before = text(page, state, beginning.steady);
  state->connects = 99;
  EXPECT_EQ(text(page, state, beginning.steady), before);
}

TEST(PageTest, RendersAStateAgainWhenAnotherWasAskedForInBetween) {
  Page page{Build{}};
  const auto state = std::make_shared<const ClusterState>(three_quorate().state());
  const auto other = std::make_shared<const ClusterState>();
  const std::string before = text(page, state, beginning.steady);
  EXPECT_NE(text(page, other, beginning.steady), before);
  EXPECT_EQ(text(page, state, beginning.steady), before);
}

// Or the next state might lie at the address of the last, and be taken for it.
TEST(PageTest, KeepsTheStateThatItRenderedLastAndNoOther) {
  Page page{Build{}};
  auto first = std::make_shared<const ClusterState>(three_quorate().state());
  const std::weak_ptr<const ClusterState> watched = first;
  text(page, first, beginning.steady);
  first.reset();
  EXPECT_FALSE(watched.expired());
  text(page, std::make_shared<const ClusterState>(), beginning.steady);
  EXPECT_TRUE(watched.expired());
}

// A loss ends at its callback's time, which a scrape may have passed before the state said so.
TEST(PageTest, LostSecondsNeverFall) {
  Page page{Build{}};
  Story story = three_quorate().verdict(false, ring(1, 8));
  const auto lost = [&](SteadyTime now) {
    return read_page(text(page, std::make_shared<const ClusterState>(story.state()), now))
        .at("corosync_quorum_lost_seconds_total");
  };
  EXPECT_EQ(lost(story.now().steady + 2s), 2);
  story.wait(1s).verdict(true, ring(1, 8));
  EXPECT_EQ(lost(story.now().steady + 2s), 2);
  story.verdict(false, ring(1, 8));
  EXPECT_EQ(lost(story.now().steady + 3s), 4);
}

TEST(GlanceTest, IsWhatCorosyncSaysAndNothingThatOnlyTimeTells) {
  const PageText page = read_page(
      glance(three_quorate().state(), beginning.steady, {.version = "v", .revision = "r"}));
  EXPECT_EQ(page.faults, std::vector<std::string>{});
  EXPECT_EQ(page.at("corosync_up"), 1);
  EXPECT_EQ(page.at("corosync_members"), 3);
  EXPECT_TRUE(page.family_set().contains("corosync_exporter_build_info"));
  for (const auto& [family, type] : page.types) {
    EXPECT_NE(type, "counter") << family;
    EXPECT_FALSE(family.starts_with("process_")) << family;
  }
}

TEST(GlanceTest, SaysThatCorosyncIsDown) {
  EXPECT_EQ(read_page(glance({}, beginning.steady, Build{})).at("corosync_up"), 0);
}

TEST(PageTest, ATimestampKeepsItsMicroseconds) {
  Page page{Build{}};
  ClusterState state = three_quorate().state();
  state.quorum.last_change = SystemTime{1'700'000'000s + 123'456'789ns};
  const std::string body =
      text(page, std::make_shared<const ClusterState>(state), beginning.steady);
  EXPECT_NE(body.find("corosync_quorum_last_change_timestamp_seconds 1700000000.123457\n"),
            std::string::npos);
}

TEST(PageTest, AWholeNumberKeepsItsSixteenDigits) {
  Page page{Build{}};
  ClusterState state = three_quorate().state();
  state.connects = 9'007'199'254'740'991;  // 2^53 - 1, as far as doubles count one by one
  state.present->membership->ring.sequence = 1'234'567'890'123'456;
  const std::string body =
      text(page, std::make_shared<const ClusterState>(state), beginning.steady);
  EXPECT_NE(body.find("corosync_exporter_connects_total 9007199254740991\n"), std::string::npos);
  EXPECT_NE(body.find("corosync_ring_sequence 1234567890123456\n"), std::string::npos);
}

TEST(PageTest, ASmallNumberKeepsItsDigits) {
  Page page{Build{}};
  const auto state =
      std::make_shared<const ClusterState>(three_quorate().verdict(false, ring(1, 8)).state());
  EXPECT_NE(text(page, state, beginning.steady + 1234567ns)
                .find("corosync_quorum_lost_seconds_total 0.001234567\n"),
            std::string::npos);
}

// Each state's two counters are equal: a page that had one of each would be torn.
TEST(PageTest, ScrapesWhileTheStateChangesAreNeverTorn) {
  constexpr std::uint64_t last = 500;
  SnapshotCell<ClusterState> cell{ClusterState{}};
  Page page{Build{}};
  std::atomic<int> faults = 0;
  {
    std::vector<std::jthread> scrapers;
    for (int i = 0; i < 3; ++i) {
      scrapers.emplace_back([&] {
        const std::string connects = "\ncorosync_exporter_connects_total ";
        const std::string changes = "\ncorosync_quorum_changes_total ";
        for (std::uint64_t newest = 0; newest < last;) {
          const std::string body = text(page, cell.read(), beginning.steady);
          const auto value = [&](const std::string& name) {
            return std::stoull(body.substr(body.find(name) + name.size()));
          };
          faults += value(connects) == value(changes) && value(connects) >= newest ? 0 : 1;
          newest = value(connects);
        }
      });
    }
    for (std::uint64_t i = 1; i <= last; ++i) {
      ClusterState state = three_quorate().state();
      state.connects = i;
      state.quorum.changes = i;
      cell.publish(std::move(state));
      std::this_thread::yield();
    }
  }
  EXPECT_EQ(faults, 0);
}

}  // namespace
}  // namespace corosync_exporter
