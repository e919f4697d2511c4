// SPDX-License-Identifier: Apache-2.0
#include "model/facts.h"

namespace corosync_exporter {

std::string_view name_of(Source source) {
  switch (source) {
    case Source::votequorum:
      return "votequorum";
    case Source::cmap:
      return "cmap";
    case Source::cfg:
      return "cfg";
  }
  return "";
}

}  // namespace corosync_exporter
