// SPDX-License-Identifier: Apache-2.0
// The status as JSON: what /api/v1/status answers. deploy/status.schema.json says what is in it.
//
// Pure. What is unknown is absent, never null and never 0. Text that is not UTF-8 does not throw:
// what cannot be read in it is replaced.
#pragma once

#include <string>
#include <string_view>

#include "status/status.h"

namespace corosync_exporter {

[[nodiscard]] std::string status_json(const Status& status, std::string_view version,
                                      std::string_view revision);

}  // namespace corosync_exporter
