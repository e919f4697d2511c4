// SPDX-License-Identifier: Apache-2.0
// Reads from corosync's configuration map (cmap_overview(3), cmap_keys(7)).
//
// Threads: the collector's; every function waits for corosync.
// Errors: CorosyncError. A key that does not exist, or is of another type, is an empty optional.
#pragma once

#include <corosync/cmap.h>

#include <optional>
#include <string>
#include <vector>

#include "corosync/call.h"
#include "corosync/handle.h"

namespace corosync_exporter {

class CmapReader {
 public:
  explicit CmapReader(Calls& calls);

  // Valid UTF-8, whatever corosync holds: invalid bytes are replaced.
  [[nodiscard]] std::optional<std::string> text(const std::string& key);
  [[nodiscard]] std::optional<std::uint64_t> number(const std::string& key);
  [[nodiscard]] std::vector<std::string> keys(const std::string& prefix);

  [[nodiscard]] int descriptor() const noexcept { return connection_.descriptor(); }

 private:
  struct Value {
    std::vector<char> bytes;
    cmap_value_types_t type{};
  };
  std::optional<Value> value(const std::string& key);

  Calls& calls_;
  Connection<cmap_finalize> connection_;
};

}  // namespace corosync_exporter
