// SPDX-License-Identifier: Apache-2.0
// How the state goes on: with events, and with time. Both say what they changed that is worth
// telling, as only they know it for sure. Pure: time comes in as an argument.
#pragma once

#include <optional>
#include <vector>

#include "model/changes.h"
#include "model/cluster_state.h"
#include "model/events.h"
#include "model/moment.h"

namespace corosync_exporter {

// Makes `state` the one after `event`, which happened `now`. Decides everything: what counts as a
// change, what becomes unknown, what is kept. Returns the changes in the order in which a story
// would tell them.
[[nodiscard]] std::vector<Change> apply(ClusterState& state, Event event, Moment now);

// The one change that time alone makes: no word from corosync for so long that it is silent. To be
// called before and after that moment; told once, until a word ends it.
[[nodiscard]] std::optional<Change> fall_silent(ClusterState& state, SteadyTime now);

}  // namespace corosync_exporter
