// SPDX-License-Identifier: Apache-2.0
#include "web/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

namespace corosync_exporter::web {

void PrintTo(Admission admission, std::ostream* out) {
  *out << (admission == Admission::granted  ? "granted"
           : admission == Admission::denied ? "denied"
                                            : "too many");
}

namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

constexpr AccessTime start{1000s};

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
  EXPECT_EQ(check_.check(basic("alice", "a"), prometheus, start), Admission::granted);
  EXPECT_EQ(check_.check(basic("bob", "b"), prometheus, start), Admission::granted);
  EXPECT_EQ(check_.check(basic("alice", "b"), prometheus, start), Admission::denied);
  EXPECT_EQ(check_.check(basic("bob", "a"), attacker, start), Admission::denied);
  EXPECT_EQ(check_.check(basic("Alice", "a"), attacker, start), Admission::denied);
}

TEST_F(PasswordCheckTest, TheSchemesNameIsOfAnyCase) {
  const std::string encoded = base64("alice:a");
  EXPECT_EQ(check_.check("basic " + encoded, prometheus, start), Admission::granted);
  EXPECT_EQ(check_.check("BASIC   " + encoded, prometheus, start), Admission::granted);
}

TEST_F(PasswordCheckTest, WithRealHashesToo) {
  PasswordCheck check{{{"alice", "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"}},
                      bcrypt_matches};
  EXPECT_EQ(check.check(basic("alice", "secret"), prometheus, start), Admission::granted);
  EXPECT_EQ(check.check(basic("alice", "Secret"), prometheus, start), Admission::denied);
}

TEST_F(PasswordCheckTest, APasswordMayHoldColonsAndBeEmpty) {
  std::string seen;
  PasswordCheck check{{{"", hash_of(10, 'x')}},
                      [&](const std::string& password, const std::string&) {
                        seen = password;
                        return true;
                      }};
  EXPECT_EQ(check.check(basic("", "b:c:"), prometheus, start), Admission::granted);
  EXPECT_EQ(seen, "b:c:");
  EXPECT_EQ(check.check(basic("", ""), prometheus, start), Admission::granted);
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
    EXPECT_EQ(check_.check(header, prometheus, start), Admission::denied) << header.substr(0, 100);
  }
  EXPECT_EQ(spent_, 0);
}

TEST_F(PasswordCheckTest, WithoutUsersNobodyIsGranted) {
  PasswordCheck check{{}, matches()};
  EXPECT_EQ(check.check(basic("alice", "a"), prometheus, start), Admission::denied);
}

TEST_F(PasswordCheckTest, EachCredentialsCostOnce) {
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(check_.check(basic("alice", "a"), prometheus, start), Admission::granted);
    EXPECT_EQ(check_.check(basic("alice", "wrong"), prometheus, start), Admission::denied);
    EXPECT_EQ(check_.check(basic("nobody", "a"), prometheus, start), Admission::denied);
  }
  EXPECT_EQ(spent_, 3);
}

TEST_F(PasswordCheckTest, AnUnknownUserCostsAsMuchAsAKnownOne) {
  EXPECT_EQ(check_.check(basic("nobody", "a"), prometheus, start), Admission::denied);
  EXPECT_EQ(check_.check(basic("nobody", "b"), prometheus, start), Admission::denied);
  EXPECT_EQ(spent_, 2);
  EXPECT_EQ(measured_.size(), 1U);  // the same user's hash for the same name
}

TEST_F(PasswordCheckTest, UnknownUsersAreMeasuredLikeAllUsers) {
  AccessTime now = start;
  for (int i = 0; i < 100; ++i) {
    now += 1h;
    EXPECT_EQ(check_.check(basic("nobody" + std::to_string(i), "a"), attacker, now),
              Admission::denied);
  }
  EXPECT_EQ(measured_.size(), 2U);
}

TEST_F(PasswordCheckTest, AClientHasThreeTriesThenOneInSixtyTimesWhatItTakes) {
  int number = 0;
  const auto try_one = [&](AccessTime now) {
    return check_.check(basic("alice", "wrong" + std::to_string(number++)), attacker, now);
  };
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(try_one(start), Admission::denied);
  }
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(try_one(start), Admission::too_many);
  }
  EXPECT_EQ(try_one(start + 60 * one_takes - 1ms), Admission::too_many);
  EXPECT_EQ(try_one(start + 60 * one_takes), Admission::denied);
  EXPECT_EQ(try_one(start + 60 * one_takes), Admission::too_many);
  EXPECT_EQ(spent_, 4);
}

TEST_F(PasswordCheckTest, AClientThatTriesKeepsNoOtherOut) {
  for (int i = 0; i < 1000; ++i) {
    (void)check_.check(basic("alice", "wrong" + std::to_string(i)), attacker, start);
  }
  EXPECT_EQ(check_.check(basic("alice", "a"), prometheus, start), Admission::granted);
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
  ASSERT_EQ(check_.check(basic("alice", "a"), prometheus, start), Admission::granted);
  for (int i = 0; i < 1000; ++i) {
    (void)check_.check(basic("alice", "wrong" + std::to_string(i)), stranger(i % 200), start);
    ASSERT_EQ(check_.check(basic("alice", "a"), prometheus, start), Admission::granted);
    ASSERT_EQ(check_.check(basic("alice", "a"), stranger(i % 200), start), Admission::granted);
  }
  EXPECT_EQ(check_.check(basic("bob", "b"), prometheus, start), Admission::too_many);
}

TEST_F(PasswordCheckTest, WhatIsKnownToBeRightOutlivesAChangeOfOthers) {
  ASSERT_EQ(check_.check(basic("alice", "a"), prometheus, start), Admission::granted);
  ASSERT_EQ(check_.check(basic("bob", "b"), prometheus, start), Admission::granted);
  PasswordCheck next{
      {{"alice", hash_of(10, 'a')}, {"bob", hash_of(10, 'c')}, {"carol", hash_of(10, 'd')}},
      matches(),
      &check_};
  spent_ = 0;
  EXPECT_EQ(next.check(basic("alice", "a"), prometheus, start), Admission::granted);
  EXPECT_EQ(spent_, 0);
  EXPECT_EQ(next.check(basic("bob", "b"), prometheus, start), Admission::denied);
  EXPECT_EQ(spent_, 1);
}

TEST_F(PasswordCheckTest, ABusyRightOneIsGrantedLater) {
  for (int i = 0; i < 100; ++i) {
    (void)check_.check(basic("alice", "wrong" + std::to_string(i)), stranger(i), start);
  }
  EXPECT_EQ(check_.check(basic("alice", "a"), prometheus, start), Admission::too_many);
  EXPECT_EQ(check_.check(basic("alice", "a"), prometheus, start + 10 * one_takes),
            Admission::granted);
}

TEST_F(PasswordCheckTest, OnlyTheLastWrongOnesAreRemembered) {
  const auto try_at = [&](int number, AccessTime now) {
    return check_.check(basic("alice", "wrong" + std::to_string(number)), attacker, now);
  };
  AccessTime now = start;
  for (int i = 0; i < 65; ++i) {
    now += 1h;
    EXPECT_EQ(try_at(i, now), Admission::denied);
  }
  EXPECT_EQ(spent_, 65);
  EXPECT_EQ(try_at(1, now), Admission::denied);
  EXPECT_EQ(spent_, 65);
  EXPECT_EQ(try_at(0, now), Admission::denied);
  EXPECT_EQ(spent_, 66);
}

TEST_F(PasswordCheckTest, DearHashesAreTriedLessOften) {
  PasswordCheck check{{{"alice", hash_of(10, 'a')}, {"bob", hash_of(12, 'b')}}, matches()};
  int number = 0;
  const auto try_one = [&](AccessTime now) {
    return check.check(basic("alice", "wrong" + std::to_string(number++)), attacker, now);
  };
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(try_one(start), Admission::denied);
  }
  EXPECT_EQ(try_one(start + 4 * 60 * one_takes - 1ms), Admission::too_many);
  EXPECT_EQ(try_one(start + 4 * 60 * one_takes), Admission::denied);
}

TEST_F(PasswordCheckTest, AfterTheEndOnlyWhatIsKnownIsAnswered) {
  EXPECT_EQ(check_.check(basic("alice", "a"), prometheus, start), Admission::granted);
  check_.end();
  EXPECT_EQ(check_.check(basic("alice", "a"), prometheus, start), Admission::granted);
  EXPECT_EQ(check_.check(basic("bob", "b"), prometheus, start), Admission::too_many);
  EXPECT_EQ(spent_, 1);
}

TEST_F(PasswordCheckTest, AFailureIsNoAdmission) {
  bool fails = true;
  PasswordCheck check{users_, [&](const std::string&, const std::string&) {
                        return fails ? throw std::runtime_error("no memory") : true;
                      }};
  for (int i = 0; i < 6; ++i) {  // more than may wait: their places are free again
    EXPECT_THROW((void)check.check(basic("alice", "a"), stranger(i), start), std::runtime_error);
  }
  fails = false;
  EXPECT_EQ(check.check(basic("alice", "a"), prometheus, start), Admission::granted);
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
  int answered(Admission admission) {
    const std::lock_guard lock{mutex_};
    return answers_[admission];
  }

  void ask(const std::string& header, const Network& client) {
    threads_.emplace_back([this, header, client] {
      const Admission admission = check_.check(header, client, start);
      const std::lock_guard lock{mutex_};
      ++answers_[admission];
      changed_.notify_all();
    });
  }

  void wait_for(Admission admission, int count) {
    std::unique_lock lock{mutex_};
    ASSERT_TRUE(changed_.wait_for(lock, 30s, [&] { return answers_[admission] >= count; }));
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
  std::map<Admission, int> answers_;
  std::vector<std::jthread> threads_;
};

TEST_F(ParallelPasswordCheckTest, OneIsMeasuredAtATimeAndFewWait) {
  for (int i = 0; i < 7; ++i) {
    ask(basic("alice", "wrong" + std::to_string(i)), stranger(i));
  }
  // The others hold the four places, the first of them at work.
  wait_for(Admission::too_many, 3);
  EXPECT_EQ(answered(Admission::denied), 0);
  finish();
  EXPECT_EQ(answered(Admission::too_many), 3);
  EXPECT_EQ(answered(Admission::denied), 4);
  EXPECT_EQ(slow_.spent(), 4);
  EXPECT_EQ(slow_.most_at_once(), 1);
}

TEST_F(ParallelPasswordCheckTest, TheSameAtOnceCostsOnce) {
  for (int i = 0; i < 5; ++i) {
    ask(basic("alice", "a"), stranger(i));
  }
  wait_for(Admission::too_many, 1);
  finish();
  EXPECT_EQ(answered(Admission::granted), 4);
  EXPECT_EQ(slow_.spent(), 1);
}

TEST_F(ParallelPasswordCheckTest, WhatIsKnownToBeRightDoesNotWait) {
  PasswordCheck::Matches first_right = [&, first = std::make_shared<std::atomic<bool>>(true)](
                                           const std::string& password, const std::string& hash) {
    return first->exchange(false) || slow_(password, hash);
  };
  PasswordCheck check{users_, first_right};
  ASSERT_EQ(check.check(basic("alice", "a"), prometheus, start), Admission::granted);
  std::jthread other{[&] { (void)check.check(basic("alice", "wrong"), attacker, start); }};
  slow_.wait_until_begun();
  EXPECT_EQ(check.check(basic("alice", "a"), prometheus, start), Admission::granted);
  EXPECT_EQ(check.check("", prometheus, start), Admission::denied);
  finish();
}

// ---- All of it ---------------------------------------------------------------------------------

TEST(AccessRulesTest, WithoutAConfigurationEverybodyIsLetIn) {
  AccessRules rules{WebConfig{}};
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(rules.admit("", "192.0.2.1", start), Admission::granted);
  }
}

TEST(AccessRulesTest, TheRateIsLimitedBeforeThePasswordIsLookedAt) {
  AccessRules rules{{.users = {{"alice", hash_of(10, 'a')}},
                     .rate_limit = RateLimit{.interval = 1s, .burst = 1}}};
  EXPECT_EQ(rules.admit("", "192.0.2.1", start), Admission::denied);
  EXPECT_EQ(rules.admit("", "192.0.2.1", start), Admission::too_many);
}

}  // namespace
}  // namespace corosync_exporter::web
