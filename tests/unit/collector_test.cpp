// SPDX-License-Identifier: Apache-2.0
#include "corosync/collector.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "corosync_test.h"
#include "print_model.h"
#include "story.h"

namespace corosync_exporter {
namespace {

using namespace std::chrono_literals;
using fake_corosync::Service;

// The loop's side of a collector: waits for its rings.
class CollectorTest : public CorosyncTest {
 protected:
  using Reports = std::vector<Collector::Report>;

  // What comes until there is enough of it.
  template <class Enough>
  Reports wait_until(Enough enough) {
    Reports reports;
    std::unique_lock lock{mutex_};
    const bool came = rung_.wait_for(lock, 20s, [&] {
      for (auto& report : collector_->take_reports()) {
        reports.push_back(std::move(report));
      }
      return enough(reports);
    });
    EXPECT_TRUE(came);
    return reports;
  }
  Reports wait_until_done(std::ptrdiff_t requests = 1) {
    return wait_until([=](const Reports& reports) {
      return std::ranges::count_if(reports, [](const auto& report) {
               return std::holds_alternative<Collector::Done>(report);
             }) == requests;
    });
  }
  template <class Wanted>
  Wanted wait_for_one() {
    auto reports = wait_until([](const Reports& so_far) { return !so_far.empty(); });
    EXPECT_EQ(reports.size(), 1U);
    EXPECT_TRUE(std::holds_alternative<Wanted>(reports.at(0)));
    return std::get<Wanted>(std::move(reports.at(0)));
  }
  std::unique_ptr<Subscription> connect() {
    collector_->connect();
    return wait_for_one<std::unique_ptr<Subscription>>();
  }

  // Has it do all that it does after any work: it has, when it works again.
  void wait_until_idle() {
    for (int i = 0; i < 2; ++i) {
      collector_->read({.has_provider = false});
      wait_until_done();
    }
  }

  // Reports of one kind of event.
  template <class Wanted>
  static std::size_t count(const Reports& reports) {
    return static_cast<std::size_t>(std::ranges::count_if(reports, [](const auto& report) {
      const auto* reading = std::get_if<Collector::Reading>(&report);
      return reading && std::holds_alternative<Wanted>(reading->event);
    }));
  }

  void ring() {
    const std::lock_guard lock{mutex_};
    ringer_ = std::this_thread::get_id();
    rung_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable rung_;
  std::thread::id ringer_;
  std::optional<Collector> collector_{std::in_place, CS_TRACK_CHANGES, Groups{}, Timing{},
                                      [this] { ring(); }};
};

TEST_F(CollectorTest, DoesNothingUnasked) {
  EXPECT_EQ(collector_->waiting(), std::nullopt);
  EXPECT_TRUE(collector_->stop(nullptr, 10s));
  EXPECT_TRUE(collector_->take_reports().empty());
}

TEST_F(CollectorTest, Connects) {
  const auto subscription = connect();
  EXPECT_TRUE(subscription->has_provider());
  EXPECT_EQ(fake_corosync::open_handles(), 2U);
  EXPECT_EQ(fake_corosync::track_flags(Service::quorum), std::vector<unsigned>{CS_TRACK_CHANGES});
}

TEST_F(CollectorTest, IsBusyFromTheOrderUntilAllIsDone) {
  EXPECT_FALSE(collector_->is_busy());
  fake_corosync::hang("cmap_get");
  collector_->read({.has_provider = true});
  EXPECT_TRUE(collector_->is_busy());
  ASSERT_TRUE(fake_corosync::wait_until_hanging("cmap_get"));
  EXPECT_TRUE(collector_->is_busy());
  fake_corosync::release("cmap_get");
  wait_until_done();
  EXPECT_FALSE(collector_->is_busy());
}

TEST_F(CollectorTest, CallsAndRingsOnAThreadOfItsOwn) {
  const auto subscription = connect();
  collector_->read({.has_provider = true});
  wait_until_done();
  EXPECT_EQ(fake_corosync::called_by(std::this_thread::get_id()), std::vector<std::string>{});
  EXPECT_NE(ringer_, std::this_thread::get_id());
}

TEST_F(CollectorTest, TellsWhyItCannotConnectAndLeavesNoHandle) {
  fake_corosync::fail_next("votequorum_trackstart", CS_ERR_ACCESS);
  collector_->connect();
  const auto report = wait_for_one<Collector::ConnectFailure>();
  EXPECT_TRUE(report.is_refusal);
  EXPECT_EQ(report.failure.error, "CS_ERR_ACCESS");
  EXPECT_EQ(report.failure.call, "votequorum_trackstart");
  wait_until_idle();
  EXPECT_EQ(fake_corosync::open_handles(Service::quorum), 0U);
  EXPECT_EQ(fake_corosync::open_handles(Service::votequorum), 0U);
}

TEST_F(CollectorTest, ReportsReadingsWithTheirTime) {
  const auto before = std::chrono::steady_clock::now();
  collector_->read({.has_provider = true, .voters = ids({1})});
  const auto reports = wait_until_done();
  EXPECT_EQ(count<VotesRead>(reports), 1U);
  EXPECT_EQ(count<ConfigurationRead>(reports), 1U);
  EXPECT_EQ(count<LocalNodeRead>(reports), 1U);
  for (const auto& report : reports) {
    if (const auto* reading = std::get_if<Collector::Reading>(&report)) {
      EXPECT_GE(reading->at.steady, before);
      EXPECT_LE(reading->at.steady, std::chrono::steady_clock::now());
    }
  }
}

TEST_F(CollectorTest, ReportsEachSourceAsSoonAsItIsRead) {
  fake_corosync::hang("cmap_get");
  collector_->read({.has_provider = true});
  const auto reports = wait_until([](const Reports& so_far) { return so_far.size() >= 2; });
  EXPECT_EQ(count<VotesRead>(reports), 1U);
  EXPECT_EQ(count<SourceRead>(reports), 1U);
  EXPECT_TRUE(fake_corosync::wait_until_hanging("cmap_get"));
  fake_corosync::release("cmap_get");
  wait_until_done();
}

TEST_F(CollectorTest, ReportsTheEndOfARequestLast) {
  for (const bool statistics : {true, false}) {
    collector_->read({.has_provider = true, .statistics = statistics});
    const auto reports = wait_until_done();
    ASSERT_TRUE(std::holds_alternative<Collector::Done>(reports.back()));
    const auto& done = std::get<Collector::Done>(reports.back());
    EXPECT_EQ(done.statistics, statistics);
    EXPECT_GT(done.took, 0s);
    EXPECT_EQ(count<TotemRead>(reports), statistics ? 1U : 0U);
  }
}

TEST_F(CollectorTest, ReadsTheGroupsThatItIsTold) {
  collector_.emplace(CS_TRACK_CHANGES, Groups{.links = false, .totem = false}, Timing{},
                     [this] { ring(); });
  collector_->read({.has_provider = true, .statistics = true});
  const auto reports = wait_until_done();
  EXPECT_EQ(count<ReachabilityRead>(reports), 0U);
  EXPECT_EQ(count<LinkStatisticsRead>(reports), 0U);
  EXPECT_EQ(count<TotemRead>(reports), 0U);
}

TEST_F(CollectorTest, ANewerRequestDoesNotForgetTheStatisticsOfTheOneThatItReplaces) {
  fake_corosync::hang("cmap_get");
  collector_->read({.has_provider = false});
  ASSERT_TRUE(fake_corosync::wait_until_hanging("cmap_get"));
  collector_->read({.has_provider = false, .statistics = true});
  collector_->read({.has_provider = false, .statistics = false});
  fake_corosync::release("cmap_get");
  EXPECT_EQ(count<TotemRead>(wait_until_done(2)), 1U);
}

TEST_F(CollectorTest, ARequestThatHasNotBegunIsReplacedByANewer) {
  fake_corosync::hang("cmap_initialize_map");
  collector_->read({.nodes = ids({51})});
  ASSERT_TRUE(fake_corosync::wait_until_hanging("cmap_initialize_map"));
  collector_->read({.nodes = ids({52})});
  collector_->read({.nodes = ids({53})});
  fake_corosync::release("cmap_initialize_map");

  std::vector<NodeId> asked;
  for (const auto& report : wait_until_done(2)) {
    const auto* reading = std::get_if<Collector::Reading>(&report);
    const auto* configuration = reading ? std::get_if<ConfigurationRead>(&reading->event) : nullptr;
    if (configuration) {
      for (const auto& [node, of_it] : configuration->nodes) {
        if (!of_it.configured) {
          asked.push_back(node);
        }
      }
    }
  }
  EXPECT_EQ(asked, ids({51, 53}));
}

TEST_F(CollectorTest, TheEndOfASubscriptionIsTheEndOfItsReadings) {
  auto subscription = connect();
  collector_->read({.has_provider = true});
  wait_until_done();
  EXPECT_EQ(fake_corosync::open_handles(), 5U);

  fake_corosync::hang("cmap_get");
  collector_->read({.has_provider = true});
  ASSERT_TRUE(fake_corosync::wait_until_hanging("cmap_get"));
  collector_->read({.has_provider = true, .voters = ids({3})});
  collector_->end(std::move(subscription));
  fake_corosync::release("cmap_get");
  EXPECT_EQ(count<ConfigurationRead>(wait_until_done()), 1U);  // the request that had begun
  while (collector_->is_busy()) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(collector_->take_reports().empty());
  EXPECT_EQ(fake_corosync::open_handles(Service::quorum), 0U);
  EXPECT_EQ(fake_corosync::open_handles(Service::votequorum), 0U);
}

TEST_F(CollectorTest, ConnectsAnewAfterTheEnd) {
  collector_->end(connect());
  const auto subscription = connect();
  EXPECT_EQ(fake_corosync::open_handles(), 2U);
}

// ---- Dead connections --------------------------------------------------------------------------

TEST_F(CollectorTest, ADeadSubscriptionIsFinalizedOnlyOnceTheProcessIsGone) {
  auto subscription = connect();
  fake_corosync::hang_up(Service::quorum);
  fake_corosync::hang_up(Service::votequorum);
  collector_->end(std::move(subscription));
  wait_until_idle();
  EXPECT_EQ(fake_corosync::open_handles(Service::quorum), 1U);
  EXPECT_EQ(fake_corosync::open_handles(Service::votequorum), 1U);
  fake_corosync::kill();
  wait_until_idle();
  EXPECT_EQ(fake_corosync::open_handles(Service::quorum), 0U);
  EXPECT_EQ(fake_corosync::open_handles(Service::votequorum), 0U);
}

// A corosync that is told to stop hangs up on quorum last.
TEST_F(CollectorTest, ASubscriptionIsDeadWhenEitherOfItsServicesIs) {
  auto subscription = connect();
  fake_corosync::begin_to_stop();
  collector_->end(std::move(subscription));
  wait_until_idle();
  EXPECT_EQ(fake_corosync::open_handles(Service::votequorum), 1U);
  fake_corosync::kill();
  wait_until_idle();
  EXPECT_EQ(fake_corosync::open_handles(), 0U);
}

TEST_F(CollectorTest, LooksAgainByItselfWhetherTheProcessIsGone) {
  auto subscription = connect();
  fake_corosync::hang_up(Service::quorum);
  collector_->end(std::move(subscription));
  wait_until_idle();
  fake_corosync::kill();
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (fake_corosync::open_handles(Service::quorum) > 0 &&
         std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_EQ(fake_corosync::open_handles(Service::quorum), 0U);
}

// ---- Calls that hang ---------------------------------------------------------------------------

TEST_F(CollectorTest, ShowsTheCallThatWaits) {
  fake_corosync::hang("quorum_trackstart");
  collector_->connect();
  ASSERT_TRUE(fake_corosync::wait_until_hanging("quorum_trackstart"));
  const auto waiting = collector_->waiting();
  ASSERT_TRUE(waiting);
  EXPECT_EQ(waiting->call, "quorum_trackstart");
  EXPECT_LE(waiting->since, std::chrono::steady_clock::now());
  fake_corosync::release("quorum_trackstart");
  wait_for_one<std::unique_ptr<Subscription>>();
}

// Later than any call's limit.
SteadyTime much_later() { return current_moment().steady + 1h; }

TEST_F(CollectorTest, AConnectThatIsTakenBackIsNoFailure) {
  fake_corosync::hang("quorum_trackstart");
  collector_->connect();
  ASSERT_TRUE(fake_corosync::wait_until_hanging("quorum_trackstart"));
  collector_->take_back_overdue(much_later());
  const auto reports = wait_until([](const Reports& so_far) { return so_far.size() == 2; });
  EXPECT_EQ(count<CallCancelled>(reports), 1U);
  EXPECT_TRUE(std::holds_alternative<Collector::ConnectInterrupted>(reports[1]));
}

TEST_F(CollectorTest, AConnectThatHangsCannotBeTakenBack) {
  fake_corosync::hang("quorum_model_initialize");
  collector_->connect();
  ASSERT_TRUE(fake_corosync::wait_until_hanging("quorum_model_initialize"));
  collector_->take_back_overdue(much_later());
  EXPECT_TRUE(collector_->take_reports().empty());
  fake_corosync::release("quorum_model_initialize");
  wait_for_one<std::unique_ptr<Subscription>>();
}

TEST_F(CollectorTest, AnExceptionWhileConnectingIsAFailedTry) {
  fake_corosync::throw_next("votequorum_trackstart");
  collector_->connect();
  const auto failed = wait_for_one<Collector::ConnectFailure>();
  EXPECT_EQ(failed.failure.detail, "votequorum_trackstart throws");
  EXPECT_TRUE(failed.is_refusal) << "it will not do better soon";
  wait_until_idle();
  EXPECT_EQ(fake_corosync::open_handles(Service::quorum), 0U);
  EXPECT_EQ(fake_corosync::open_handles(Service::votequorum), 0U);
  EXPECT_NE(connect(), nullptr);
}

TEST_F(CollectorTest, AnExceptionWhileReadingIsAFailedReading) {
  fake_corosync::throw_next("cmap_get");
  collector_->read({.has_provider = true});
  const auto reports = wait_until_done();
  EXPECT_EQ(count<ReadingFailed>(reports), 1U);
  EXPECT_EQ(count<SourceRead>(reports), 2U);
}

// ---- Proof of life -----------------------------------------------------------------------------

TEST_F(CollectorTest, AProbeAsksOneThingOnAConnectionOfItsOwnAndGoes) {
  const SteadyTime before = current_moment().steady;
  collector_->probe();
  const auto answered = wait_for_one<Collector::Reading>();
  EXPECT_GE(std::get<Answered>(answered.event).at, before);
  EXPECT_EQ(fake_corosync::calls("corosync_cfg_initialize"), 1U);
  EXPECT_EQ(fake_corosync::calls("corosync_cfg_local_get"), 1U);
  wait_until_idle();
  EXPECT_EQ(fake_corosync::open_handles(Service::cfg), 1U) << "the reading's own";
}

TEST_F(CollectorTest, AProbeThatIsTakenBackProvesNothing) {
  fake_corosync::hang("corosync_cfg_local_get");
  collector_->probe();
  ASSERT_TRUE(fake_corosync::wait_until_hanging("corosync_cfg_local_get"));
  EXPECT_TRUE(collector_->is_busy());
  const SteadyTime hanging = current_moment().steady;
  collector_->take_back_overdue(much_later());
  // Its connection was made before it hung: that was an answer.
  for (const auto& report :
       wait_until([](const Reports& so_far) { return count<CallCancelled>(so_far) == 1; })) {
    if (const auto* answered = std::get_if<Answered>(&std::get<Collector::Reading>(report).event)) {
      EXPECT_LT(answered->at, hanging);
    }
  }
  fake_corosync::release("corosync_cfg_local_get");
}

TEST_F(CollectorTest, AProbeOfACorosyncThatIsGoneProvesNothing) {
  fake_corosync::kill();
  collector_->probe();
  wait_until_idle();
  EXPECT_EQ(count<Answered>(collector_->take_reports()), 0U);
}

TEST_F(CollectorTest, ACallThatHangsEndsWithCorosync) {
  fake_corosync::hang("quorum_trackstart");
  collector_->connect();
  ASSERT_TRUE(fake_corosync::wait_until_hanging("quorum_trackstart"));
  fake_corosync::kill();
  EXPECT_EQ(wait_for_one<Collector::ConnectFailure>().failure.error, "CS_ERR_LIBRARY");
}

// ---- The end -----------------------------------------------------------------------------------

TEST_F(CollectorTest, StopsASubscriptionPolitely) {
  auto subscription = connect();
  collector_->read({.has_provider = true});
  wait_until_done();
  EXPECT_TRUE(collector_->stop(std::move(subscription), 10s));
  EXPECT_EQ(fake_corosync::calls("quorum_trackstop"), 1U);
  EXPECT_EQ(fake_corosync::calls("votequorum_trackstop"), 1U);
  EXPECT_EQ(fake_corosync::open_handles(), 0U);
}

TEST_F(CollectorTest, StopsWhereCorosyncIsGoneMeanwhile) {
  auto subscription = connect();
  fake_corosync::kill();
  EXPECT_TRUE(collector_->stop(std::move(subscription), 10s));
}

TEST_F(CollectorTest, WaitsAtTheEndForACorosyncThatStopsToo) {
  auto subscription = connect();
  fake_corosync::begin_to_stop();
  const std::jthread corosync{[] {
    while (fake_corosync::calls("quorum_trackstop") == 0) {
      std::this_thread::yield();
    }
    fake_corosync::kill();
  }};
  EXPECT_TRUE(collector_->stop(std::move(subscription), 10s));
  EXPECT_EQ(fake_corosync::open_handles(), 0U);
}

TEST_F(CollectorTest, DoesNotWaitAtTheEndWhereACallWasTakenBack) {
  fake_corosync::hang("cmap_get");
  collector_->read({.has_provider = true});
  ASSERT_TRUE(fake_corosync::wait_until_hanging("cmap_get"));
  collector_->take_back_overdue(much_later());
  wait_until_done();
  fake_corosync::release("cmap_get");
  const SteadyTime begin = current_moment().steady;
  EXPECT_TRUE(collector_->stop(connect(), 5min));
  EXPECT_LT(current_moment().steady - begin, 20s);
}

TEST_F(CollectorTest, LosesPatienceWithACorosyncThatDoesNotEnd) {
  auto subscription = connect();
  fake_corosync::begin_to_stop();
  EXPECT_TRUE(collector_->stop(std::move(subscription), 500ms));
  EXPECT_GT(fake_corosync::open_handles(), 0U);
}

TEST_F(CollectorTest, TakesItsCallBackWhenItStopsToo) {
  auto subscription = connect();
  fake_corosync::hang("quorum_trackstop");
  const SteadyTime begin = current_moment().steady;
  EXPECT_TRUE(collector_->stop(std::move(subscription), 5min));
  EXPECT_LT(current_moment().steady - begin, 20s) << "its limit is a quarter of a second";
}

TEST_F(CollectorTest, DropsWhatHasNotBegunWhenItStops) {
  fake_corosync::hang("cmap_initialize_map");
  collector_->read({.has_provider = false});
  ASSERT_TRUE(fake_corosync::wait_until_hanging("cmap_initialize_map"));
  collector_->connect();
  collector_->read({.has_provider = true});
  EXPECT_FALSE(collector_->stop(nullptr, 1ms));
  fake_corosync::release("cmap_initialize_map");
  collector_.reset();
  EXPECT_EQ(fake_corosync::calls("quorum_model_initialize"), 0U);
  EXPECT_EQ(fake_corosync::calls("votequorum_initialize"), 0U);
}

struct HangCase {
  std::string call;
};
void PrintTo(const HangCase& row, std::ostream* out) { *out << row.call; }

class CollectorHangTest : public CollectorTest, public ::testing::WithParamInterface<HangCase> {};

TEST_P(CollectorHangTest, IsNotWaitedForBeyondPatience) {
  auto subscription = connect();
  fake_corosync::hang(GetParam().call);
  collector_->read({.has_provider = true});
  if (!GetParam().call.ends_with("_trackstop")) {
    ASSERT_TRUE(fake_corosync::wait_until_hanging(GetParam().call));
  }
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(collector_->stop(std::move(subscription), 50ms));
  const auto took = std::chrono::steady_clock::now() - start;
  EXPECT_GE(took, 50ms);
  EXPECT_LT(took, 5s);
  fake_corosync::release(GetParam().call);
  collector_.reset();
}

INSTANTIATE_TEST_SUITE_P(
    Calls, CollectorHangTest,
    ::testing::Values(HangCase{"votequorum_initialize"}, HangCase{"votequorum_getinfo"},
                      HangCase{"cmap_initialize_map"}, HangCase{"cmap_track_add"},
                      HangCase{"cmap_get"}, HangCase{"cmap_iter_next"},
                      HangCase{"corosync_cfg_initialize"}, HangCase{"corosync_cfg_local_get"},
                      HangCase{"corosync_cfg_node_status_get"}, HangCase{"quorum_trackstop"},
                      HangCase{"votequorum_trackstop"}),
    [](const auto& row) { return row.param.call; });

}  // namespace
}  // namespace corosync_exporter
