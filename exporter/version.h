// SPDX-License-Identifier: Apache-2.0
// What this build calls itself; both texts come from the build system.
#pragma once

#include <string_view>

namespace corosync_exporter {

[[nodiscard]] constexpr std::string_view version() { return COROSYNC_EXPORTER_VERSION; }

// The commit it was built from; empty where the build did not know.
[[nodiscard]] constexpr std::string_view revision() { return COROSYNC_EXPORTER_REVISION; }

}  // namespace corosync_exporter
