// SPDX-License-Identifier: Apache-2.0
#include "corosync/chronicle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "print_model.h"
#include "story.h"
#include "temporary.h"

namespace corosync_exporter {
namespace {

using namespace std::chrono_literals;

class ChronicleTest : public ::testing::Test {
 protected:
  void take(Event event) { chronicle_.take(std::move(event), now_); }
  void wait(Duration duration) {
    now_.steady += duration;
    now_.system += duration;
  }
  // Three nodes, quorate.
  void sync() {
    take(Connected{.has_provider = true});
    take(NodeListNotified{.ring = ring(1, 8), .members = ids({1, 2, 3})});
    take(QuorumNotified{.quorate = true, .ring = ring(1, 8)});
  }
  [[nodiscard]] std::size_t log_lines() const {
    const std::string text = log_file_.text();
    return static_cast<std::size_t>(std::ranges::count(text, '\n'));
  }

  const LogFile log_file_;
  const Logger log_{LogLevel::info, LogFormat::logfmt, log_file_.descriptor()};
  Moment now_ = beginning;
  std::vector<Snapshot> published_{};
  std::vector<std::size_t> lines_when_published_{};
  Chronicle chronicle_{15s, beginning.system, log_, [this](Snapshot snapshot) {
                         published_.push_back(std::move(snapshot));
                         lines_when_published_.push_back(log_lines());
                       }};
};

TEST_F(ChronicleTest, PublishesTheStateThatEventsLeadTo) {
  sync();
  EXPECT_TRUE(published_.empty()) << "not before it is told to";
  chronicle_.publish();
  ASSERT_EQ(published_.size(), 1U);
  EXPECT_EQ(published_[0].state, three_quorate().state());
  EXPECT_EQ(published_[0].state, chronicle_.state());
}

TEST_F(ChronicleTest, EachPublishedSnapshotHasAGenerationOfItsOwn) {
  chronicle_.publish();
  chronicle_.publish();
  EXPECT_GT(published_[0].generation, 0U);
  EXPECT_GT(published_[1].generation, published_[0].generation);
}

TEST_F(ChronicleTest, TheTimelineIsCopiedOnlyWhenItChanged) {
  chronicle_.publish();
  sync();
  chronicle_.publish();
  take(ExpectedVotesNotified{});
  chronicle_.publish();
  EXPECT_TRUE(published_[0].timeline->entries().empty()) << "it stays as it was published";
  EXPECT_EQ(published_[0].timeline->begun(), beginning.system);
  EXPECT_EQ(published_[1].timeline->entries().size(), 1U);
  EXPECT_EQ(published_[2].timeline, published_[1].timeline);
}

TEST_F(ChronicleTest, LogsEachChangeOnceAndAfterItIsPublished) {
  sync();
  EXPECT_EQ(log_lines(), 0U);
  chronicle_.publish();
  EXPECT_EQ(lines_when_published_, std::vector<std::size_t>{0});
  EXPECT_EQ(log_lines(), 1U);
  chronicle_.publish();
  EXPECT_EQ(log_lines(), 1U);
}

TEST_F(ChronicleTest, SilenceIsFoundByLookingForItAndToldOnce) {
  sync();
  wait(15s);
  chronicle_.look_for_silence(now_);
  chronicle_.publish();
  EXPECT_EQ(log_lines(), 1U);
  wait(1s);
  for (int i = 0; i < 3; ++i) {
    chronicle_.look_for_silence(now_);
    chronicle_.publish();
  }
  EXPECT_EQ(log_lines(), 2U);
  EXPECT_EQ(published_.back().timeline->entries().back()->told[0].change.kind,
            ChangeKind::fell_silent);
  take(ExpectedVotesNotified{});
  chronicle_.publish();
  EXPECT_EQ(log_lines(), 3U);
  EXPECT_EQ(published_.back().timeline->entries().back()->told[0].change.kind,
            ChangeKind::answers_again);
}

// As what the library says without corosync.
TEST_F(ChronicleTest, AnEventThatIsNoWordOfCorosyncFindsSilenceToo) {
  sync();
  wait(16s);
  take(CallCancelled{.call = "cmap_get"});
  chronicle_.publish();
  EXPECT_EQ(published_.back().timeline->entries().back()->told[0].change.kind,
            ChangeKind::fell_silent);
}

}  // namespace
}  // namespace corosync_exporter
