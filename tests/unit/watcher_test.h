// SPDX-License-Identifier: Apache-2.0
// A watcher on a real event loop and a fake corosync, with waits short enough for a test.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "clock.h"
#include "corosync/watcher.h"
#include "corosync_test.h"
#include "log.h"
#include "print_model.h"
#include "run_loop.h"
#include "story.h"
#include "temporary.h"

namespace corosync_exporter {

constexpr std::chrono::hours never{1};  // later than any test's end

class WatcherTest : public CorosyncTest {
 protected:
  // Quick where something is to happen, patient where nothing is.
  static Timing quick() {
    using namespace std::chrono_literals;
    return {.poll_interval = 10ms,
            .stale_after = never,
            .call_limit = never,
            .watch_interval = 5ms,
            .first_retry = 1ms,
            .last_retry = 4ms,
            .refused_retry = 2ms,
            .reading_retry = 5ms,
            .longest_pause = 20ms};
  }

  void start(const Timing& timing = quick()) {
    watcher_.emplace(loop_, timing, Groups{}, CS_TRACK_CHANGES, log_, [this](Snapshot snapshot) {
      state_ = std::move(snapshot.state);
      timeline_ = std::move(snapshot.timeline);
      EXPECT_GT(snapshot.generation, generation_);
      generation_ = snapshot.generation;
      if (state_.disconnected_by && state_.connects > 0) {
        lost_by_ = state_.disconnected_by;
      }
    });
    watcher_->start();
  }

  template <class Condition>
  [[nodiscard]] bool run_until(Condition done) {
    return corosync_exporter::run_until(loop_, done);
  }
  void run_until_synced() {
    ASSERT_TRUE(run_until([&] { return is_synced(state_); }));
  }
  // Synced, and all that is read at a connection has been.
  void run_until_settled() {
    ASSERT_TRUE(run_until([&] {
      return is_synced(state_) && watcher_->is_settled() &&
             std::ranges::all_of(state_.sources, [](const auto& entry) { return entry.second.up; });
    }));
  }
  // Than two to listen on and four to read from; what came before them is finalized a little later.
  void expect_no_other_handles() {
    EXPECT_TRUE(run_until([] { return fake_corosync::open_handles() == 6; }));
  }
  void run_until_disconnected() {
    ASSERT_TRUE(run_until([&] { return !state_.present && state_.disconnected_by; }));
  }
  // The loop goes round so many times.
  void run_rounds(int rounds) {
    ASSERT_TRUE(run_until([&] { return --rounds < 0; }));
  }

  std::size_t log_lines() const {
    const std::string text = log_file_.text();
    return static_cast<std::size_t>(std::ranges::count(text, '\n'));
  }

  void TearDown() override {
    if (watcher_) {
      fake_corosync::kill();  // dead connections would keep the end waiting for it
      EXPECT_TRUE(watcher_->stop(std::chrono::seconds{10}));
      // What waits for corosync belongs to the collector's thread.
      for (const std::string& call : fake_corosync::called_by(std::this_thread::get_id())) {
        EXPECT_TRUE(call == "quorum_dispatch" || call == "votequorum_dispatch" ||
                    call == "quorum_context_get")
            << call << " was called on the loop's thread";
      }
      watcher_.reset();
    }
    if (HasFailure()) {
      ADD_FAILURE() << "the log says:\n"
                    << log_file_.text() << "\nthe state is" << ::testing::PrintToString(state_);
    }
  }

  const LogFile log_file_;
  Logger log_{LogLevel::info, LogFormat::logfmt, log_file_.descriptor()};
  EventLoop loop_;
  ClusterState state_;                          // as last published
  std::shared_ptr<const Timeline> timeline_{};  // with it
  std::uint64_t generation_ = 0;
  std::optional<Failure> lost_by_{};  // why the last connection that stood was lost
  std::optional<Watcher> watcher_{};
};

}  // namespace corosync_exporter
