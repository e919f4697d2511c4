// SPDX-License-Identifier: Apache-2.0
// What corosync says, as values: the words that events and the state are made of. Standard library
// only. Unknown is an empty optional: never 0, never the last value.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "model/moment.h"

namespace corosync_exporter {

enum class NodeId : std::uint32_t {};

// corosync's name for one formation of the membership (struct quorum_ring_id in quorum.h). Both
// halves count: the sides of a partition may share a sequence, never a leader.
struct RingId {
  NodeId leader{};
  std::uint64_t sequence = 0;
  bool operator==(const RingId&) const = default;
};

// A call to corosync's libraries that failed: `error` as corotypes.h spells it (CS_ERR_LIBRARY),
// `detail` what errno said, where it said anything.
struct Failure {
  std::string call{};
  std::string error{};
  std::string detail{};
  bool answered = false;  // by corosync; else by the library, without it
  bool operator==(const Failure&) const = default;
};

// The services that the collector reads from.
enum class Source { votequorum, cmap, cfg };
[[nodiscard]] std::string_view name_of(Source source);

// ---- votequorum ----

struct Qdevice {
  bool registered = false;
  bool alive = false;
  bool casting_vote = false;
  bool master_wins = false;
  bool operator==(const Qdevice&) const = default;
};
struct NodeVotes {
  std::uint32_t votes = 0;
  // Only of members: corosync keeps what a dead node said last for ever.
  std::optional<std::uint32_t> expected{};
  std::optional<Qdevice> qdevice{};
  bool operator==(const NodeVotes&) const = default;
};
struct Votes {  // struct votequorum_info in votequorum.h
  std::uint32_t expected = 0;
  std::uint32_t highest_expected = 0;
  std::uint32_t present = 0;   // total_votes
  std::uint32_t required = 0;  // quorum
  std::optional<std::uint32_t> qdevice{};
  bool two_node = false;
  bool wait_for_all = false;
  bool last_man_standing = false;
  bool auto_tie_breaker = false;
  bool allow_downscale = false;
  std::map<NodeId, NodeVotes> nodes{};
  bool operator==(const Votes&) const = default;
};

// ---- The configuration ----

struct ClusterInfo {
  std::string cluster_name{};
  std::string transport{};
  std::string provider{};  // empty without one
  bool operator==(const ClusterInfo&) const = default;
};
struct NodeConfiguration {
  std::string name{};       // nodelist.node.N.name, else ring0_addr, else the node id
  bool configured = false;  // in the nodelist; else only seen in a callback
  std::uint32_t votes = 1;  // nodelist.node.N.quorum_votes
  bool operator==(const NodeConfiguration&) const = default;
};

// ---- Links ----

// knet's links to the other nodes, by their numbers (0 to 7).
using LinkNumber = std::uint8_t;
struct LinkStatus {  // struct corosync_knet_link_status_v1 in cfg.h
  bool enabled = false;
  bool connected = false;
  std::uint32_t mtu_bytes = 0;
  bool operator==(const LinkStatus&) const = default;
};
struct Reachability {  // struct corosync_cfg_node_status_v1 in cfg.h
  bool reachable = false;
  std::map<LinkNumber, LinkStatus> links{};
  bool operator==(const Reachability&) const = default;
};

// What a link carried: knet tells its own probes from corosync's data.
enum class Traffic { data, ping, pong, pmtu };
struct TrafficCounters {
  std::uint64_t receive_bytes = 0;
  std::uint64_t receive_packets = 0;
  std::uint64_t transmit_bytes = 0;
  std::uint64_t transmit_packets = 0;
  std::uint64_t transmit_errors = 0;
  std::uint64_t transmit_retries = 0;
  bool operator==(const TrafficCounters&) const = default;
};
struct LinkStatistics {  // cmap's stats.knet.nodeN.linkL
  // knet's moving mean, which stands still while the link is down (latency_of); and that mean's
  // maximum. Both are empty before the first sample.
  std::optional<std::chrono::microseconds> latency{};
  std::optional<std::chrono::microseconds> latency_max{};
  std::uint64_t downs = 0;
  std::uint64_t ups = 0;
  std::map<Traffic, TrafficCounters> traffic{};
  bool operator==(const LinkStatistics&) const = default;
};
using LinkId = std::pair<NodeId, LinkNumber>;

// ---- Totem ----

// The totem protocol: what cmap's stats.srp counts, and the daemon around it.
enum class TotemMessage { token, multicast, join, merge_detect, commit_token, token_hold_cancel };
enum class TotemPhase { operational, gather, commit, recovery };
struct SchedulingPause {  // corosync did not run for longer than 0.8 of the token timeout
  SystemTime at{};
  Duration lasted{};
  bool operator==(const SchedulingPause&) const = default;
};
struct Totem {
  std::map<TotemMessage, std::uint64_t> transmitted{};
  std::map<TotemMessage, std::uint64_t> received{};
  std::map<TotemPhase, std::uint64_t> entered{};
  std::map<TotemPhase, std::uint64_t> token_losses{};
  std::optional<std::uint64_t> retransmits{};
  std::optional<std::uint64_t> consensus_timeouts{};
  std::optional<std::uint64_t> dropped_messages{};
  std::optional<std::chrono::milliseconds> token_interval{};
  std::optional<std::chrono::milliseconds> token_hold{};
  std::optional<std::uint64_t> backlog_messages{};
  std::optional<bool> network_fault{};
  std::optional<SchedulingPause> last_pause{};
  std::optional<std::uint64_t> ipc_connections{};
  std::optional<std::uint64_t> ipc_closed{};
  std::optional<std::chrono::milliseconds> token_timeout{};
  std::optional<std::chrono::milliseconds> consensus_timeout{};
  std::optional<std::uint64_t> configuration_version{};
  bool operator==(const Totem&) const = default;
};

}  // namespace corosync_exporter
