// SPDX-License-Identifier: Apache-2.0
#include "service_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <iterator>
#include <ostream>
#include <string>

#include "service_socket.h"

namespace corosync_exporter {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr int far_more_than_fit = 10'000;

void tell_more_than_fits(const ServiceManager& manager) {
  for (int i = 0; i < far_more_than_fit; ++i) {
    manager.alive();
  }
}

TEST(ServiceManagerTest, SaysWhatSystemdUnderstands) {
  const ServiceSocket socket;
  const ServiceManager manager{socket.environment()};
  EXPECT_THAT(socket.told(), IsEmpty());
  manager.ready();
  manager.alive();
  manager.describe("quorate, 3 members");
  manager.stopping();
  EXPECT_THAT(socket.told(),
              ElementsAre("READY=1", "WATCHDOG=1", "STATUS=quorate, 3 members", "STOPPING=1"));
}

TEST(ServiceManagerTest, TheSocketMayBeAFile) {
  const ServiceSocket socket{ServiceSocket::unused_name(testing::TempDir())};
  ServiceManager{socket.environment()}.ready();
  EXPECT_THAT(socket.told(), ElementsAre("READY=1"));
}

TEST(ServiceManagerTest, ALongNameStillFits) {
  std::string name = ServiceSocket::unused_name("@");
  name.resize(sizeof(sockaddr_un::sun_path) - 1, 'x');
  const ServiceSocket socket{name};
  ServiceManager{socket.environment()}.ready();
  EXPECT_THAT(socket.told(), ElementsAre("READY=1"));
}

TEST(ServiceManagerTest, AStatusIsOneLine) {
  const ServiceSocket socket;
  ServiceManager{socket.environment()}.describe("bad\nREADY=1");
  EXPECT_THAT(socket.told(), ElementsAre("STATUS=bad"));
}

TEST(ServiceManagerTest, WithoutOneNobodyIsTold) {
  for (const std::string name :
       {"", "relative/path", "vsock:2:1", "@no-such-socket", "/no/such/socket"}) {
    ServiceSocket socket;
    socket.set("NOTIFY_SOCKET", name);
    const ServiceManager manager{socket.environment()};
    manager.ready();
    EXPECT_THAT(socket.told(), IsEmpty()) << name;
  }
  const ServiceManager manager{[](const char* /*name*/) { return nullptr; }};
  manager.ready();
  EXPECT_EQ(manager.watchdog(), std::nullopt);
}

TEST(ServiceManagerTest, ANameThatNoSocketCanHaveIsIgnored) {
  ServiceSocket socket;
  socket.set("NOTIFY_SOCKET", "@" + std::string(sizeof(sockaddr_un::sun_path), 'x'));
  ServiceManager{socket.environment()}.ready();
  EXPECT_THAT(socket.told(), IsEmpty());
}

// Or a systemd that hangs would hang us.
TEST(ServiceManagerTest, NeverWaitsForWhoDoesNotListen) {
  const ServiceSocket socket;
  const ServiceManager manager{socket.environment()};
  tell_more_than_fits(manager);
  const auto told = socket.told().size();
  EXPECT_GT(told, 0U);
  EXPECT_LT(told, static_cast<std::size_t>(far_more_than_fit));
}

// Or a service that serves would be held for one that did not start.
TEST(ServiceManagerTest, ThatItIsReadyWaitsUntilThereIsRoom) {
  const ServiceSocket socket;
  const ServiceManager manager{socket.environment()};
  tell_more_than_fits(manager);
  auto ready = std::async(std::launch::async, [&] { manager.ready(); });
  EXPECT_EQ(ready.wait_for(100ms), std::future_status::timeout);
  auto told = socket.told();  // which makes room
  EXPECT_EQ(ready.wait_for(5s), std::future_status::ready);
  std::ranges::copy(socket.told(), std::back_inserter(told));
  EXPECT_THAT(told, Contains("READY=1"));
}

struct WatchdogCase {
  std::string name;
  std::string microseconds;
  std::string pid;
  std::optional<std::chrono::microseconds> watchdog;
};
void PrintTo(const WatchdogCase& row, std::ostream* out) { *out << row.name; }

class WatchdogOfTest : public testing::TestWithParam<WatchdogCase> {};

TEST_P(WatchdogOfTest, IsWhatTheEnvironmentSays) {
  ServiceSocket socket;
  if (!GetParam().microseconds.empty()) {
    socket.set("WATCHDOG_USEC", GetParam().microseconds);
  }
  if (!GetParam().pid.empty()) {
    socket.set("WATCHDOG_PID", GetParam().pid);
  }
  EXPECT_EQ(ServiceManager{socket.environment()}.watchdog(), GetParam().watchdog);
}

INSTANTIATE_TEST_SUITE_P(
    , WatchdogOfTest,
    testing::Values(WatchdogCase{"none", "", "", std::nullopt},
                    WatchdogCase{"ours", "30000000", std::to_string(getpid()), 30s},
                    WatchdogCase{"anybodys", "1500000", "", 1500ms},
                    WatchdogCase{"our_parents", "30000000", std::to_string(getppid()),
                                 std::nullopt},
                    WatchdogCase{"nobodys", "30000000", "x", std::nullopt},
                    WatchdogCase{"zero", "0", "", std::nullopt},
                    WatchdogCase{"negative", "-5", "", std::nullopt},
                    WatchdogCase{"too_large", "99999999999999999999", "", std::nullopt},
                    WatchdogCase{"with_a_unit", "30s", "", std::nullopt}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace corosync_exporter
