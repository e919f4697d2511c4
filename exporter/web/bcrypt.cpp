// SPDX-License-Identifier: Apache-2.0
#include "web/bcrypt.h"

#include <crypt.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

namespace corosync_exporter::web {
namespace {

// "$2y$10$", 22 characters of salt, 31 of digest.
constexpr std::size_t prefix_length = 7;
constexpr std::size_t digest_length = 31;
constexpr std::size_t hash_length = 60;

constexpr int lowest_cost = 4;
constexpr int highest_cost = 31;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_base64_of_bcrypt(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '/';
}

}  // namespace

std::optional<int> bcrypt_cost(std::string_view hash) {
  const bool has_prefix =
      hash.starts_with("$2a$") || hash.starts_with("$2b$") || hash.starts_with("$2y$");
  if (!has_prefix || hash.size() != hash_length || !is_digit(hash[4]) || !is_digit(hash[5]) ||
      hash[prefix_length - 1] != '$' ||
      !std::ranges::all_of(hash.substr(prefix_length), is_base64_of_bcrypt)) {
    return std::nullopt;
  }
  const int cost = 10 * (hash[4] - '0') + (hash[5] - '0');
  return cost >= lowest_cost && cost <= highest_cost ? std::optional{cost} : std::nullopt;
}

bool bcrypt_matches(const std::string& password, const std::string& hash) {
  const auto data = std::make_unique<crypt_data>();  // 32 KiB: too much for an HTTP thread's stack
  const char* const raw = crypt_r(password.c_str(), hash.c_str(), data.get());
  const std::string_view computed = raw == nullptr ? "" : raw;
  if (computed.size() != hash_length || hash.size() != hash_length) {
    throw std::runtime_error("crypt_r cannot compute a bcrypt hash");
  }
  // The salt is left out: its last character has bits that do not count, which libxcrypt clears.
  const std::string_view ours = computed.substr(hash_length - digest_length);
  const std::string_view known = std::string_view{hash}.substr(hash_length - digest_length);
  return CRYPTO_memcmp(ours.data(), known.data(), digest_length) == 0;
}

}  // namespace corosync_exporter::web
