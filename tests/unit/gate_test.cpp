// SPDX-License-Identifier: Apache-2.0
#include "web/gate.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <string>
#include <vector>

namespace corosync_exporter::web {
namespace {

class GateTest : public testing::Test {
 protected:
  static constexpr std::size_t limit = 3;

  GateTest() {
    EXPECT_EQ(bind(listener_, reinterpret_cast<const sockaddr*>(&address_), sizeof(address_)), 0);
    EXPECT_EQ(gate_.listen(listener_, SOMAXCONN), 0);
    socklen_t length = sizeof(address_);
    EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address_), &length), 0);
  }
  ~GateTest() override {
    for (const int descriptor : clients_) {
      close(descriptor);
    }
    for (const int descriptor : accepted_) {
      gate_.close(descriptor);
    }
    gate_.close(listener_);
  }

  static sockaddr_in ipv4(const std::string& text) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    EXPECT_EQ(inet_pton(AF_INET, text.c_str(), &address.sin_addr), 1);
    return address;
  }

  // And says something, or else the kernel keeps it.
  void connect_from(const std::string& text, const std::string& says = "GET") {
    const int client = socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr_in own = ipv4(text);
    EXPECT_EQ(bind(client, reinterpret_cast<const sockaddr*>(&own), sizeof(own)), 0);
    EXPECT_EQ(connect(client, reinterpret_cast<const sockaddr*>(&address_), sizeof(address_)), 0);
    EXPECT_EQ(send(client, says.data(), says.size(), 0), static_cast<ssize_t>(says.size()));
    clients_.push_back(client);
  }

  // Whether a connection from there is accepted.
  bool enters(const std::string& from) {
    connect_from(from);
    sockaddr_storage peer{};
    socklen_t length = sizeof(peer);
    const int descriptor = gate_.accept(listener_, reinterpret_cast<sockaddr*>(&peer), &length);
    if (descriptor < 0) {
      EXPECT_EQ(errno, EAGAIN);
      return false;
    }
    EXPECT_EQ(length, sizeof(sockaddr_in));
    EXPECT_EQ(reinterpret_cast<const sockaddr_in&>(peer).sin_addr.s_addr,
              ipv4(from).sin_addr.s_addr);
    accepted_.push_back(descriptor);
    return true;
  }

  void end(std::size_t which) {
    EXPECT_EQ(gate_.close(accepted_.at(which)), 0);
    accepted_.erase(accepted_.begin() + static_cast<std::ptrdiff_t>(which));
  }

  std::vector<std::string> refused_;
  std::vector<int> exhausted_;
  std::vector<int> not_deferred_;
  Connections connections_{limit};
  Gate gate_{connections_,
             {.refused = [this](int /*descriptor*/,
                                const std::string& address) { refused_.push_back(address); },
              .exhausted = [this](int error) { exhausted_.push_back(error); },
              .not_deferred = [this](int error) { not_deferred_.push_back(error); }}};
  sockaddr_in address_ = ipv4("127.0.0.1");
  int listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  std::vector<int> clients_;
  std::vector<int> accepted_;
};

TEST_F(GateTest, AnAddressHasItsShareAndNoMore) {
  for (std::size_t i = 0; i < limit; ++i) {
    EXPECT_TRUE(enters("127.0.0.2"));
  }
  EXPECT_FALSE(enters("127.0.0.2"));
  EXPECT_EQ(refused_, std::vector<std::string>{"127.0.0.2"});
}

TEST_F(GateTest, OthersEnterAllTheSame) {
  for (std::size_t i = 0; i < limit + 1; ++i) {
    enters("127.0.0.2");
  }
  EXPECT_TRUE(enters("127.0.0.3"));
}

TEST_F(GateTest, WhatWasClosedCountsNoMore) {
  for (std::size_t i = 0; i < limit; ++i) {
    enters("127.0.0.2");
  }
  end(1);
  EXPECT_TRUE(enters("127.0.0.2"));
  EXPECT_FALSE(enters("127.0.0.2"));
}

TEST_F(GateTest, AnotherDescriptorThatIsClosedFreesNoPlace) {
  for (std::size_t i = 0; i < limit; ++i) {
    enters("127.0.0.2");
  }
  EXPECT_EQ(gate_.close(dup(accepted_.front())), 0);
  EXPECT_FALSE(enters("127.0.0.2"));
}

TEST_F(GateTest, NobodyWaitingIsNoRefusal) {
  sockaddr_storage peer{};
  socklen_t length = sizeof(peer);
  EXPECT_EQ(gate_.accept(listener_, reinterpret_cast<sockaddr*>(&peer), &length), -1);
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_TRUE(refused_.empty());
  EXPECT_TRUE(exhausted_.empty());
}

TEST_F(GateTest, WithoutDescriptorsItSaysSoAndRecovers) {
  connect_from("127.0.0.2");
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 0;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  sockaddr_storage peer{};
  socklen_t length = sizeof(peer);
  EXPECT_EQ(gate_.accept(listener_, reinterpret_cast<sockaddr*>(&peer), &length), -1);
  EXPECT_EQ(errno, EMFILE);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(exhausted_, std::vector<int>{EMFILE});

  const int descriptor = gate_.accept(listener_, reinterpret_cast<sockaddr*>(&peer), &length);
  EXPECT_GE(descriptor, 0);
  accepted_.push_back(descriptor);
}

TEST_F(GateTest, NoneOfManyAddressesIsRefused) {
  for (int i = 0; i < 600; ++i) {
    const std::string from =
        "127.0." + std::to_string(1 + i / 250) + "." + std::to_string(1 + i % 250);
    ASSERT_TRUE(enters(from)) << from;
    if (i % 2 == 0) {
      end(accepted_.size() - 1);
    }
  }
}

TEST_F(GateTest, WhoSaysNothingStaysInTheKernel) {
  connect_from("127.0.0.2", "");
  sockaddr_storage peer{};
  socklen_t length = sizeof(peer);
  EXPECT_EQ(gate_.accept(listener_, reinterpret_cast<sockaddr*>(&peer), &length), -1);
  EXPECT_EQ(errno, EAGAIN);
  int seconds = 0;
  length = sizeof(seconds);
  ASSERT_EQ(getsockopt(listener_, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, &length), 0);
  EXPECT_GE(seconds, 3600);
  EXPECT_TRUE(not_deferred_.empty());
}

TEST_F(GateTest, AListenerThatCannotDeferIsSaidToCostThreads) {
  const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  EXPECT_NE(gate_.listen(listener, 1), 0) << "it has no address";
  EXPECT_EQ(not_deferred_, std::vector<int>{EOPNOTSUPP});
  gate_.close(listener);
}

TEST_F(GateTest, ItsEndWakesWhoWaitsForConnections) {
  pollfd waits{.fd = listener_, .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&waits, 1, 0), 0);
  gate_.stop_listening();
  EXPECT_EQ(poll(&waits, 1, 0), 1);
  sockaddr_storage peer{};
  socklen_t length = sizeof(peer);
  EXPECT_EQ(gate_.accept(listener_, reinterpret_cast<sockaddr*>(&peer), &length), -1);
  EXPECT_EQ(errno, EINVAL);
}

}  // namespace
}  // namespace corosync_exporter::web
