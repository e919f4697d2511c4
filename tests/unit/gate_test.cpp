// SPDX-License-Identifier: Apache-2.0
#include "web/gate.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
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
    EXPECT_EQ(listen(listener_, SOMAXCONN), 0);
    socklen_t length = sizeof(address_);
    EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address_), &length), 0);
  }
  ~GateTest() override {
    for (const int descriptor : clients_) {
      close(descriptor);
    }
    for (const int descriptor : accepted_) {
      close(descriptor);
    }
    close(listener_);
  }

  static sockaddr_in ipv4(const std::string& text) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    EXPECT_EQ(inet_pton(AF_INET, text.c_str(), &address.sin_addr), 1);
    return address;
  }

  void connect_from(const std::string& text) {
    const int client = socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr_in own = ipv4(text);
    EXPECT_EQ(bind(client, reinterpret_cast<const sockaddr*>(&own), sizeof(own)), 0);
    EXPECT_EQ(connect(client, reinterpret_cast<const sockaddr*>(&address_), sizeof(address_)), 0);
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
    close(accepted_.at(which));
    accepted_.erase(accepted_.begin() + static_cast<std::ptrdiff_t>(which));
  }

  std::vector<std::string> refused_;
  std::vector<int> exhausted_;
  Gate gate_{limit,
             {.refused = [this](int /*descriptor*/,
                                const std::string& address) { refused_.push_back(address); },
              .exhausted = [this](int error) { exhausted_.push_back(error); }}};
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

TEST_F(GateTest, ADescriptorThatBecameAnotherFileCountsNoMore) {
  for (std::size_t i = 0; i < limit; ++i) {
    enters("127.0.0.2");
  }
  ASSERT_GE(dup2(STDERR_FILENO, accepted_.front()), 0);
  EXPECT_TRUE(enters("127.0.0.2"));
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

TEST_F(GateTest, ManyAddressesThatAreGoneAreForgotten) {
  for (int i = 0; i < 600; ++i) {
    const std::string from =
        "127.0." + std::to_string(1 + i / 250) + "." + std::to_string(1 + i % 250);
    ASSERT_TRUE(enters(from)) << from;
    // Not closed, so that no descriptor is taken again and tells that the one before is gone.
    shutdown(accepted_.back(), SHUT_RDWR);
    close(clients_.back());
    clients_.pop_back();
  }
}

}  // namespace
}  // namespace corosync_exporter::web
