// SPDX-License-Identifier: Apache-2.0
// The newest changes, with their times and with the names that nodes had then: what a person wants
// to read afterwards. What happens again and again, as in a crash loop, is told twice: its newest
// time in full, and all before that as one entry with a count.
//
// Bounded, whatever corosync announces: so many entries, nodes and links, and bytes of a name.
// Pure: time comes in as an argument. Threads: a value; the loop thread owns the current one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/changes.h"
#include "model/cluster_state.h"

namespace corosync_exporter {

// A change at its time. Of its nodes or links the first `Timeline::most_subjects`, and how many
// more there were. `names` are those of these nodes, or of these links' nodes, in their order;
// empty for a node without one.
struct Told {
  SystemTime at{};
  Change change{};
  std::vector<std::string> names{};
  std::size_t more = 0;
  SystemTime last{};  // only if its entry stands for several: `at` is the first time, this the last
  bool operator==(const Told&) const = default;
};

// What happened on one occasion.
struct TimelineEntry {
  std::uint64_t number = 0;  // counts all entries ever made, from 1
  // Never empty; each kind at most once. A loss of quorum has the time that it lasted as `lasted`
  // in its change, once it is over.
  std::vector<Told> told{};
  // How many entries this one stands for, alike but for their times. Its number is that of the
  // first, and what lasted, lasted for so long in all.
  std::uint64_t count = 1;
  SteadyTime last_begun{};  // the last of them
  bool operator==(const TimelineEntry&) const = default;
};

// Since when something holds: exactly, or at least since then.
struct Since {
  SystemTime at{};
  bool exact = false;
  bool operator==(const Since&) const = default;
};

class Timeline {
 public:
  static constexpr std::size_t most_entries = 256;
  static constexpr std::size_t most_subjects = 16;           // nodes or links of a change
  static constexpr std::size_t most_subjects_in_all = 1024;  // beyond, the oldest entries go
  static constexpr std::size_t most_name_bytes = 96;         // what is longer is cut

  explicit Timeline(SystemTime begun) : begun_{begun}, unknown_since_{begun} {}

  // `changes`, of one event, led to `after`. None of them is of a kind that the newest entry has
  // already, if they are to be told there.
  enum class Place { new_entry, newest_entry };
  void note(const std::vector<Change>& changes, const ClusterState& after, Moment now, Place place);

  // Oldest first. Shared with copies of the timeline, of which each event makes one; none is null.
  using Entries = std::deque<std::shared_ptr<const TimelineEntry>>;
  [[nodiscard]] const Entries& entries() const { return entries_; }
  [[nodiscard]] SystemTime begun() const { return begun_; }

  // Of the verdict that holds while corosync is up. Empty before the first.
  [[nodiscard]] std::optional<Since> verdict_since() const { return verdict_since_; }
  // Of corosync being silent or not connected, while it is: of the first of both, where the one led
  // to the other. Empty while it is neither, and while nobody has noted the silence yet.
  [[nodiscard]] std::optional<SystemTime> unknown_since() const { return unknown_since_; }

 private:
  void follow_verdict(const std::vector<Change>& changes, SystemTime now);
  void follow_silence(const ClusterState& after, Moment now);
  void end_loss(const Change& regained);
  void fold_repetition();
  void drop_oldest();

  SystemTime begun_;
  Entries entries_;
  std::uint64_t made_ = 0;
  std::size_t subjects_ = 0;  // of all entries
  SteadyTime newest_word_;    // words may come in another order than that of their times
  std::optional<Since> verdict_since_;
  std::optional<SystemTime> unknown_since_;
};

// What the loop thread publishes: one value, so that no reader sees one half newer than the
// other half.
struct Snapshot {
  ClusterState state{};
  std::shared_ptr<const Timeline> timeline{};  // never null; shared by the states without a change
  std::uint64_t generation = 0;                // grows with each
};

}  // namespace corosync_exporter
