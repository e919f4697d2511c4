// SPDX-License-Identifier: Apache-2.0
// bcrypt, by libxcrypt. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace corosync_exporter::web {

// The base-2 logarithm of the hash's rounds, from 4 to 31; none where it is not a whole bcrypt hash
// ($2a$, $2b$ or $2y$): what crypt(3) would quietly take for another kind of hash.
[[nodiscard]] std::optional<int> bcrypt_cost(std::string_view hash);

// As with every bcrypt, 72 bytes of the password count. Takes some 60 ms of CPU at cost 10, twice
// that at 11, and little stack. Throws std::runtime_error where libxcrypt cannot, for want of
// memory. REQUIRES: bcrypt_cost(hash). The password holds no NUL and has less than 512 bytes.
[[nodiscard]] bool bcrypt_matches(const std::string& password, const std::string& hash);

}  // namespace corosync_exporter::web
