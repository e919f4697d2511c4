// SPDX-License-Identifier: Apache-2.0
#include "model/timeline.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace corosync_exporter {
namespace {

// Not within a character of UTF-8.
std::string cut(const std::string& name) {
  if (name.size() <= Timeline::most_name_bytes) {
    return name;
  }
  constexpr unsigned int marks = 0xC0;
  constexpr unsigned int continues = 0x80;
  std::size_t end = Timeline::most_name_bytes;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & marks) == continues) {
    --end;
  }
  return name.substr(0, end) + "…";
}

std::string name_of(NodeId id, const ClusterState& state) {
  const auto node = state.nodes.find(id);
  return node != state.nodes.end() && node->second.name ? cut(*node->second.name) : "";
}

// Leaves no more of them than a change may have, and returns how many are gone.
template <class Subject>
std::size_t cut(std::vector<Subject>& subjects) {
  const std::size_t kept = std::min(subjects.size(), Timeline::most_subjects);
  const std::size_t gone = subjects.size() - kept;
  subjects.resize(kept);
  subjects.shrink_to_fit();
  return gone;
}

Told told(const Change& change, const ClusterState& after, SystemTime now) {
  Told fresh{.at = now, .change = change};
  fresh.more = cut(fresh.change.nodes) + cut(fresh.change.links);
  for (const NodeId id : fresh.change.nodes) {
    fresh.names.push_back(name_of(id, after));
  }
  for (const auto& [id, number] : fresh.change.links) {
    fresh.names.push_back(name_of(id, after));
  }
  return fresh;
}

bool tells(const TimelineEntry& entry, ChangeKind kind) {
  return std::ranges::any_of(entry.told,
                             [&](const Told& said) { return said.change.kind == kind; });
}

std::size_t subjects_of(const TimelineEntry& entry) {
  std::size_t count = 0;
  for (const Told& told : entry.told) {
    count += told.names.size();
  }
  return count;
}

// ---- Repetition --------------------------------------------------------------------------------

// A round of a crash loop may be several entries, and not each round has all of them: what comes
// again is looked for among so many.
constexpr std::size_t most_alternating = 32;
// What comes again after longer is news of its own.
constexpr std::chrono::hours repeats_within{1};

bool are_alike(const Told& one, const Told& other) {
  Change change = other.change;
  change.lasted = one.change.lasted;
  return one.change == change && one.names == other.names && one.more == other.more;
}

bool are_alike(const TimelineEntry& one, const TimelineEntry& other) {
  return std::ranges::equal(one.told, other.told,
                            [](const Told& a, const Told& b) { return are_alike(a, b); });
}

// One entry for two that are alike.
TimelineEntry merged(TimelineEntry earlier, const TimelineEntry& later) {
  for (std::size_t i = 0; i < earlier.told.size(); ++i) {
    Told& into = earlier.told[i];
    const Told& from = later.told[i];
    into.last = later.count > 1 ? from.last : from.at;
    if (from.change.lasted) {
      into.change.lasted = into.change.lasted.value_or(Duration::zero()) + *from.change.lasted;
    }
  }
  earlier.count += later.count;
  earlier.last_begun = later.last_begun;
  return earlier;
}

}  // namespace

void Timeline::note(const std::vector<Change>& changes, const ClusterState& after, Moment now,
                    Place place) {
  if (changes.empty()) {
    return;
  }
  if (const Duration back = newest_word_ - now.steady; back > Duration::zero()) {
    now.steady += back;
    now.system += std::chrono::duration_cast<SystemTime::duration>(back);
  }
  newest_word_ = now.steady;
  follow_verdict(changes, now.system);
  follow_silence(after, now);
  for (const Change& change : changes) {
    if (change.kind == ChangeKind::quorum_regained) {
      end_loss(change);
    }
  }
  TimelineEntry newest;
  if (place == Place::newest_entry && !entries_.empty()) {
    newest = *entries_.back();
    entries_.pop_back();
  } else {
    fold_repetition();
    newest.number = ++made_;
    newest.last_begun = now.steady;
  }
  for (const Change& change : changes) {
    newest.told.push_back(told(change, after, now.system));
    subjects_ += newest.told.back().names.size();
  }
  entries_.push_back(std::make_shared<const TimelineEntry>(std::move(newest)));
  drop_oldest();
}

// The newest entry is complete, as another one begins. If it has come twice before, and soon, these
// two become one.
void Timeline::fold_repetition() {
  if (entries_.empty()) {
    return;
  }
  const auto end =
      entries_.rbegin() + static_cast<std::ptrdiff_t>(std::min(entries_.size(), most_alternating));
  const auto before = [end](Entries::reverse_iterator later) {
    const auto found = std::find_if(
        std::next(later), end, [&](const auto& earlier) { return are_alike(*earlier, **later); });
    const bool soon = found != end && (*later)->last_begun - (*found)->last_begun <= repeats_within;
    return soon ? found : end;
  };
  const auto second = before(entries_.rbegin());
  const auto first = second != end ? before(second) : end;
  if (first != end) {
    *first = std::make_shared<const TimelineEntry>(merged(**first, **second));
    subjects_ -= subjects_of(**second);
    entries_.erase(std::next(second).base());
  }
}

void Timeline::drop_oldest() {
  while (entries_.size() > most_entries || subjects_ > most_subjects_in_all) {
    subjects_ -= subjects_of(*entries_.front());
    entries_.pop_front();
  }
}

void Timeline::end_loss(const Change& regained) {
  const auto entry = std::find_if(entries_.rbegin(), entries_.rend(), [](const auto& candidate) {
    return tells(*candidate, ChangeKind::quorum_lost);
  });
  if (entry != entries_.rend()) {
    TimelineEntry ended = **entry;
    std::ranges::find(ended.told, ChangeKind::quorum_lost, [](const Told& said) {
      return said.change.kind;
    })->change.lasted = regained.lasted;
    *entry = std::make_shared<const TimelineEntry>(std::move(ended));
  }
}

void Timeline::follow_verdict(const std::vector<Change>& changes, SystemTime now) {
  bool connected = false;
  for (const Change& change : changes) {
    switch (change.kind) {
      case ChangeKind::connected:
        connected = true;
        verdict_since_ = Since{.at = now};
        break;
      case ChangeKind::quorum_lost:
      case ChangeKind::quorum_regained:
        // A verdict that differs after a reconnection came at some time in between.
        verdict_since_ = Since{.at = now, .exact = !connected};
        break;
      default:
        break;
    }
  }
}

void Timeline::follow_silence(const ClusterState& after, Moment now) {
  if (is_up(after, now.steady)) {
    unknown_since_.reset();
  } else if (!unknown_since_) {  // else it goes on, as where silence ends in a lost connection
    unknown_since_ = is_silent(after, now.steady) ? silent_since(after, now) : now.system;
  }
}

}  // namespace corosync_exporter
