// SPDX-License-Identifier: Apache-2.0
// Changes as log lines: one each.
#pragma once

#include "log.h"
#include "model/changes.h"
#include "model/cluster_state.h"

namespace corosync_exporter {

// `now` is the state that the change led to.
void log_change(const Logger& log, const Change& change, const ClusterState& now);

}  // namespace corosync_exporter
