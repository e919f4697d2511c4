// SPDX-License-Identifier: Apache-2.0
// The core: everything the exporter knows of its cluster, as one value, and the pure function that
// makes the next value out of an event. Standard library only; no I/O, no clock, no lock.
//
// Threads: values. The loop thread owns the current one; others see immutable copies.
// Unknown is an empty optional: never 0, never the last value.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace corosync_exporter {

using SteadyTime = std::chrono::steady_clock::time_point;
using SystemTime = std::chrono::system_clock::time_point;
using Duration = std::chrono::nanoseconds;

// One instant on both clocks: ages are measured on the steady one, timestamps shown from the other.
struct Moment {
  SteadyTime steady{};
  SystemTime system{};
};

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

// ---- Events: what happened, one struct each --------------------------------------------------

// The connection
struct Connected {
  bool has_provider = false;  // quorum_model_initialize's quorum_type: QUORUM_SET, not QUORUM_FREE
};
struct ConnectFailed {
  Failure failure{};
};
struct Disconnected {
  Failure failure{};
};

// The callbacks; which fires when: quorum_model_initialize(3), votequorum_trackstart(3)
struct NodeListNotified {  // quorum_v1_nodelist_notification_fn_t
  RingId ring{};
  std::vector<NodeId> members{};
  // Both are empty in the first list of a connection. A node that came back before it was missed is
  // in both.
  std::vector<NodeId> joined{};
  std::vector<NodeId> left{};
};
struct QuorumNotified {  // quorum_v1_quorum_notification_fn_t
  bool quorate = false;
  RingId ring{};
};
struct VotequorumNodeListNotified {};  // votequorum_nodelist_notification_fn_t
struct VotequorumQuorumNotified {      // votequorum_quorum_notification_fn_t
  std::vector<NodeId> voters{};        // all seen since corosync started, dead ones included
};
struct ExpectedVotesNotified {};  // votequorum_expectedvotes_notification_fn_t

// The collector's readings: a source's facts one by one, then SourceRead or ReadingFailed
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
struct VotesRead {
  Votes votes{};
};

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
struct ConfigurationRead {  // cmap's icmap
  ClusterInfo info{};
  bool waiting_for_all = false;  // runtime.votequorum.wait_for_all_status
  // Every configured node, and every other one that the reading was asked about.
  std::map<NodeId, NodeConfiguration> nodes{};
};
struct LocalNodeRead {  // corosync_cfg_local_get
  NodeId id{};
};

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
struct ReachabilityRead {                  // corosync_cfg_node_status_get
  std::map<NodeId, Reachability> nodes{};  // without the node itself
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
struct LinkStatisticsRead {
  std::map<LinkId, LinkStatistics> links{};  // where there are many, some are of an earlier reading
};

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
struct TotemRead {
  Totem totem{};
};

// All of what was asked of the source. Nothing counts as read before.
struct SourceRead {
  Source source{};
};
// The rest of it cannot be had, and what came before it is not to be relied on.
struct ReadingFailed {
  Source source{};
  Failure failure{};
};
// Corosync was too busy to answer, so the rest was not waited for. No failure: what was read before
// holds until it is too old.
struct ReadingInterrupted {
  Source source{};
};

// A call was taken back, because corosync had left it unanswered for too long.
struct CallCancelled {
  std::string call{};
};
// Corosync answered a call: it is alive, whatever became of the reading that the call was for.
struct Answered {
  SteadyTime at{};
};

using Event =
    std::variant<Connected, ConnectFailed, Disconnected, NodeListNotified, QuorumNotified,
                 VotequorumNodeListNotified, VotequorumQuorumNotified, ExpectedVotesNotified,
                 VotesRead, ConfigurationRead, LocalNodeRead, ReachabilityRead, LinkStatisticsRead,
                 TotemRead, SourceRead, ReadingFailed, ReadingInterrupted, CallCancelled, Answered>;

// ---- The state --------------------------------------------------------------------------------

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
  SteadyTime last_word{};  // the last callback, answer, or connection made
  std::optional<Membership> membership{};
  std::optional<Verdict> verdict{};  // never without a provider
  std::vector<NodeId> voters{};
  std::optional<Votes> votes{};
  bool waiting_for_all = false;
  std::map<NodeId, Reachability> reachability{};
  std::map<LinkId, LinkStatistics> link_statistics{};
  std::optional<Totem> totem{};
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
  std::map<NodeId, Node> nodes{};

  bool operator==(const ClusterState&) const = default;
};

// The state after `event`, which happened `now`. Decides everything: what counts as a change, what
// becomes unknown, what is kept.
[[nodiscard]] ClusterState apply(ClusterState state, const Event& event, Moment now);

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

[[nodiscard]] double in_seconds(Duration duration);

}  // namespace corosync_exporter
