// SPDX-License-Identifier: Apache-2.0
#include "web/access.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <utility>

#include "web/bcrypt.h"

namespace corosync_exporter::web {
namespace {

using std::chrono::nanoseconds;

// ---- The header --------------------------------------------------------------------------------

// So that a password has less than 512 bytes, which is as far as crypt goes; bcrypt takes 72.
constexpr std::size_t longest_header = 640;

struct Credentials {
  std::string name;
  std::string password;
};

int base64_value(char c) {
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto at = alphabet.find(c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

// With padding, without line breaks, each text in one way only.
std::optional<std::string> decode_base64(std::string_view text) {
  constexpr std::size_t group = 4;
  constexpr unsigned bits = 6;
  constexpr unsigned byte = 8;
  if (text.size() % group != 0) {
    return std::nullopt;
  }
  const std::string_view digits = text.substr(0, text.find_last_not_of('=') + 1);
  if (text.size() - digits.size() > 2) {
    return std::nullopt;
  }
  std::string decoded;
  unsigned pending = 0;
  unsigned pending_bits = 0;
  for (const char c : digits) {
    const int value = base64_value(c);
    if (value < 0) {
      return std::nullopt;
    }
    pending = (pending << bits) | static_cast<unsigned>(value);
    pending_bits += bits;
    if (pending_bits >= byte) {
      pending_bits -= byte;
      decoded += static_cast<char>(pending >> pending_bits);
      pending &= (1U << pending_bits) - 1;
    }
  }
  return pending == 0 ? std::optional{decoded} : std::nullopt;
}

bool is_basic(std::string_view scheme) {
  return std::ranges::equal(scheme, std::string_view{"basic"}, {}, [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
}

std::optional<Credentials> credentials_of(std::string_view authorization) {
  const auto space = authorization.find(' ');
  if (authorization.size() > longest_header || space == std::string_view::npos ||
      !is_basic(authorization.substr(0, space))) {
    return std::nullopt;
  }
  const auto encoded = authorization.find_first_not_of(' ', space);
  const auto decoded =
      decode_base64(encoded == std::string_view::npos ? "" : authorization.substr(encoded));
  const auto colon = decoded ? decoded->find(':') : std::string::npos;
  // bcrypt would read up to the NUL only.
  if (colon == std::string::npos || decoded->find('\0') != std::string::npos) {
    return std::nullopt;
  }
  return Credentials{.name = decoded->substr(0, colon), .password = decoded->substr(colon + 1)};
}

// ---- Costs -------------------------------------------------------------------------------------

constexpr unsigned tries_of_one = 3;
constexpr int between_tries_of_one = 60;  // times what one takes
constexpr unsigned tries_of_all = 10;
constexpr int between_tries = 10;
constexpr std::size_t most_waiting = 4;
constexpr std::size_t most_wrong = 64;

// Of the dearest hash, on a slow machine. Guesses are no more frequent where hashes are cheap.
nanoseconds check_time_of(const std::map<std::string, std::string>& users) {
  constexpr int reference_cost = 10;
  constexpr std::chrono::milliseconds at_reference{60};
  int cost = reference_cost;
  for (const auto& [name, hash] : users) {
    cost = std::max(cost, bcrypt_cost(hash).value_or(reference_cost));
  }
  return at_reference * (1U << static_cast<unsigned>(cost - reference_cost));
}

}  // namespace

// ---- Rates -------------------------------------------------------------------------------------

TokenBucket::TokenBucket(nanoseconds interval, unsigned burst) : interval_(interval) {
  constexpr nanoseconds most = nanoseconds::max() / 2;
  capacity_ = burst == 0 || interval <= most / burst ? interval * burst : most;
}

bool TokenBucket::is_empty(AccessTime now) const {
  return capacity_ < interval_ || full_at_ > now + (capacity_ - interval_);
}

bool TokenBucket::take(AccessTime now) {
  if (is_empty(now)) {
    return false;
  }
  full_at_ = std::max(full_at_, now) + interval_;
  return true;
}

bool RateLimiter::allows(AccessTime now) {
  const std::lock_guard lock{mutex_};
  return bucket_.take(now);
}

// ---- Passwords ---------------------------------------------------------------------------------

PasswordCheck::PasswordCheck(const std::map<std::string, std::string>& users, Matches matches,
                             const PasswordCheck* former)
    : matches_(std::move(matches)),
      check_time_(check_time_of(users)),
      tries_(check_time_ * between_tries, tries_of_all) {
  for (const auto& [name, hash] : users) {
    users_.push_back({.name = name, .hash = hash});
  }
  if (former != nullptr) {
    key_ = former->key_;
    const std::lock_guard lock{former->mutex_};
    for (User& user : users_) {
      const auto same = std::ranges::find(former->users_, user.name, &User::name);
      if (same != former->users_.end() && same->hash == user.hash) {
        user.proven = same->proven;
      }
    }
    return;
  }
  if (RAND_bytes(key_.data(), static_cast<int>(key_.size())) != 1) {
    throw std::runtime_error("OpenSSL has no random numbers");
  }
}

Admission PasswordCheck::check(std::string_view authorization, const Network& client,
                               AccessTime now) {
  const auto credentials = credentials_of(authorization);
  if (!credentials || users_.empty()) {
    return Admission::denied;
  }
  const auto& [name, password] = *credentials;
  const Digest name_digest = digest(name);
  const Digest credentials_digest = digest(name + ":" + password);  // no name has a colon
  const auto found = std::ranges::find(users_, name, &User::name);
  User* const user = found == users_.end() ? nullptr : &*found;
  std::uint64_t any = 0;
  std::memcpy(&any, name_digest.data(), sizeof(any));
  const User& measured = user != nullptr ? *user : users_[any % users_.size()];
  {
    const std::lock_guard lock{mutex_};
    if (const auto admission = remembered(user, credentials_digest)) {
      return *admission;
    }
    if (waiting_ >= most_waiting || !may_try(client, now)) {
      return Admission::too_many;
    }
    ++waiting_;
  }
  // Whatever happens, its place in the queue is free again.
  const std::unique_ptr<PasswordCheck, void (*)(PasswordCheck*)> place{
      this, [](PasswordCheck* self) {
        const std::lock_guard lock{self->mutex_};
        --self->waiting_;
      }};
  return measure(user, measured, password, credentials_digest);
}

Admission PasswordCheck::measure(User* user, const User& measured, const std::string& password,
                                 const Digest& credentials) {
  const std::lock_guard measuring{measuring_};
  {
    const std::lock_guard lock{mutex_};
    if (const auto admission = remembered(user, credentials)) {
      return *admission;  // the same came twice, and the other was first
    }
  }
  if (ended_) {
    return Admission::too_many;
  }
  const bool matches = matches_(password, measured.hash);
  const std::lock_guard lock{mutex_};
  if (user != nullptr && matches) {
    user->proven = credentials;
    return Admission::granted;
  }
  wrong_.push_back(credentials);
  if (wrong_.size() > most_wrong) {
    wrong_.pop_front();
  }
  return Admission::denied;
}

std::optional<Admission> PasswordCheck::remembered(const User* user,
                                                   const Digest& credentials) const {
  const auto is_same = [&](const Digest& known) {
    return CRYPTO_memcmp(known.data(), credentials.data(), credentials.size()) == 0;
  };
  if (user != nullptr && user->proven && is_same(*user->proven)) {
    return Admission::granted;
  }
  return std::ranges::any_of(wrong_, is_same) ? std::optional{Admission::denied} : std::nullopt;
}

bool PasswordCheck::may_try(const Network& client, AccessTime now) {
  std::erase_if(clients_, [&](const Client& known) { return known.tries.is_full(now); });
  const auto known = std::ranges::find(clients_, client, &Client::network);
  const bool is_known = known != clients_.end();
  if ((is_known && known->tries.is_empty(now)) || !tries_.take(now)) {
    return false;
  }
  Client& counted =
      is_known
          ? *known
          : clients_.emplace_back(Client{
                .network = client, .tries = {check_time_ * between_tries_of_one, tries_of_one}});
  return counted.tries.take(now);
}

PasswordCheck::Digest PasswordCheck::digest(const std::string& text) const {
  Digest result{};
  unsigned length = 0;
  if (HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), result.data(),
           &length) == nullptr) {
    throw std::runtime_error("OpenSSL has no HMAC-SHA-256");
  }
  return result;
}

// ---- All of it ---------------------------------------------------------------------------------

AccessRules::AccessRules(const WebConfig& config, const AccessRules* former) {
  if (config.rate_limit) {
    rate_.emplace(*config.rate_limit);
  }
  if (!config.users.empty()) {
    passwords_.emplace(config.users, bcrypt_matches,
                       former != nullptr && former->passwords_ ? &*former->passwords_ : nullptr);
  }
}

Admission AccessRules::admit(std::string_view authorization, const std::string& address,
                             AccessTime now) {
  if (rate_ && !rate_->allows(now)) {
    return Admission::too_many;
  }
  return passwords_ ? passwords_->check(authorization, network_of(address), now)
                    : Admission::granted;
}

void AccessRules::end() {
  if (passwords_) {
    passwords_->end();
  }
}

}  // namespace corosync_exporter::web
