// SPDX-License-Identifier: Apache-2.0
// Reads from one of corosync's maps (cmap_overview(3), cmap_keys(7)): icmap, the configuration, or
// the statistics.
//
// Values are read into a buffer that is given, in one call. cmap_get_string would first ask for the
// length without one, which for some keys of the statistics map kills corosync (3.1.7,
// exec/stats.c); and a buffer that is too small overflows its heap there. The one used here holds
// any statistic, and any value of corosync.conf; icmap refuses to fill it with a longer one, which
// somebody may have set meanwhile, and only such a text takes a second call.
//
// Threads: the collector's; every function waits for corosync.
// Errors: CorosyncError. A key that does not exist, or is of another type, is an empty optional.
#pragma once

#include <corosync/cmap.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "corosync/call.h"
#include "corosync/handle.h"

namespace corosync_exporter {

class CmapReader {
 public:
  CmapReader(Calls& calls, cmap_map_t map);

  // Valid UTF-8, whatever corosync holds: invalid bytes are replaced.
  [[nodiscard]] std::optional<std::string> text(const std::string& key);
  [[nodiscard]] std::optional<std::uint64_t> number(const std::string& key);
  [[nodiscard]] std::optional<double> real(const std::string& key);
  [[nodiscard]] std::vector<std::string> keys(const std::string& prefix);

  // Lets corosync tell when anything under `prefix` changes. Not for the statistics: it would poll
  // them to find out.
  void track(const std::string& prefix);
  // Whether it told so since it was last asked. Does not wait.
  [[nodiscard]] bool has_changed();

  [[nodiscard]] int descriptor() const noexcept { return connection_.descriptor(); }

 private:
  struct Value {
    std::vector<char> bytes;
    cmap_value_types_t type{};
  };
  // `longest`: of what is looked for; a value that is longer is none.
  std::optional<Value> value(const std::string& key, std::size_t longest);
  cs_error_t get(const std::string& key, Value& value);
  static void changed(cmap_handle_t handle, cmap_track_handle_t track, std::int32_t event,
                      const char* key, cmap_notify_value new_value, cmap_notify_value old_value,
                      void* changed) noexcept;

  Calls& calls_;
  std::unique_ptr<bool> changed_ = std::make_unique<bool>(false);  // corosync keeps its address
  Connection<cmap_finalize> connection_;
};

}  // namespace corosync_exporter
