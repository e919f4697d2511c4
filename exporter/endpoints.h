// SPDX-License-Identifier: Apache-2.0
// What the program answers over HTTP, besides the errors.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "exposition/page.h"
#include "model/cluster_state.h"
#include "model/snapshot_cell.h"
#include "model/timeline.h"
#include "options.h"
#include "web/live_config.h"
#include "web/request_counter.h"
#include "web/routes.h"

namespace corosync_exporter {

// Where answers take their facts from. Called on HTTP threads, several at a time.
struct Facts {
  const SnapshotCell<Snapshot>& newest;
  const web::RequestCounter& requests;
  const web::LiveConfig& web_config;
  std::function<std::optional<SteadyTime>()> waiting_since;  // of the call to corosync under way
};

// `facts` outlives the routes; `page` is kept by them.
[[nodiscard]] std::vector<web::Route> endpoints(const Options& options, const Facts& facts,
                                                std::shared_ptr<Page> page);

}  // namespace corosync_exporter
