// SPDX-License-Identifier: Apache-2.0
#include "status/html.h"

namespace corosync_exporter {

Html& Html::operator<<(std::string_view text) {
  for (const char c : text) {
    switch (c) {
      case '&':
        markup_ += "&amp;";
        break;
      case '<':
        markup_ += "&lt;";
        break;
      case '>':
        markup_ += "&gt;";
        break;
      case '"':
        markup_ += "&quot;";
        break;
      case '\'':
        markup_ += "&#39;";
        break;
      default:
        markup_ += c;
    }
  }
  return *this;
}

}  // namespace corosync_exporter
