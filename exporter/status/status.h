// SPDX-License-Identifier: Apache-2.0
// What a person or a program wants to know at a glance: a snapshot, read at some moment. Both the
// status page and its JSON are written from this value, so that they cannot disagree.
//
// Pure. What is unknown at that moment is an empty optional.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/cluster_state.h"
#include "model/timeline.h"
#include "model/view.h"

namespace corosync_exporter {

enum class Standing { quorate, not_quorate, unknown };
[[nodiscard]] std::string_view name_of(Standing standing);

struct LinkView {
  LinkNumber number = 0;
  std::optional<bool> enabled{};
  std::optional<bool> connected{};
  std::optional<std::uint32_t> mtu_bytes{};
  std::optional<std::chrono::microseconds> latency{};
  std::optional<std::chrono::microseconds> latency_max{};
  std::optional<std::uint64_t> downs{};
  std::optional<std::uint64_t> ups{};
};

struct NodeView {
  NodeId id{};
  std::string name{};  // else its id
  bool local = false;
  bool configured = false;
  std::optional<bool> member{};
  std::optional<std::uint32_t> votes{};
  std::optional<bool> reachable{};  // never of the node itself
  std::optional<Qdevice> qdevice{};
  std::uint64_t joins = 0;
  std::uint64_t leaves = 0;
  std::optional<SystemTime> joined_at{};  // last
  std::optional<SystemTime> left_at{};
  std::vector<LinkView> links{};
};

// What may keep quorum where the votes are too few.
enum class Keeper {
  nobody,
  tie_breaker,  // with half of the expected votes: auto_tie_breaker
  device        // wherever it votes: a quorum device that is master_wins
};

struct VotesView {
  Votes votes{};
  std::int64_t margin = 0;  // present minus required
  Keeper keeper = Keeper::nobody;
  std::optional<std::uint32_t> device_cast{};  // of `present`, the quorum device's
};

[[nodiscard]] VotesView view_of(const Votes& votes, std::optional<std::uint32_t> device_cast);

// What deserves a look, most urgent first. The names are stable.
enum class WarningKind {
  waiting_for_all,
  sync_in_progress,
  no_vote_to_spare,
  node_missing,
  last_link,
  link_down,
  qdevice_not_voting,
  expected_votes_differ,
  network_fault,
  scheduling_pause,
  source_failing
};
[[nodiscard]] std::string_view name_of(WarningKind kind);

struct Warning {
  WarningKind kind{};
  std::string message{};  // a sentence without its full stop
  std::optional<NodeId> node{};
  std::optional<LinkNumber> link{};
  std::optional<Source> source{};
};

struct SourceView {
  Source source{};
  bool up = false;
  std::optional<Duration> age{};  // of the last successful reading
  bool interrupted = false;       // corosync is busy: it was not waited for, and is asked later
  std::optional<Failure> failure{};
};

struct Status {
  Moment now{};
  std::uint64_t generation = 0;
  std::shared_ptr<const Timeline> timeline{};

  Standing verdict = Standing::unknown;
  bool up = false;       // corosync is heard; a verdict may be unknown all the same
  std::string reason{};  // a sentence without its full stop: why it is unknown; else empty
  std::optional<Since> since{};
  std::optional<bool> last_verdict{};  // quorate, when a verdict was last seen
  std::optional<Duration> loss_so_far{};

  std::optional<ClusterInfo> info{};
  std::optional<NodeId> local_node{};
  std::optional<RingId> ring{};
  std::optional<bool> syncing{};
  std::optional<std::size_t> members{};
  std::optional<VotesView> votes{};
  std::optional<bool> waiting_for_all{};
  std::vector<NodeView> nodes{};  // by id
  std::vector<Warning> warnings{};
  std::vector<SourceView> sources{};

  std::uint64_t quorum_losses = 0;
  Duration without_quorum{};
};

// `timeline` of the snapshot must be there.
[[nodiscard]] Status status_of(const Snapshot& snapshot, Moment now);

// The timeline, newest entry first: `tell` gets each entry, and how long a loss in it has lasted
// that is not over yet.
template <class Tell>
void for_each_newest_first(const Status& status, Tell tell) {
  auto loss_so_far = status.loss_so_far;
  const auto& entries = status.timeline->entries();
  std::for_each(entries.rbegin(), entries.rend(), [&](const auto& entry) {
    const bool lost = std::ranges::any_of(
        entry->told, [](const Told& told) { return told.change.kind == ChangeKind::quorum_lost; });
    tell(*entry, lost ? loss_so_far : std::nullopt);
    if (lost) {
      loss_so_far.reset();  // earlier ones are over
    }
  });
}

// The name of the node, else its id.
[[nodiscard]] std::string label_of(const Status& status, NodeId id);

}  // namespace corosync_exporter
