// SPDX-License-Identifier: Apache-2.0
// The core: everything the exporter knows of its cluster, as one value, and what that says at a
// moment. Standard library only; no I/O, no clock, no lock. apply.h makes the next value of it.
//
// Threads: values. The loop thread owns the current one; others see immutable copies, which cost
// little: what grows with nodes and links is shared (shared.h).
// Unknown is an empty optional: never 0, never the last value.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/facts.h"
#include "model/moment.h"
#include "model/shared.h"

namespace corosync_exporter {

struct Membership {
  RingId ring{};
  std::vector<NodeId> members{};
  bool operator==(const Membership&) const = default;
};
struct Verdict {
  bool quorate = false;
  RingId ring{};
  bool operator==(const Verdict&) const = default;
};

// What corosync says of the present. Made by a connection, gone with it.
struct Present {
  bool has_provider = false;
  SteadyTime last_word{};     // the last callback, answer, or connection made
  bool silence_told = false;  // fall_silent told that there is none any more
  std::optional<Membership> membership{};
  std::optional<Verdict> verdict{};  // never without a provider
  std::vector<NodeId> voters{};
  Shared<Votes> votes{};
  bool waiting_for_all = false;
  SharedMap<NodeId, Reachability> reachability{};
  SharedMap<LinkId, LinkStatistics> link_statistics{};
  Shared<Totem> totem{};
  bool operator==(const Present&) const = default;
};

// What the exporter itself saw of the quorum: outlives connections.
struct QuorumHistory {
  std::uint64_t changes = 0;
  std::uint64_t losses = 0;
  Duration lost{};                         // in all, without what `lost_since` adds
  Duration last_loss{};                    // the share of the last loss in it
  std::optional<SteadyTime> lost_since{};  // while not quorate and connected
  std::optional<SystemTime> last_change{};
  std::optional<bool> last_verdict{};
  bool operator==(const QuorumHistory&) const = default;
};
struct MembershipHistory {
  std::uint64_t changes = 0;
  std::optional<SystemTime> last_change{};
  std::optional<RingId> last_ring{};
  bool operator==(const MembershipHistory&) const = default;
};
struct Node {
  // Empty until the configuration was read with this node in view: a node is shown under one name
  // from its first appearance, so only then.
  std::optional<std::string> name{};
  bool configured = false;
  bool seen = false;  // by a callback, ever
  std::uint32_t configured_votes = 1;
  std::uint64_t joins = 0;
  std::uint64_t leaves = 0;
  std::optional<SystemTime> last_joined{};
  std::optional<SystemTime> last_left{};
  bool operator==(const Node&) const = default;
};
struct Notifications {
  std::uint64_t quorum_nodelist = 0;
  std::uint64_t quorum_quorum = 0;
  std::uint64_t votequorum_nodelist = 0;
  std::uint64_t votequorum_quorum = 0;
  std::uint64_t votequorum_expected_votes = 0;
  bool operator==(const Notifications&) const = default;
};
struct SourceStatus {
  bool up = false;  // the last reading succeeded, on a connection that still stands
  std::optional<SteadyTime> last_success{};
  std::optional<Failure> failure{};  // why the last reading failed, if it did
  bool interrupted = false;          // the last reading, or it was put off for the same reason
  bool operator==(const SourceStatus&) const = default;
};

struct ClusterState {
  // A setting, not a fact: with no word from corosync for so long, `present` counts as unknown.
  std::chrono::milliseconds stale_after = std::chrono::seconds{15};

  std::optional<Present> present{};

  std::uint64_t connects = 0;
  // By call and error.
  std::map<std::pair<std::string, std::string>, std::uint64_t> connect_errors{};
  std::map<std::string, std::uint64_t> cancelled_calls{};  // by call
  // Why `present` is empty; empty itself before the first try.
  std::optional<Failure> disconnected_by{};
  Notifications notifications{};
  std::map<Source, SourceStatus> sources{};  // those tried so far

  std::optional<ClusterInfo> info{};
  std::optional<NodeId> local_node{};
  QuorumHistory quorum{};
  MembershipHistory membership{};
  SharedMap<NodeId, Node> nodes{};

  bool operator==(const ClusterState&) const = default;
};

// Connected, and told membership and verdict (without a provider, membership) since.
[[nodiscard]] bool is_synced(const ClusterState& state);

// Between a new ring and its quorum verdict (corosync_sync_in_progress).
[[nodiscard]] bool is_syncing(const ClusterState& state);

// Connected, but no word from corosync for `stale_after`.
[[nodiscard]] bool is_silent(const ClusterState& state, SteadyTime now);

// Time since corosync's last word. Empty while not connected.
[[nodiscard]] std::optional<Duration> silence(const ClusterState& state, SteadyTime now);

// Time since the last successful reading. Empty before the first.
[[nodiscard]] std::optional<Duration> age(const SourceStatus& source, SteadyTime now);

// Since when it has been silent. REQUIRES: is_silent(state, now.steady)
[[nodiscard]] SystemTime silent_since(const ClusterState& state, Moment now);

// corosync_up: synced and not silent.
[[nodiscard]] bool is_up(const ClusterState& state, SteadyTime now);

// Whether the last reading of `source` succeeded and still counts.
[[nodiscard]] bool is_current(const ClusterState& state, Source source, SteadyTime now);

// Which parts of a state count at some moment; the rest of it has to be held unknown.
struct Known {
  bool present = false;  // the callbacks' facts
  bool votes = false;    // the readings' facts
  bool configuration = false;
  bool reachability = false;
  bool operator==(const Known&) const = default;
};
[[nodiscard]] Known known_at(const ClusterState& state, SteadyTime now);

// How long the loss under way has lasted, as far as it was seen. Empty unless not quorate and
// connected.
[[nodiscard]] std::optional<Duration> loss_so_far(const ClusterState& state, SteadyTime now);

// Time seen not quorate, the loss under way included. It stops to grow while corosync is silent,
// and makes up for it when corosync then says that it was not quorate all the while.
[[nodiscard]] Duration time_without_quorum(const ClusterState& state, SteadyTime now);

}  // namespace corosync_exporter
