// SPDX-License-Identifier: Apache-2.0
#include "corosync/event_loop.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "run_loop.h"

namespace corosync_exporter {
namespace {

using namespace std::chrono_literals;

// A descriptor that can be read, until its value is taken.
class Event {
 public:
  Event() : descriptor_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {}
  [[nodiscard]] int get() const { return descriptor_.get(); }
  void set() const { eventfd_write(get(), 1); }
  void take() const {
    eventfd_t value = 0;
    eventfd_read(get(), &value);
  }

 private:
  Descriptor descriptor_;
};

class EventLoopTest : public ::testing::Test {
 protected:
  // Runs the loop for as long as it takes to have handled all that is ready by now.
  void run_once() {
    int passes = 0;
    EXPECT_TRUE(run_until(loop_, [&] { return ++passes == 5; }));
  }

  EventLoop loop_;
  Event event_;
  Event other_;
};

TEST_F(EventLoopTest, RunsUntilStopped) {
  Timer timer{loop_, [&] { loop_.stop(); }};
  timer.start(1ms);
  loop_.run();
}

TEST_F(EventLoopTest, RunsAgainAfterItWasStopped) {
  int runs = 0;
  for (int i = 0; i < 3; ++i) {
    Timer timer{loop_, [&] {
                  ++runs;
                  loop_.stop();
                }};
    timer.start(0ms);
    loop_.run();
  }
  EXPECT_EQ(runs, 3);
}

TEST_F(EventLoopTest, CallsTheHandlerForAsLongAsThereIsSomethingToRead) {
  int calls = 0;
  event_.set();
  loop_.on_readable(event_.get(), [&] {
    if (++calls == 3) {
      event_.take();
    }
  });
  EXPECT_TRUE(run_until(loop_, [&] { return calls == 3; }));
  run_once();
  EXPECT_EQ(calls, 3);
}

TEST_F(EventLoopTest, CallsTheHandlerWhenTheOtherEndIsGone) {
  std::array<int, 2> ends{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  const Descriptor ours{ends[0]};
  std::optional<Descriptor> theirs{ends[1]};
  int calls = 0;
  loop_.on_readable(ours.get(), [&] {
    ++calls;
    loop_.remove(ours.get());
  });
  run_once();
  EXPECT_EQ(calls, 0);
  theirs.reset();
  EXPECT_TRUE(run_until(loop_, [&] { return calls == 1; }));
}

TEST_F(EventLoopTest, DoesNotCallARemovedHandler) {
  int calls = 0;
  loop_.on_readable(event_.get(), [&] { ++calls; });
  loop_.remove(event_.get());
  event_.set();
  run_once();
  EXPECT_EQ(calls, 0);
}

TEST_F(EventLoopTest, RemovingWhatIsNotThereDoesNothing) {
  loop_.remove(event_.get());
  loop_.remove(-1);
  loop_.on_readable(event_.get(), [] {});
  loop_.remove(event_.get());
  loop_.remove(event_.get());
}

TEST_F(EventLoopTest, TakesADescriptorAgainAfterItsRemoval) {
  std::string called;
  event_.set();
  for (const char name : {'a', 'b', 'c'}) {
    loop_.on_readable(event_.get(), [&called, name, this] {
      called += name;
      loop_.remove(event_.get());
    });
    run_once();
  }
  EXPECT_EQ(called, "abc");
}

TEST_F(EventLoopTest, AHandlerMayPutAnotherInItsPlace) {
  std::string called;
  event_.set();
  loop_.on_readable(event_.get(), [&] {
    called += 'a';
    loop_.remove(event_.get());
    loop_.on_readable(event_.get(), [&] {
      called += 'b';
      event_.take();
    });
  });
  EXPECT_TRUE(run_until(loop_, [&] { return called.ends_with('b'); }));
  EXPECT_EQ(called, "ab");
}

TEST_F(EventLoopTest, AHandlerThatRemovesItselfLivesUntilItReturns) {
  auto value = std::make_shared<int>(7);
  const std::weak_ptr<int> watched = value;
  int seen = 0;
  event_.set();
  loop_.on_readable(event_.get(), [&seen, this, held = std::move(value)] {
    loop_.remove(event_.get());
    seen = *held;
  });
  run_once();
  EXPECT_EQ(seen, 7);
  EXPECT_TRUE(watched.expired());
}

TEST_F(EventLoopTest, AHandlerThatIsRemovedWhileItIsDueIsNotCalled) {
  int calls = 0;
  const auto handle = [&] {
    ++calls;
    loop_.remove(event_.get());
    loop_.remove(other_.get());
  };
  event_.set();
  other_.set();
  loop_.on_readable(event_.get(), handle);
  loop_.on_readable(other_.get(), handle);
  run_once();
  EXPECT_EQ(calls, 1);
}

TEST_F(EventLoopTest, ThrowsOnWhatAHandlerThrew) {
  event_.set();
  loop_.on_readable(event_.get(), [] { throw std::runtime_error{"from a handler"}; });
  try {
    loop_.run();
    FAIL() << "did not throw";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "from a handler");
  }
}

TEST_F(EventLoopTest, CallsNobodyBetweenAThrowAndItsEnd) {
  int calls = 0;
  const auto handle = [&] {
    ++calls;
    throw std::runtime_error{"from a handler"};
  };
  event_.set();
  other_.set();
  loop_.on_readable(event_.get(), handle);
  loop_.on_readable(other_.get(), handle);
  EXPECT_THROW(loop_.run(), std::runtime_error);
  EXPECT_EQ(calls, 1);
}

TEST_F(EventLoopTest, RunsAgainAfterAHandlerThrew) {
  event_.set();
  loop_.on_readable(event_.get(), [&] {
    loop_.remove(event_.get());
    throw std::runtime_error{"from a handler"};
  });
  EXPECT_THROW(loop_.run(), std::runtime_error);
  run_once();
}

TEST_F(EventLoopTest, ATimerThatThrowsIsNoDifferent) {
  Timer timer{loop_, [] { throw std::runtime_error{"from a timer"}; }};
  timer.start(0ms);
  EXPECT_THROW(loop_.run(), std::runtime_error);
}

TEST_F(EventLoopTest, RefusesADescriptorThatIsNone) {
  EXPECT_THROW(loop_.on_readable(-1, [] {}), std::system_error);
}

TEST_F(EventLoopTest, CallsTheHandlerOfASignal) {
  int calls = 0;
  loop_.on_signal(SIGUSR1, [&] { ++calls; });
  std::raise(SIGUSR1);
  EXPECT_TRUE(run_until(loop_, [&] { return calls == 1; }));
  std::raise(SIGUSR1);
  EXPECT_TRUE(run_until(loop_, [&] { return calls == 2; }));
}

TEST_F(EventLoopTest, ASignalEndsAnIdleLoop) {
  loop_.on_signal(SIGUSR1, [&] { loop_.stop(); });
  Timer timer{loop_, [] { std::raise(SIGUSR1); }};
  timer.start(1ms);
  loop_.run();
}

// ---- Timers ------------------------------------------------------------------------------------

using TimerTest = EventLoopTest;

TEST_F(TimerTest, FiresOnceForEachStart) {
  int calls = 0;
  Timer timer{loop_, [&] { ++calls; }};
  timer.start(0ms);
  EXPECT_TRUE(timer.is_running());
  run_once();
  EXPECT_FALSE(timer.is_running());
  EXPECT_EQ(calls, 1);
  timer.start(0ms);
  run_once();
  EXPECT_EQ(calls, 2);
}

TEST_F(TimerTest, DoesNotFireEarly) {
  const auto start = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point fired;
  Timer timer{loop_, [&] {
                fired = std::chrono::steady_clock::now();
                loop_.stop();
              }};
  timer.start(30ms);
  loop_.run();
  EXPECT_GE(fired - start, 30ms);
}

TEST_F(TimerTest, FiresInTheOrderOfTheirTimes) {
  std::string fired;
  Timer late{loop_, [&] {
               fired += 'b';
               loop_.stop();
             }};
  Timer early{loop_, [&] { fired += 'a'; }};
  late.start(20ms);
  early.start(1ms);
  loop_.run();
  EXPECT_EQ(fired, "ab");
}

TEST_F(TimerTest, IsNotRunningInItsOwnHandler) {
  std::optional<bool> running;
  Timer timer{loop_, [&] { running = timer.is_running(); }};
  timer.start(0ms);
  run_once();
  EXPECT_EQ(running, false);
}

TEST_F(TimerTest, MayStartItselfAgain) {
  int calls = 0;
  Timer timer{loop_, [&] {
                if (++calls < 4) {
                  timer.start(0ms);
                }
              }};
  timer.start(0ms);
  EXPECT_TRUE(run_until(loop_, [&] { return calls == 4; }));
  EXPECT_FALSE(timer.is_running());
}

TEST_F(TimerTest, AStartReplacesTheOneBefore) {
  int calls = 0;
  Timer timer{loop_, [&] { ++calls; }};
  timer.start(0ms);
  timer.start(0ms);
  run_once();
  EXPECT_EQ(calls, 1);
  timer.start(0ms);
  timer.start(1h);
  run_once();
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(timer.is_running());
}

TEST_F(TimerTest, DoesNotFireOnceCancelled) {
  int calls = 0;
  Timer timer{loop_, [&] { ++calls; }};
  timer.start(0ms);
  timer.cancel();
  EXPECT_FALSE(timer.is_running());
  timer.cancel();
  run_once();
  EXPECT_EQ(calls, 0);
}

TEST_F(TimerTest, DoesNotFireOnceGone) {
  int calls = 0;
  {
    Timer timer{loop_, [&] { ++calls; }};
    timer.start(0ms);
  }
  run_once();
  EXPECT_EQ(calls, 0);
}

TEST_F(TimerTest, OneMayCancelAnotherThatIsDue) {
  int calls = 0;
  std::vector<std::unique_ptr<Timer>> timers;
  for (int i = 0; i < 3; ++i) {
    timers.push_back(std::make_unique<Timer>(loop_, [&] {
      ++calls;
      for (const auto& timer : timers) {
        timer->cancel();
      }
    }));
  }
  for (const auto& timer : timers) {
    timer->start(0ms);
  }
  run_once();
  EXPECT_EQ(calls, 1);
}

// ---- Wakeups -----------------------------------------------------------------------------------

using WakeupTest = EventLoopTest;

TEST_F(WakeupTest, CallsTheHandlerOnTheLoopsThread) {
  std::thread::id called_on;
  Wakeup wakeup{loop_, [&] {
                  called_on = std::this_thread::get_id();
                  loop_.stop();
                }};
  const std::jthread other{[&] { wakeup.ring(); }};
  loop_.run();
  EXPECT_EQ(called_on, std::this_thread::get_id());
}

TEST_F(WakeupTest, RingsBeforeTheHandlerRanCountAsOne) {
  int calls = 0;
  Wakeup wakeup{loop_, [&] { ++calls; }};
  wakeup.ring();
  wakeup.ring();
  wakeup.ring();
  run_once();
  EXPECT_EQ(calls, 1);
  wakeup.ring();
  run_once();
  EXPECT_EQ(calls, 2);
}

TEST_F(WakeupTest, NoRingIsLost) {
  constexpr int rings = 2000;
  std::atomic<int> rung = 0;
  int seen = 0;
  Wakeup wakeup{loop_, [&] { seen = rung; }};
  std::jthread other{[&] {
    for (int i = 0; i < rings; ++i) {
      ++rung;
      wakeup.ring();
    }
  }};
  EXPECT_TRUE(run_until(loop_, [&] { return seen == rings; }));
}

TEST_F(WakeupTest, IsSilentWhenNobodyRings) {
  int calls = 0;
  Wakeup wakeup{loop_, [&] { ++calls; }};
  run_once();
  EXPECT_EQ(calls, 0);
}

TEST_F(WakeupTest, WithoutDescriptorsThereIsNone) {
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit none{.rlim_cur = 0, .rlim_max = limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  int error = 0;
  try {
    const Wakeup wakeup{loop_, [] {}};
  } catch (const std::system_error& failure) {
    error = failure.code().value();
  }
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(error, EMFILE);
}

TEST_F(WakeupTest, DoesNotCallOnceGone) {
  int calls = 0;
  {
    Wakeup wakeup{loop_, [&] { ++calls; }};
    wakeup.ring();
  }
  run_once();
  EXPECT_EQ(calls, 0);
}

}  // namespace
}  // namespace corosync_exporter
