// SPDX-License-Identifier: Apache-2.0
#include "web/access.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <ostream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "web/bcrypt.h"

namespace corosync_exporter {

void PrintTo(Verdict verdict, std::ostream* out) {
  *out << (verdict == Verdict::granted  ? "granted"
           : verdict == Verdict::denied ? "denied"
                                        : "busy");
}

namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

constexpr AccessTime start{1000s};

// ---- Networks ----------------------------------------------------------------------------------

TEST(NetworkTest, AnIpv4AddressIsOneInAllItsForms) {
  EXPECT_EQ(network_of("192.0.2.1"s), network_of("::ffff:192.0.2.1"s));
  EXPECT_NE(network_of("192.0.2.1"s), network_of("192.0.2.2"s));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  ASSERT_EQ(inet_pton(AF_INET, "192.0.2.1", &address.sin_addr), 1);
  EXPECT_EQ(network_of(reinterpret_cast<const sockaddr&>(address)), network_of("192.0.2.1"s));
}

TEST(NetworkTest, AnIpv6NetworkIsOneClient) {
  EXPECT_EQ(network_of("2001:db8:0:1::1"s), network_of("2001:db8:0:1:ffff::2"s));
  EXPECT_NE(network_of("2001:db8:0:1::1"s), network_of("2001:db8:0:2::1"s));
  EXPECT_EQ(network_of("fe80::1%eth0"s), network_of("fe80::2"s));
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  ASSERT_EQ(inet_pton(AF_INET6, "2001:db8:0:1::9", &address.sin6_addr), 1);
  EXPECT_EQ(network_of(reinterpret_cast<const sockaddr&>(address)), network_of("2001:db8:0:1::1"s));
}

TEST(NetworkTest, WhatIsNoAddressIsOneClientToo) {
  EXPECT_EQ(network_of(""s), Network{});
  EXPECT_EQ(network_of("localhost"s), Network{});
  sockaddr address{};
  address.sa_family = AF_UNIX;
  EXPECT_EQ(network_of(address), Network{});
}

// ---- Rates -------------------------------------------------------------------------------------

TEST(RateLimiterTest, ABurstIsAllowedThenOneAnInterval) {
  RateLimiter limiter{{.interval = 1s, .burst = 3}};
  EXPECT_TRUE(limiter.allows(start));
  EXPECT_TRUE(limiter.allows(start));
  EXPECT_TRUE(limiter.allows(start));
  EXPECT_FALSE(limiter.allows(start));
  EXPECT_FALSE(limiter.allows(start + 999ms));
  EXPECT_TRUE(limiter.allows(start + 1s));
  EXPECT_FALSE(limiter.allows(start + 1s));
}

TEST(RateLimiterTest, WhatIsRefusedCostsNothing) {
  RateLimiter limiter{{.interval = 1s, .burst = 1}};
  EXPECT_TRUE(limiter.allows(start));
  for (int i = 0; i < 1000; ++i) {
    EXPECT_FALSE(limiter.allows(start + 500ms));
  }
  EXPECT_TRUE(limiter.allows(start + 1s));
}

TEST(RateLimiterTest, SavesUpABurstAndNoMore) {
  RateLimiter limiter{{.interval = 1s, .burst = 2}};
  EXPECT_TRUE(limiter.allows(start));
  EXPECT_TRUE(limiter.allows(start + 1h));
  EXPECT_TRUE(limiter.allows(start + 1h));
  EXPECT_FALSE(limiter.allows(start + 1h));
}

TEST(RateLimiterTest, WithoutABurstNothingIsAllowed) {
  RateLimiter limiter{{.interval = 1s, .burst = 0}};
  EXPECT_FALSE(limiter.allows(start));
  EXPECT_FALSE(limiter.allows(start + 24h));
}

TEST(RateLimiterTest, TakesTheLargestNumbers) {
  const auto century = 24h * 365 * 100;
  RateLimiter limiter{{.interval = century, .burst = std::numeric_limits<unsigned>::max()}};
  EXPECT_TRUE(limiter.allows(start));
  RateLimiter one{{.interval = century, .burst = 1}};
  EXPECT_TRUE(one.allows(start));
  EXPECT_FALSE(one.allows(start + 24h));
}

TEST(TokenBucketTest, KnowsWhenItIsFullAndEmpty) {
  TokenBucket bucket{1s, 2};
  EXPECT_TRUE(bucket.is_full(start));
  EXPECT_TRUE(bucket.take(start));
  EXPECT_FALSE(bucket.is_full(start));
  EXPECT_FALSE(bucket.is_empty(start));
  EXPECT_TRUE(bucket.take(start));
  EXPECT_TRUE(bucket.is_empty(start));
  EXPECT_FALSE(bucket.is_empty(start + 1s));
  EXPECT_FALSE(bucket.is_full(start + 1999ms));
  EXPECT_TRUE(bucket.is_full(start + 2s));
}

// ---- Passwords ---------------------------------------------------------------------------------

std::string base64(const std::string& text) {
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string encoded;
  for (std::size_t at = 0; at < text.size(); at += 3) {
    unsigned group = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      group = group << 8U | (at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      encoded += at + i > text.size() ? '=' : alphabet[group >> (18 - 6 * i) & 63U];
    }
  }
  return encoded;
}

std::string basic(const std::string& name, const std::string& password) {
  return "Basic " + base64(name + ":" + password);
}

// A hash of this cost, which is its password's owner's.
std::string hash_of(int cost, char owner) {
  return "$2y$" + std::to_string(cost) + "$" + std::string(53, owner);
}

const Network prometheus = network_of("192.0.2.1"s);
const Network attacker = network_of("198.51.100.1"s);

Network stranger(int number) { return network_of("203.0.113." + std::to_string(number)); }

// Counts what would be spent. alice's password is "a", bob's is "b".
class PasswordCheckTest : public ::testing::Test {
 protected:
  PasswordCheck::Matches matches() {
    return [this](const std::string& password, const std::string& hash) {
      ++spent_;
      measured_.insert(hash);
      return password == hash.substr(hash.size() - 1);
    };
  }

  // In this file's order of things one check takes 60 ms, as the hashes are of cost 10.
  static constexpr auto one_takes = 60ms;

  std::map<std::string, std::string> users_{{"alice", hash_of(10, 'a')}, {"bob", hash_of(10, 'b')}};
  int spent_ = 0;
  std::set<std::string> measured_;
  PasswordCheck check_{users_, matches()};
};

TEST_F(PasswordCheckTest, GrantsTheRightOnesOnly) {
  EXPECT_EQ(check_.check(basic("alice", "a"), prometheus, start), Verdict::granted);
  EXPECT_EQ(check_.check(basic("bob", "b"), prometheus, start), Verdict::granted);
  EXPECT_EQ(check_.check(basic("alice", "b"), prometheus, start), Verdict::denied);
  EXPECT_EQ(check_.check(basic("bob", "a"), attacker, start), Verdict::denied);
  EXPECT_EQ(check_.check(basic("Alice", "a"), attacker, start), Verdict::denied);
}

TEST_F(PasswordCheckTest, TheSchemesNameIsOfAnyCase) {
  const std::string encoded = base64("alice:a");
  EXPECT_EQ(check_.check("basic " + encoded, prometheus, start), Verdict::granted);
  EXPECT_EQ(check_.check("BASIC   " + encoded, prometheus, start), Verdict::granted);
}

TEST_F(PasswordCheckTest, WithRealHashesToo) {
  PasswordCheck check{{{"alice", "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"}},
                      bcrypt_matches};
  EXPECT_EQ(check.check(basic("alice", "secret"), prometheus, start), Verdict::granted);
  EXPECT_EQ(check.check(basic("alice", "Secret"), prometheus, start), Verdict::denied);
}

TEST_F(PasswordCheckTest, APasswordMayHoldColonsAndBeEmpty) {
  std::string seen;
  PasswordCheck check{{{"", hash_of(10, 'x')}},
                      [&](const std::string& password, const std::string&) {
                        seen = password;
                        return true;
                      }};
  EXPECT_EQ(check.check(basic("", "b:c:"), prometheus, start), Verdict::granted);
  EXPECT_EQ(seen, "b:c:");
  EXPECT_EQ(check.check(basic("", ""), prometheus, start), Verdict::granted);
  EXPECT_EQ(seen, "");
}

TEST_F(PasswordCheckTest, WhatIsNoBasicHeaderIsDeniedForNothing) {
  const std::string encoded = base64("alice:a");  // YWxpY2U6YQ==
  for (const std::string& header : {""s,
                                    "Basic"s,
                                    "Basic "s,
                                    "Bearer " + encoded,
                                    "Basic\t" + encoded,
                                    " Basic " + encoded,
                                    encoded,
                                    "Basicx " + encoded,
                                    "Basic " + encoded + " ",
                                    "Basic YWxpY2U6YQ="s,
                                    "Basic YWxpY2U6YQ"s,
                                    "Basic YWxpY2U6YR=="s,
                                    "Basic YWxp\nY2U6YQ=="s,
                                    "Basic YWxpY2U6YQ==="s,
                                    "Basic YWxpY2U6YQ======"s,
                                    "Basic =WxpY2U6YQ=="s,
                                    "Basic YW_pY2U6YQ=="s,
                                    "Basic ===="s,
                                    "Basic " + base64("alice"),
                                    "Basic " + base64("alice:a\0"s),
                                    "Basic " + base64("alice\0:a"s),
                                    basic("alice", std::string(1000, 'a')),
                                    std::string(1'000'000, ' ')}) {
    EXPECT_EQ(check_.check(header, prometheus, start), Verdict::denied) << header.substr(0, 100);
  }
  EXPECT_EQ(spent_, 0);
}

TEST_F(PasswordCheckTest, WithoutUsersNobodyIsGranted) {
  PasswordCheck check{{}, matches()};
  EXPECT_EQ(check.check(basic("alice", "a"), prometheus, start), Verdict::denied);
}

TEST_F(PasswordCheckTest, EachCredentialsCostOnce) {
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(check_.check(basic("alice", "a"), prometheus, start), Verdict::granted);
    EXPECT_EQ(check_.check(basic("alice", "wrong"), prometheus, start), Verdict::denied);
    EXPECT_EQ(check_.check(basic("nobody", "a"), prometheus, start), Verdict::denied);
  }
  EXPECT_EQ(spent_, 3);
}

TEST_F(PasswordCheckTest, AnUnknownUserCostsAsMuchAsAKnownOne) {
  EXPECT_EQ(check_.check(basic("nobody", "a"), prometheus, start), Verdict::denied);
  EXPECT_EQ(check_.check(basic("nobody", "b"), prometheus, start), Verdict::denied);
  EXPECT_EQ(spent_, 2);
  EXPECT_EQ(measured_.size(), 1U);  // the same user's hash for the same name
}

TEST_F(PasswordCheckTest, UnknownUsersAreMeasuredLikeAllUsers) {
  AccessTime now = start;
  for (int i = 0; i < 100; ++i) {
    now += 1h;
    EXPECT_EQ(check_.check(basic("nobody" + std::to_string(i), "a"), attacker, now),
              Verdict::denied);
  }
  EXPECT_EQ(measured_.size(), 2U);
}

TEST_F(PasswordCheckTest, AClientHasThreeTriesThenOneInSixtyTimesWhatItTakes) {
  int number = 0;
  const auto try_one = [&](AccessTime now) {
    return check_.check(basic("alice", "wrong" + std::to_string(number++)), attacker, now);
  };
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(try_one(start), Verdict::denied);
  }
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(try_one(start), Verdict::busy);
  }
  EXPECT_EQ(try_one(start + 60 * one_takes - 1ms), Verdict::busy);
  EXPECT_EQ(try_one(start + 60 * one_takes), Verdict::denied);
  EXPECT_EQ(try_one(start + 60 * one_takes), Verdict::busy);
  EXPECT_EQ(spent_, 4);
}

TEST_F(PasswordCheckTest, AClientThatTriesKeepsNoOtherOut) {
  for (int i = 0; i < 1000; ++i) {
    (void)check_.check(basic("alice", "wrong" + std::to_string(i)), attacker, start);
  }
  EXPECT_EQ(check_.check(basic("alice", "a"), prometheus, start), Verdict::granted);
}

TEST_F(PasswordCheckTest, ManyClientsSpendATenthOfACore) {
  int number = 0;
  const auto all_try = [&](AccessTime now) {
    const int before = spent_;
    for (int client = 1; client <= 20; ++client) {
      (void)check_.check(basic("alice", "wrong" + std::to_string(number++)), stranger(client), now);
    }
    return spent_ - before;
  };
  EXPECT_EQ(all_try(start), 10);
  int spent = 0;
  constexpr auto span = 5min;
  for (auto passed = 1s; passed <= span; passed += 1s) {
    spent += all_try(start + passed);
  }
  EXPECT_EQ(spent, span / (10 * one_takes));
}

TEST_F(PasswordCheckTest, WhatIsKnownToBeRightIsNeverBusy) {
  ASSERT_EQ(check_.check(basic("alice", "a"), prometheus, start), Verdict::granted);
  for (int i = 0; i < 1000; ++i) {
    (void)check_.check(basic("alice", "wrong" + std::to_string(i)), stranger(i % 200), start);
    ASSERT_EQ(check_.check(basic("alice", "a"), prometheus, start), Verdict::granted);
    ASSERT_EQ(check_.check(basic("alice", "a"), stranger(i % 200), start), Verdict::granted);
  }
  EXPECT_EQ(check_.check(basic("bob", "b"), prometheus, start), Verdict::busy);
}

TEST_F(PasswordCheckTest, ABusyRightOneIsGrantedLater) {
  for (int i = 0; i < 100; ++i) {
    (void)check_.check(basic("alice", "wrong" + std::to_string(i)), stranger(i), start);
  }
  EXPECT_EQ(check_.check(basic("alice", "a"), prometheus, start), Verdict::busy);
  EXPECT_EQ(check_.check(basic("alice", "a"), prometheus, start + 10 * one_takes),
            Verdict::granted);
}

TEST_F(PasswordCheckTest, OnlyTheLastWrongOnesAreRemembered) {
  const auto try_at = [&](int number, AccessTime now) {
    return check_.check(basic("alice", "wrong" + std::to_string(number)), attacker, now);
  };
  AccessTime now = start;
  for (int i = 0; i < 65; ++i) {
    now += 1h;
    EXPECT_EQ(try_at(i, now), Verdict::denied);
  }
  EXPECT_EQ(spent_, 65);
  EXPECT_EQ(try_at(1, now), Verdict::denied);
  EXPECT_EQ(spent_, 65);
  EXPECT_EQ(try_at(0, now), Verdict::denied);
  EXPECT_EQ(spent_, 66);
}

TEST_F(PasswordCheckTest, DearHashesAreTriedLessOften) {
  PasswordCheck check{{{"alice", hash_of(10, 'a')}, {"bob", hash_of(12, 'b')}}, matches()};
  int number = 0;
  const auto try_one = [&](AccessTime now) {
    return check.check(basic("alice", "wrong" + std::to_string(number++)), attacker, now);
  };
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(try_one(start), Verdict::denied);
  }
  EXPECT_EQ(try_one(start + 4 * 60 * one_takes - 1ms), Verdict::busy);
  EXPECT_EQ(try_one(start + 4 * 60 * one_takes), Verdict::denied);
}

TEST_F(PasswordCheckTest, AFailureIsNoVerdict) {
  bool fails = true;
  PasswordCheck check{users_, [&](const std::string&, const std::string&) {
                        return fails ? throw std::runtime_error("no memory") : true;
                      }};
  for (int i = 0; i < 6; ++i) {  // more than may wait: their places are free again
    EXPECT_THROW((void)check.check(basic("alice", "a"), stranger(i), start), std::runtime_error);
  }
  fails = false;
  EXPECT_EQ(check.check(basic("alice", "a"), prometheus, start), Verdict::granted);
}

// ---- Passwords, several at a time --------------------------------------------------------------

// A bcrypt that takes until it is told to end.
class SlowMatches {
 public:
  bool operator()(const std::string& password, const std::string& hash) {
    std::unique_lock lock{mutex_};
    most_at_once_ = std::max(most_at_once_, ++at_once_);
    ++spent_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return released_; });
    --at_once_;
    return password == hash.substr(hash.size() - 1);
  }

  void wait_until_begun() {
    std::unique_lock lock{mutex_};
    ASSERT_TRUE(changed_.wait_for(lock, 30s, [&] { return at_once_ > 0; }));
  }

  void release() {
    const std::lock_guard lock{mutex_};
    released_ = true;
    changed_.notify_all();
  }

  [[nodiscard]] int spent() const { return spent_; }
  [[nodiscard]] int most_at_once() const { return most_at_once_; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool released_ = false;
  int at_once_ = 0;
  int most_at_once_ = 0;
  int spent_ = 0;
};

class ParallelPasswordCheckTest : public ::testing::Test {
 protected:
  // Of the threads that asked, those that have been answered so.
  int answered(Verdict verdict) {
    const std::lock_guard lock{mutex_};
    return answers_[verdict];
  }

  void ask(const std::string& header, const Network& client) {
    threads_.emplace_back([this, header, client] {
      const Verdict verdict = check_.check(header, client, start);
      const std::lock_guard lock{mutex_};
      ++answers_[verdict];
      changed_.notify_all();
    });
  }

  void wait_for(Verdict verdict, int count) {
    std::unique_lock lock{mutex_};
    ASSERT_TRUE(changed_.wait_for(lock, 30s, [&] { return answers_[verdict] >= count; }));
  }

  void finish() {
    slow_.release();
    threads_.clear();  // joins
  }

  std::map<std::string, std::string> users_{{"alice", hash_of(10, 'a')}};
  SlowMatches slow_;
  PasswordCheck check_{users_, [this](const std::string& password, const std::string& hash) {
                         return slow_(password, hash);
                       }};

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<Verdict, int> answers_;
  std::vector<std::jthread> threads_;
};

TEST_F(ParallelPasswordCheckTest, OneIsMeasuredAtATimeAndFewWait) {
  for (int i = 0; i < 7; ++i) {
    ask(basic("alice", "wrong" + std::to_string(i)), stranger(i));
  }
  // The others hold the four places, the first of them at work.
  wait_for(Verdict::busy, 3);
  EXPECT_EQ(answered(Verdict::denied), 0);
  finish();
  EXPECT_EQ(answered(Verdict::busy), 3);
  EXPECT_EQ(answered(Verdict::denied), 4);
  EXPECT_EQ(slow_.spent(), 4);
  EXPECT_EQ(slow_.most_at_once(), 1);
}

TEST_F(ParallelPasswordCheckTest, TheSameAtOnceCostsOnce) {
  for (int i = 0; i < 5; ++i) {
    ask(basic("alice", "a"), stranger(i));
  }
  wait_for(Verdict::busy, 1);
  finish();
  EXPECT_EQ(answered(Verdict::granted), 4);
  EXPECT_EQ(slow_.spent(), 1);
}

TEST_F(ParallelPasswordCheckTest, WhatIsKnownToBeRightDoesNotWait) {
  PasswordCheck::Matches first_right = [&, first = std::make_shared<std::atomic<bool>>(true)](
                                           const std::string& password, const std::string& hash) {
    return first->exchange(false) || slow_(password, hash);
  };
  PasswordCheck check{users_, first_right};
  ASSERT_EQ(check.check(basic("alice", "a"), prometheus, start), Verdict::granted);
  std::jthread other{[&] { (void)check.check(basic("alice", "wrong"), attacker, start); }};
  slow_.wait_until_begun();
  EXPECT_EQ(check.check(basic("alice", "a"), prometheus, start), Verdict::granted);
  EXPECT_EQ(check.check("", prometheus, start), Verdict::denied);
  finish();
}

// ---- Connections -------------------------------------------------------------------------------

TEST(ConnectionLimitsTest, AClientHasItsShare) {
  ConnectionLimits limits{2, 100};
  auto first = limits.acquire(attacker);
  const auto second = limits.acquire(attacker);
  EXPECT_NE(first, nullptr);
  EXPECT_NE(second, nullptr);
  EXPECT_EQ(limits.acquire(attacker), nullptr);
  EXPECT_NE(limits.acquire(prometheus), nullptr);
  first.reset();
  first = limits.acquire(attacker);
  EXPECT_NE(first, nullptr);
  EXPECT_EQ(limits.acquire(attacker), nullptr);
}

TEST(ConnectionLimitsTest, AllTogetherHaveTheirs) {
  ConnectionLimits limits{2, 3};
  std::vector<std::unique_ptr<ConnectionLimits::Place>> places;
  for (int i = 0; i < 3; ++i) {
    places.push_back(limits.acquire(stranger(i)));
    EXPECT_NE(places.back(), nullptr);
  }
  EXPECT_EQ(limits.acquire(prometheus), nullptr);
  places.pop_back();
  EXPECT_NE(limits.acquire(prometheus), nullptr);
}

TEST(ConnectionLimitsTest, AllPlacesAreFreeInTheEndWhoeverComes) {
  ConnectionLimits limits{2, 8};
  std::atomic<int> most{0};
  {
    std::atomic<int> at_once{0};
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 8; ++thread) {
      threads.emplace_back([&] {
        for (int round = 0; round < 2000; ++round) {
          if (const auto place = limits.acquire(attacker)) {
            const int now = ++at_once;
            for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
            }
            --at_once;
          }
        }
      });
    }
  }
  EXPECT_GE(most, 1);
  EXPECT_LE(most, 2);
  const auto first = limits.acquire(attacker);
  const auto second = limits.acquire(attacker);
  EXPECT_NE(second, nullptr);
}

}  // namespace
}  // namespace corosync_exporter
