// SPDX-License-Identifier: Apache-2.0
#include "watchdog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

#include "run_loop.h"
#include "service_socket.h"

namespace corosync_exporter {
namespace {

using namespace std::chrono_literals;
using testing::Each;
using testing::IsEmpty;

class WatchdogTest : public testing::Test {
 protected:
  // A quarter of it passes between two signs of life.
  WatchdogTest() { socket_.set("WATCHDOG_USEC", "40000"); }

  [[nodiscard]] std::size_t count() {
    const auto told = socket_.told();
    EXPECT_THAT(told, Each(std::string{"WATCHDOG=1"}));
    return told.size();
  }

  ServiceSocket socket_;
  EventLoop loop_;
};

TEST_F(WatchdogTest, TellsThatTheLoopTurnsForAsLongAsItDoes) {
  const ServiceManager manager{socket_.environment()};
  const Watchdog watchdog{loop_, manager, [] { return true; }};
  std::size_t signs = 0;
  EXPECT_TRUE(run_until(loop_, [&] { return (signs += count()) >= 10; }));
}

TEST_F(WatchdogTest, IsSilentWhileAHandlerHoldsTheLoop) {
  const ServiceManager manager{socket_.environment()};
  const Watchdog watchdog{loop_, manager, [] { return true; }};
  std::size_t meanwhile = 0;
  Timer hang{loop_, [&] {
               static_cast<void>(count());
               std::this_thread::sleep_for(100ms);  // twice as long as the manager has patience
               meanwhile = count();
               loop_.stop();
             }};
  hang.start(0ms);
  loop_.run();
  EXPECT_EQ(meanwhile, 0U);
  EXPECT_TRUE(run_until(loop_, [&] { return count() > 0; })) << "it lives again";
}

TEST_F(WatchdogTest, IsSilentWhileTheOtherThreadsDoNotWork) {
  const ServiceManager manager{socket_.environment()};
  int asked = 0;
  bool works = false;
  const Watchdog watchdog{loop_, manager, [&] {
                            ++asked;
                            return works;
                          }};
  EXPECT_TRUE(run_until(loop_, [&] { return asked >= 5; }));
  EXPECT_EQ(count(), 0U);
  works = true;
  EXPECT_TRUE(run_until(loop_, [&] { return count() > 0; }));
}

TEST_F(WatchdogTest, IsNotAskedForByMost) {
  socket_.set("WATCHDOG_PID", "1");
  const ServiceManager manager{socket_.environment()};
  const Watchdog watchdog{loop_, manager, [] {
                            ADD_FAILURE() << "asked, though nobody wants to know";
                            return true;
                          }};
  const auto until = std::chrono::steady_clock::now() + 50ms;
  EXPECT_TRUE(run_until(loop_, [&] { return std::chrono::steady_clock::now() > until; }));
  EXPECT_THAT(socket_.told(), IsEmpty());
}

}  // namespace
}  // namespace corosync_exporter
