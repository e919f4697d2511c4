// SPDX-License-Identifier: Apache-2.0
#include "corosync/chronicle.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "corosync/change_log.h"
#include "model/apply.h"

namespace corosync_exporter {

Chronicle::Chronicle(std::chrono::milliseconds stale_after, SystemTime begun, const Logger& log,
                     Publish publish)
    : log_{log},
      publish_{std::move(publish)},
      state_{.stale_after = stale_after},
      timeline_{begun} {}

void Chronicle::take(Event event, Moment at) {
  note(apply(state_, std::move(event), at), at);
  look_for_silence(at);
}

void Chronicle::look_for_silence(Moment now) {
  if (auto silence = fall_silent(state_, now.steady)) {
    note({std::move(*silence)}, now);
  }
}

void Chronicle::publish() {
  if (!published_timeline_) {
    published_timeline_ = std::make_shared<const Timeline>(timeline_);
  }
  publish_({.state = state_, .timeline = published_timeline_, .generation = ++generation_});
  for (const Change& change : std::exchange(changes_, {})) {
    log_change(log_, change, state_);
  }
}

void Chronicle::note(std::vector<Change> changes, Moment now) {
  if (!changes.empty()) {
    const bool same = occasion_.goes_on(changes, state_, now.steady);
    timeline_.note(changes, state_, now,
                   same ? Timeline::Place::newest_entry : Timeline::Place::new_entry);
    published_timeline_.reset();
    std::ranges::move(changes, std::back_inserter(changes_));
  }
}

}  // namespace corosync_exporter
