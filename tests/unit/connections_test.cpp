// SPDX-License-Identifier: Apache-2.0
#include "web/connections.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <thread>

namespace corosync_exporter::web {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t limit = 2;

// A socket, and who is at its other end.
class Pair {
 public:
  Pair() { EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_.data()), 0); }
  ~Pair() { close(ends_[1]); }  // the other one is whose it has become
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  [[nodiscard]] int server() const { return ends_[0]; }

  // What a reader of that end finds out without waiting.
  [[nodiscard]] bool server_sees_end() const { return sees_end(ends_[0]); }
  [[nodiscard]] bool client_sees_end() const { return sees_end(ends_[1]); }

 private:
  static bool sees_end(int descriptor) {
    char byte = 0;
    return recv(descriptor, &byte, 1, MSG_DONTWAIT) == 0;
  }

  std::array<int, 2> ends_{-1, -1};
};

bool is_open(int descriptor) { return fcntl(descriptor, F_GETFD) != -1; }

const Network one = network_of("192.0.2.1");
const Network other = network_of("192.0.2.2");

TEST(ConnectionsTest, ANetworkHasItsShareAndNoMore) {
  const std::array<Pair, 4> pairs;
  Connections connections{limit};
  EXPECT_TRUE(connections.add(pairs[0].server(), one));
  EXPECT_TRUE(connections.add(pairs[1].server(), one));
  EXPECT_FALSE(connections.add(pairs[2].server(), one));
  EXPECT_TRUE(connections.add(pairs[3].server(), other));
  close(pairs[2].server());
}

TEST(ConnectionsTest, WhatWasTakenOutCountsNoMore) {
  const std::array<Pair, 3> pairs;
  Connections connections{limit};
  EXPECT_TRUE(connections.add(pairs[0].server(), one));
  EXPECT_TRUE(connections.add(pairs[1].server(), one));
  connections.remove(pairs[0].server());
  close(pairs[0].server());
  EXPECT_TRUE(connections.add(pairs[2].server(), one));
}

TEST(ConnectionsTest, AnUnknownDescriptorIsNoneOfItsBusiness) {
  const std::array<Pair, 3> pairs;
  Connections connections{limit};
  EXPECT_TRUE(connections.add(pairs[0].server(), one));
  EXPECT_TRUE(connections.add(pairs[1].server(), one));
  connections.remove(pairs[2].server());
  EXPECT_FALSE(connections.add(pairs[2].server(), one));
  EXPECT_TRUE(is_open(pairs[2].server()));
  close(pairs[2].server());
}

TEST(ConnectionsTest, AllAreShutDownAndSoAreThoseThatComeLater) {
  const std::array<Pair, 2> pairs;
  Connections connections{limit};
  EXPECT_TRUE(connections.add(pairs[0].server(), one));
  EXPECT_FALSE(pairs[0].server_sees_end());
  connections.shut_down(SHUT_RD);
  EXPECT_TRUE(connections.add(pairs[1].server(), one));
  for (const Pair& pair : pairs) {
    EXPECT_TRUE(pair.server_sees_end());
    EXPECT_FALSE(pair.client_sees_end()) << "there may be an answer yet";
  }
  connections.shut_down(SHUT_RDWR);
  for (const Pair& pair : pairs) {
    EXPECT_TRUE(pair.client_sees_end());
  }
}

TEST(ConnectionsTest, WhatWasTakenOutIsNotShutDown) {
  const Pair pair;
  Connections connections{limit};
  EXPECT_TRUE(connections.add(pair.server(), one));
  connections.remove(pair.server());
  connections.shut_down(SHUT_RDWR);
  EXPECT_FALSE(pair.client_sees_end()) << "the number may be anybody's by now";
  close(pair.server());
}

TEST(ConnectionsTest, ThoseThatNobodyTookOutAreClosedAtTheEnd) {
  const std::array<Pair, 2> pairs;
  {
    Connections connections{limit};
    EXPECT_TRUE(connections.add(pairs[0].server(), one));
    EXPECT_TRUE(connections.add(pairs[1].server(), one));
    connections.remove(pairs[1].server());
  }
  EXPECT_TRUE(pairs[0].client_sees_end());
  EXPECT_FALSE(pairs[1].client_sees_end());
  close(pairs[1].server());
}

TEST(ConnectionsTest, WaitsForTheLastOne) {
  constexpr auto forever = 20s;
  const std::array<Pair, 2> pairs;
  Connections connections{limit};
  connections.wait_until_none(forever);  // there is none
  EXPECT_TRUE(connections.add(pairs[0].server(), one));
  EXPECT_TRUE(connections.add(pairs[1].server(), other));
  const auto begin = std::chrono::steady_clock::now();
  {
    const std::jthread closer{[&] {
      for (const Pair& pair : pairs) {
        connections.remove(pair.server());
      }
    }};
    connections.wait_until_none(forever);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, forever);
  for (const Pair& pair : pairs) {
    close(pair.server());
  }
}

TEST(ConnectionsTest, WaitsNoLongerThanItIsTold) {
  const Pair pair;
  Connections connections{limit};
  EXPECT_TRUE(connections.add(pair.server(), one));
  const auto begin = std::chrono::steady_clock::now();
  connections.wait_until_none(30ms);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 30ms);
}

}  // namespace
}  // namespace corosync_exporter::web
