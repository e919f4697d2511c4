// SPDX-License-Identifier: Apache-2.0
// The status page: the whole of it is written here, readable without JavaScript. The script in
// status.html only asks for it again and keeps its ages going.
//
// Pure.
#pragma once

#include <string>

#include "status/status.h"

namespace corosync_exporter {

struct PageFrame {
  std::string nonce{};  // of this answer alone, as in its Content-Security-Policy
  std::string version{};
  std::string metrics_path{};  // begins with a slash
};

[[nodiscard]] std::string status_page(const Status& status, const PageFrame& frame);

// Lets in the page's own style, script and icon and its questions to the exporter; nothing else.
[[nodiscard]] std::string content_security_policy(const std::string& nonce);

}  // namespace corosync_exporter
