// SPDX-License-Identifier: Apache-2.0
// status.html: what of the page is the same whatever corosync does, with {{holes}} for the rest.
#pragma once

#include <string_view>

namespace corosync_exporter {

[[nodiscard]] std::string_view page_shell();

}  // namespace corosync_exporter
