// SPDX-License-Identifier: Apache-2.0
// What other tests take for granted of the fake: that it behaves as the real libraries were seen
// to, and notices who breaks their rules.
#include "fake_corosync.h"

#include <corosync/cfg.h>
#include <corosync/cmap.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <thread>
#include <vector>

namespace {

using fake_corosync::Service;

short events_on(int descriptor) {
  pollfd connection{.fd = descriptor, .events = POLLIN, .revents = 0};
  poll(&connection, 1, 0);
  return connection.revents;
}

pid_t peer_of(int descriptor) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  EXPECT_EQ(getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size), 0);
  return credentials.pid;
}

bool exists(pid_t process) { return kill(process, 0) == 0 || errno != ESRCH; }

class FakeCorosyncTest : public ::testing::Test {
 protected:
  FakeCorosyncTest() { fake_corosync::reset(); }
  ~FakeCorosyncTest() override {
    if (handle_ != 0) {
      cmap_finalize(handle_);
    }
  }

  void connect() {
    ASSERT_EQ(cmap_initialize_map(&handle_, CMAP_MAP_ICMAP), CS_OK);
    ASSERT_EQ(cmap_fd_get(handle_, &descriptor_), CS_OK);
  }
  cs_error_t get() const {
    std::uint32_t value = 0;
    std::size_t size = sizeof value;
    cmap_value_types_t type{};
    return cmap_get(handle_, "nodelist.node.0.nodeid", &value, &size, &type);
  }

  cmap_handle_t handle_ = 0;
  int descriptor_ = -1;
};

TEST_F(FakeCorosyncTest, IsAnotherProcessAtTheOtherEnd) {
  connect();
  const pid_t process = peer_of(descriptor_);
  EXPECT_NE(process, getpid());
  EXPECT_TRUE(exists(process));
}

TEST_F(FakeCorosyncTest, KilledIsGoneAndHangsUp) {
  connect();
  const pid_t process = peer_of(descriptor_);
  EXPECT_EQ(events_on(descriptor_), 0);
  fake_corosync::kill();
  EXPECT_TRUE((events_on(descriptor_) & POLLHUP) != 0);
  EXPECT_FALSE(exists(process));
  EXPECT_EQ(get(), CS_ERR_LIBRARY);
  cmap_handle_t other = 0;
  EXPECT_EQ(cmap_initialize_map(&other, CMAP_MAP_ICMAP), CS_ERR_LIBRARY);
  EXPECT_EQ(errno, ECONNREFUSED);
}

TEST_F(FakeCorosyncTest, StartedAgainIsAnotherProcessAndOldConnectionsStayDead) {
  connect();
  fake_corosync::kill();
  fake_corosync::start();
  EXPECT_EQ(get(), CS_ERR_LIBRARY);
  cmap_handle_t other = 0;
  EXPECT_EQ(cmap_initialize_map(&other, CMAP_MAP_ICMAP), CS_OK);
  EXPECT_EQ(cmap_finalize(other), CS_OK);
}

TEST_F(FakeCorosyncTest, BeginningToStopHangsUpAndStillExists) {
  connect();
  const pid_t process = peer_of(descriptor_);
  fake_corosync::begin_to_stop();
  EXPECT_TRUE((events_on(descriptor_) & POLLHUP) != 0);
  EXPECT_TRUE(exists(process));
}

TEST_F(FakeCorosyncTest, FailsOnceOrAlways) {
  connect();
  fake_corosync::fail_next("cmap_get", CS_ERR_TRY_AGAIN, EBUSY);
  EXPECT_EQ(get(), CS_ERR_TRY_AGAIN);
  EXPECT_EQ(errno, EBUSY);
  EXPECT_EQ(get(), CS_OK);
  fake_corosync::fail_always("cmap_get", CS_ERR_ACCESS);
  EXPECT_EQ(get(), CS_ERR_ACCESS);
  EXPECT_EQ(get(), CS_ERR_ACCESS);
  fake_corosync::stop_failing("cmap_get");
  EXPECT_EQ(get(), CS_OK);
}

TEST_F(FakeCorosyncTest, AHangingCallComesBackWhenReleased) {
  connect();
  fake_corosync::hang("cmap_get");
  cs_error_t result = CS_ERR_LIBRARY;
  {
    const std::jthread caller{[&] { result = get(); }};
    EXPECT_TRUE(fake_corosync::wait_until_hanging("cmap_get"));
    fake_corosync::release("cmap_get");
  }
  EXPECT_EQ(result, CS_OK);
}

TEST_F(FakeCorosyncTest, AHangingCallFailsWhenItsDescriptorIsShutDown) {
  connect();
  fake_corosync::freeze();
  cs_error_t result = CS_OK;
  {
    const std::jthread caller{[&] { result = get(); }};
    EXPECT_TRUE(fake_corosync::wait_until_hanging("cmap_get"));
    shutdown(descriptor_, SHUT_RDWR);
  }
  EXPECT_EQ(result, CS_ERR_LIBRARY);
  fake_corosync::thaw();
  EXPECT_EQ(get(), CS_ERR_LIBRARY);
}

TEST_F(FakeCorosyncTest, AHangingConnectFailsWhenCorosyncIsKilled) {
  fake_corosync::freeze();
  cs_error_t result = CS_OK;
  {
    const std::jthread caller{[&] {
      cmap_handle_t handle = 0;
      result = cmap_initialize_map(&handle, CMAP_MAP_ICMAP);
    }};
    EXPECT_TRUE(fake_corosync::wait_until_hanging("cmap_initialize_map"));
    fake_corosync::kill();
  }
  EXPECT_EQ(result, CS_ERR_LIBRARY);
}

TEST_F(FakeCorosyncTest, CountsItsHandles) {
  connect();
  EXPECT_EQ(fake_corosync::open_handles(), 1U);
  EXPECT_EQ(fake_corosync::open_handles(Service::cmap), 1U);
  EXPECT_EQ(fake_corosync::open_handles(Service::quorum), 0U);
  EXPECT_EQ(cmap_finalize(handle_), CS_OK);
  EXPECT_EQ(fake_corosync::open_handles(), 0U);
  EXPECT_EQ(cmap_finalize(handle_), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(fake_corosync::misuse(), std::vector<std::string>{});
}

TEST_F(FakeCorosyncTest, LeavesGarbageInAnAnswerThatIsNone) {
  votequorum_callbacks_t callbacks{};
  ASSERT_EQ(votequorum_initialize(&handle_, &callbacks), CS_OK);
  votequorum_info info{};
  EXPECT_EQ(votequorum_getinfo(handle_, 8, &info), CS_ERR_NOT_EXIST);
  EXPECT_NE(info.highest_expected, 0U);
  votequorum_finalize(std::exchange(handle_, 0));
}

TEST_F(FakeCorosyncTest, RefusesABufferThatIsTooSmallAndSaysNothingOfTheLength) {
  fake_corosync::change([](auto& cluster) { cluster.cmap["some.key"] = "12345"; });
  connect();
  std::string buffer(5, '\0');
  std::size_t size = buffer.size();
  cmap_value_types_t type{};
  EXPECT_EQ(cmap_get(handle_, "some.key", buffer.data(), &size, &type), CS_ERR_INVALID_PARAM);
  EXPECT_EQ(size, 5U);
  buffer.resize(6);  // with the end of the text
  size = buffer.size();
  EXPECT_EQ(cmap_get(handle_, "some.key", buffer.data(), &size, &type), CS_OK);
  EXPECT_EQ(fake_corosync::misuse(), std::vector<std::string>{});
}

TEST_F(FakeCorosyncTest, KeepsAHandleWhoseConnectFailedInTheDaemon) {
  quorum_model_v1_data_t callbacks{};
  std::uint32_t type = 0;
  fake_corosync::fail_next("quorum_model_initialize", CS_ERR_NOT_SUPPORTED);
  quorum_handle_t handle = 0;
  EXPECT_EQ(
      quorum_model_initialize(&handle, QUORUM_MODEL_V1,
                              reinterpret_cast<quorum_model_data_t*>(&callbacks), &type, nullptr),
      CS_ERR_NOT_SUPPORTED);
  EXPECT_EQ(fake_corosync::open_handles(), 1U);
  EXPECT_EQ(quorum_finalize(handle), CS_OK);
}

// ---- Whoever breaks a rule is noticed ----------------------------------------------------------

TEST_F(FakeCorosyncTest, NoticesTwoThreadsOnOneHandle) {
  connect();
  fake_corosync::hang("cmap_get");
  {
    const std::jthread caller{[&] { EXPECT_EQ(get(), CS_OK); }};
    EXPECT_TRUE(fake_corosync::wait_until_hanging("cmap_get"));
    cmap_iter_handle_t iterator = 0;
    cmap_iter_init(handle_, "", &iterator);
    fake_corosync::release("cmap_get");
  }
  EXPECT_EQ(fake_corosync::misuse().size(), 1U);
}

TEST_F(FakeCorosyncTest, NoticesTwoThreadsThatConnectInOneLibrary) {
  fake_corosync::hang("cmap_initialize_map");
  {
    const std::jthread caller{[&] { connect(); }};
    EXPECT_TRUE(fake_corosync::wait_until_hanging("cmap_initialize_map"));
    cmap_finalize(0);
    fake_corosync::release("cmap_initialize_map");
  }
  EXPECT_EQ(fake_corosync::misuse().size(), 1U);
}

TEST_F(FakeCorosyncTest, NoticesTheUseOfAHandleThatIsGone) {
  connect();
  cmap_finalize(handle_);
  EXPECT_EQ(get(), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(fake_corosync::misuse().size(), 1U);
}

TEST_F(FakeCorosyncTest, NoticesTheUseOfAnotherServicesHandle) {
  connect();
  unsigned int node = 0;
  EXPECT_EQ(corosync_cfg_local_get(handle_, &node), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(fake_corosync::misuse().size(), 1U);
}

TEST_F(FakeCorosyncTest, NoticesWhatMayKillCorosync) {
  ASSERT_EQ(cmap_initialize_map(&handle_, CMAP_MAP_STATS), CS_OK);
  std::uint64_t value = 0;
  std::size_t size = sizeof value;
  cmap_value_types_t type{};
  EXPECT_EQ(cmap_get(handle_, "stats.srp.mcast_tx", &value, &size, &type), CS_OK);
  EXPECT_EQ(fake_corosync::misuse().size(), 1U);
  cmap_iter_handle_t iterator = 0;
  EXPECT_EQ(cmap_iter_init(handle_, "stats.", &iterator), CS_OK);
  EXPECT_EQ(fake_corosync::misuse().size(), 2U);
  fake_corosync::change([](auto& cluster) { cluster.statistics["a"] = std::string(64, 'x'); });
  std::vector<char> room(64);
  size = room.size();
  cmap_get(handle_, "a", room.data(), &size, &type);
  EXPECT_EQ(fake_corosync::misuse().size(), 3U);
}

TEST_F(FakeCorosyncTest, RemembersWhoCalledWhat) {
  connect();
  std::thread::id other;
  {
    const std::jthread caller{[&] {
      other = std::this_thread::get_id();
      get();
    }};
  }
  EXPECT_EQ(fake_corosync::called_by(std::this_thread::get_id()),
            (std::vector<std::string>{"cmap_fd_get", "cmap_initialize_map"}));
  EXPECT_EQ(fake_corosync::called_by(other), std::vector<std::string>{"cmap_get"});
  EXPECT_EQ(fake_corosync::calls("cmap_get"), 1U);
}

}  // namespace
