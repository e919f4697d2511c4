// SPDX-License-Identifier: Apache-2.0
// Who is let in, and how often.
//
// Any thread, all of it. Time comes in as an argument and does not go back. Little stack is used.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "web/network.h"
#include "web/web_config.h"

namespace corosync_exporter::web {

using AccessTime = std::chrono::steady_clock::time_point;

// One token an interval, and no more than `burst` of them; full at first.
// REQUIRES: 0 < interval <= 100 years. Not thread-safe by itself.
class TokenBucket {
 public:
  TokenBucket(std::chrono::nanoseconds interval, unsigned burst);

  // False where there is none.
  [[nodiscard]] bool take(AccessTime now);
  [[nodiscard]] bool is_empty(AccessTime now) const;
  [[nodiscard]] bool is_full(AccessTime now) const { return full_at_ <= now; }

 private:
  std::chrono::nanoseconds interval_;
  std::chrono::nanoseconds capacity_{};  // the time that it takes to fill
  AccessTime full_at_ = AccessTime::min();
};

// The configuration's rate_limit, for all clients together.
class RateLimiter {
 public:
  explicit RateLimiter(const RateLimit& limit) : bucket_(limit.interval, limit.burst) {}

  // False: too many, 429.
  [[nodiscard]] bool allows(AccessTime now);

 private:
  std::mutex mutex_;
  TokenBucket bucket_;
};

enum class Admission {
  granted,
  denied,    // 401, with WWW-Authenticate
  too_many,  // 429: not looked at, it may be right
};

// Basic authentication against bcrypt hashes, which take 60 ms of CPU and more each. So that nobody
// can spend the CPU, and nobody is kept out by who tries:
//
// - What has been found right is remembered, one password a user, and is granted at once from then
//   on, whoever else is trying. What has been found wrong is remembered too, the last 64 of it,
//   apart from the former. Neither as text: as HMAC under a key of this object.
// - All else is measured, one at a time, with at most 4 waiting, and some 10 % of a core in the
//   long run: of a client's tries the first 3, then one each 60 times what one takes; of all
//   clients together 10, then one each 10 times. One client alone cannot use up what all have. Some
//   six together can: then new passwords are refused until they stop, those known to be right are
//   not.
// - An unknown user is measured against the hash of a user that depends on the name, and so takes
//   as long as a known one, also where hashes differ in cost.
class PasswordCheck {
 public:
  using Matches = std::function<bool(const std::string& password, const std::string& hash)>;

  // REQUIRES: hashes of which bcrypt_cost knows the cost. `matches` is bcrypt_matches but in tests.
  // `former`: what that has found right stays known of users that are the same here, or whoever
  // guesses meanwhile would keep them out.
  PasswordCheck(const std::map<std::string, std::string>& users, Matches matches,
                const PasswordCheck* former = nullptr);

  // `authorization` is the header's value, empty where there is none. Waits for bcrypt.
  [[nodiscard]] Admission check(std::string_view authorization, const Network& client,
                                AccessTime now);

  // From now on nothing is measured: who waits is refused, so that an end need not wait for them.
  void end() { ended_ = true; }

 private:
  static constexpr std::size_t digest_size = 32;  // SHA-256's
  using Digest = std::array<unsigned char, digest_size>;

  struct User {
    std::string name;
    std::string hash;
    std::optional<Digest> proven{};
  };

  struct Client {
    Network network;
    TokenBucket tries;
  };

  [[nodiscard]] Digest digest(const std::string& text) const;
  [[nodiscard]] std::optional<Admission> remembered(const User* user,
                                                    const Digest& credentials) const;
  [[nodiscard]] bool may_try(const Network& client, AccessTime now);
  [[nodiscard]] Admission measure(User* user, const User& measured, const std::string& password,
                                  const Digest& credentials);

  const Matches matches_;
  const std::chrono::nanoseconds check_time_;
  Digest key_{};

  std::atomic<bool> ended_ = false;

  std::mutex measuring_;  // held for as long as bcrypt takes; before mutex_ where both are

  mutable std::mutex mutex_;
  std::vector<User> users_;  // but for `proven`, as they were
  std::deque<Digest> wrong_;
  std::vector<Client> clients_;  // whose bucket is not full: some thirty, as all share one budget
  TokenBucket tries_;
  std::size_t waiting_ = 0;
};

// What a configuration says of who is let in.
class AccessRules {
 public:
  // `former`, if any: as PasswordCheck's.
  explicit AccessRules(const WebConfig& config, const AccessRules* former = nullptr);

  // In the toolkit's order: the rate limit first, then the password. `authorization` as above;
  // `address` is the client's, in numbers.
  [[nodiscard]] Admission admit(std::string_view authorization, const std::string& address,
                                AccessTime now);

  // As PasswordCheck's.
  void end();

 private:
  std::optional<RateLimiter> rate_;
  std::optional<PasswordCheck> passwords_;
};

}  // namespace corosync_exporter::web
