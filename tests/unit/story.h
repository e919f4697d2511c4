// SPDX-License-Identifier: Apache-2.0
// What happened to an exporter, told event by event, and the state and timeline that it leads to.
//
//   const ClusterState state = Story{}
//                                  .connect()
//                                  .node_list({.ring = ring(1, 8), .members = ids({1, 2, 3})})
//                                  .verdict(true, ring(1, 8))
//                                  .wait(5s)
//                                  .state();
//
// Time moves by wait() alone, and the clock by set_clock(). It begins at an arbitrary moment, the
// same for every story.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "corosync/occasion.h"
#include "model/apply.h"
#include "model/cluster_state.h"
#include "model/timeline.h"

namespace corosync_exporter {

constexpr Moment beginning{.steady = SteadyTime{std::chrono::seconds{1000}},
                           .system = SystemTime{std::chrono::seconds{1'700'000'000}}};

constexpr NodeId id(std::uint32_t number) { return NodeId{number}; }

inline std::vector<NodeId> ids(std::initializer_list<std::uint32_t> numbers) {
  std::vector<NodeId> nodes;
  for (const std::uint32_t number : numbers) {
    nodes.push_back(NodeId{number});
  }
  return nodes;
}

constexpr RingId ring(std::uint32_t leader, std::uint64_t sequence) {
  return {.leader = NodeId{leader}, .sequence = sequence};
}

// Corosync answered unless the error is one of those that the library makes up without it.
inline Failure failure(std::string call, std::string error) {
  const bool answered = error != "CS_ERR_LIBRARY" && error != "CS_ERR_TIMEOUT";
  return {.call = std::move(call), .error = std::move(error), .detail = {}, .answered = answered};
}

class Story {
 public:
  explicit Story(ClusterState state = {}) : state_{std::move(state)} {}

  Story& wait(Duration duration) {
    now_.steady += duration;
    now_.system += duration;
    if (const auto silence = fall_silent(state_, now_.steady)) {
      note({*silence});
    }
    return *this;
  }
  // The clock on the wall is put forward, or back.
  Story& set_clock(Duration by) {
    now_.system += by;
    return *this;
  }
  Story& then(const Event& event) {
    note(apply(state_, event, now_));
    return *this;
  }

  // All that is read of a source at a time.
  Story& read(const Event& event) { return then(event).then(SourceRead{source_of(event)}); }

  Story& connect(bool has_provider = true) { return then(Connected{.has_provider = has_provider}); }
  Story& disconnect() {
    return then(Disconnected{.failure = failure("quorum_dispatch", "CS_ERR_LIBRARY")});
  }
  Story& node_list(const NodeListNotified& event) { return then(event); }
  Story& verdict(bool quorate, RingId of) {
    return then(QuorumNotified{.quorate = quorate, .ring = of});
  }

  [[nodiscard]] const ClusterState& state() const { return state_; }
  [[nodiscard]] const Timeline& timeline() const { return timeline_; }
  [[nodiscard]] Moment now() const { return now_; }

 private:
  static Source source_of(const Event& event) {
    if (std::holds_alternative<VotesRead>(event)) {
      return Source::votequorum;
    }
    return std::holds_alternative<LocalNodeRead>(event) ||
                   std::holds_alternative<ReachabilityRead>(event)
               ? Source::cfg
               : Source::cmap;
  }

  void note(const std::vector<Change>& changes) {
    if (!changes.empty()) {
      const bool same = occasion_.goes_on(changes, state_, now_.steady);
      timeline_.note(changes, state_, now_,
                     same ? Timeline::Place::newest_entry : Timeline::Place::new_entry);
    }
  }

  ClusterState state_;
  Moment now_ = beginning;
  Timeline timeline_{beginning.system};
  Occasion occasion_;
};

// Three nodes, quorate, on ring 1.8.
inline Story three_quorate() {
  return Story{}
      .connect()
      .node_list({.ring = ring(1, 8), .members = ids({1, 2, 3})})
      .verdict(true, ring(1, 8));
}

}  // namespace corosync_exporter
