// SPDX-License-Identifier: Apache-2.0
#include "print_model.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace corosync_exporter {
namespace {

template <class Value>
std::string text(const Value& value) {
  return ::testing::PrintToString(value);
}
template <class Clock, class Tick>
std::string text(std::chrono::time_point<Clock, Tick> time) {
  return std::to_string(std::chrono::nanoseconds{time.time_since_epoch()}.count()) + "ns";
}
template <class Count, class Unit>
std::string text(std::chrono::duration<Count, Unit> duration) {
  return std::to_string(std::chrono::nanoseconds{duration}.count()) + "ns";
}
template <class Value>
std::string text(const std::optional<Value>& value) {
  return value ? text(*value) : "unknown";
}

template <class Value>
std::string text(const Shared<Value>& value) {
  return value ? text(*value) : "unknown";
}

struct PrintEvent {
  std::string operator()(const Connected& event) const {
    return "Connected{has_provider " + text(event.has_provider) + "}";
  }
  std::string operator()(const ConnectFailed& event) const {
    return "ConnectFailed{" + text(event.failure) + "}";
  }
  std::string operator()(const Disconnected& event) const {
    return "Disconnected{" + text(event.failure) + "}";
  }
  std::string operator()(const NodeListNotified& event) const {
    return "NodeListNotified{ring " + text(event.ring) + " members " + text(event.members) +
           " joined " + text(event.joined) + " left " + text(event.left) + "}";
  }
  std::string operator()(const QuorumNotified& event) const {
    return "QuorumNotified{quorate " + text(event.quorate) + " ring " + text(event.ring) + "}";
  }
  std::string operator()(const VotequorumNodeListNotified& /*event*/) const {
    return "VotequorumNodeListNotified";
  }
  std::string operator()(const VotequorumQuorumNotified& event) const {
    return "VotequorumQuorumNotified{voters " + text(event.voters) + "}";
  }
  std::string operator()(const ExpectedVotesNotified& /*event*/) const {
    return "ExpectedVotesNotified";
  }
  std::string operator()(const VotesRead& event) const {
    return "VotesRead{" + text(event.votes) + "}";
  }
  std::string operator()(const ConfigurationRead& event) const {
    return "ConfigurationRead{" + text(event.info) + " waiting_for_all " +
           text(event.waiting_for_all) + " nodes " + text(event.nodes) + "}";
  }
  std::string operator()(const LocalNodeRead& event) const {
    return "LocalNodeRead{" + text(event.id) + "}";
  }
  std::string operator()(const ReachabilityRead& event) const {
    return "ReachabilityRead{" + text(event.nodes) + "}";
  }
  std::string operator()(const LinkStatisticsRead& event) const {
    return "LinkStatisticsRead{" + text(event.links) + "}";
  }
  std::string operator()(const TotemRead& event) const {
    return "TotemRead{" + text(event.totem) + "}";
  }
  std::string operator()(const SourceRead& event) const {
    return "SourceRead{" + text(event.source) + "}";
  }
  std::string operator()(const ReadingFailed& event) const {
    return "ReadingFailed{" + text(event.source) + " " + text(event.failure) + "}";
  }
  std::string operator()(const ReadingInterrupted& event) const {
    return "ReadingInterrupted{" + text(event.source) + "}";
  }
  std::string operator()(const CallCancelled& event) const {
    return "CallCancelled{" + event.call + "}";
  }
  std::string operator()(const Answered& event) const { return "Answered{" + text(event.at) + "}"; }
};

}  // namespace

void PrintTo(NodeId id, std::ostream* out) { *out << static_cast<std::uint32_t>(id); }

void PrintTo(const RingId& ring, std::ostream* out) {
  *out << text(ring.leader) << "." << ring.sequence;
}

void PrintTo(const Failure& failure, std::ostream* out) {
  *out << failure.call << ": " << failure.error << " \"" << failure.detail << "\""
       << (failure.answered ? "" : " (not answered)");
}

void PrintTo(Source source, std::ostream* out) {
  switch (source) {
    case Source::votequorum:
      *out << "votequorum";
      break;
    case Source::cmap:
      *out << "cmap";
      break;
    case Source::cfg:
      *out << "cfg";
      break;
  }
}

void PrintTo(const Qdevice& qdevice, std::ostream* out) {
  *out << "{registered " << qdevice.registered << " alive " << qdevice.alive << " casting_vote "
       << qdevice.casting_vote << " master_wins " << qdevice.master_wins << "}";
}

void PrintTo(const NodeVotes& votes, std::ostream* out) {
  *out << "{votes " << votes.votes << " expected " << text(votes.expected) << " qdevice "
       << text(votes.qdevice) << "}";
}

void PrintTo(const Votes& votes, std::ostream* out) {
  *out << "{expected " << votes.expected << " highest_expected " << votes.highest_expected
       << " present " << votes.present << " required " << votes.required << " qdevice "
       << text(votes.qdevice) << " two_node " << votes.two_node << " wait_for_all "
       << votes.wait_for_all << " last_man_standing " << votes.last_man_standing
       << " auto_tie_breaker " << votes.auto_tie_breaker << " allow_downscale "
       << votes.allow_downscale << " nodes " << text(votes.nodes) << "}";
}

void PrintTo(const ClusterInfo& info, std::ostream* out) {
  *out << "{cluster_name " << text(info.cluster_name) << " transport " << text(info.transport)
       << " provider " << text(info.provider) << "}";
}

void PrintTo(const NodeConfiguration& configuration, std::ostream* out) {
  *out << "{name " << text(configuration.name) << " configured " << configuration.configured
       << " votes " << configuration.votes << "}";
}

void PrintTo(const LinkStatus& link, std::ostream* out) {
  *out << "{enabled " << link.enabled << " connected " << link.connected << " mtu_bytes "
       << link.mtu_bytes << "}";
}

void PrintTo(const Reachability& reachability, std::ostream* out) {
  *out << "{reachable " << reachability.reachable << " links " << text(reachability.links) << "}";
}

void PrintTo(const TrafficCounters& counters, std::ostream* out) {
  *out << "{receive_bytes " << counters.receive_bytes << " receive_packets "
       << counters.receive_packets << " transmit_bytes " << counters.transmit_bytes
       << " transmit_packets " << counters.transmit_packets << " transmit_errors "
       << counters.transmit_errors << " transmit_retries " << counters.transmit_retries << "}";
}

void PrintTo(const LinkStatistics& link, std::ostream* out) {
  *out << "{latency " << text(link.latency) << " latency_max " << text(link.latency_max)
       << " downs " << link.downs << " ups " << link.ups << " traffic " << text(link.traffic)
       << "}";
}

void PrintTo(const SchedulingPause& pause, std::ostream* out) {
  *out << "{at " << text(pause.at) << " lasted " << text(pause.lasted) << "}";
}

void PrintTo(const Totem& totem, std::ostream* out) {
  *out << "{transmitted " << text(totem.transmitted) << " received " << text(totem.received)
       << " entered " << text(totem.entered) << " token_losses " << text(totem.token_losses)
       << " retransmits " << text(totem.retransmits) << " consensus_timeouts "
       << text(totem.consensus_timeouts) << " dropped_messages " << text(totem.dropped_messages)
       << " token_interval " << text(totem.token_interval) << " token_hold "
       << text(totem.token_hold) << " backlog_messages " << text(totem.backlog_messages)
       << " network_fault " << text(totem.network_fault) << " last_pause " << text(totem.last_pause)
       << " ipc_connections " << text(totem.ipc_connections) << " ipc_closed "
       << text(totem.ipc_closed) << " token_timeout " << text(totem.token_timeout)
       << " consensus_timeout " << text(totem.consensus_timeout) << " configuration_version "
       << text(totem.configuration_version) << "}";
}

void PrintTo(const Event& event, std::ostream* out) { *out << std::visit(PrintEvent{}, event); }

void PrintTo(const Membership& membership, std::ostream* out) {
  *out << "{ring " << text(membership.ring) << " members " << text(membership.members) << "}";
}

void PrintTo(const Verdict& verdict, std::ostream* out) {
  *out << "{quorate " << verdict.quorate << " ring " << text(verdict.ring) << "}";
}

void PrintTo(const Present& present, std::ostream* out) {
  *out << "{has_provider " << present.has_provider << " last_word " << text(present.last_word)
       << " silence_told " << present.silence_told << " membership " << text(present.membership)
       << " verdict " << text(present.verdict) << " voters " << text(present.voters) << " votes "
       << text(present.votes) << " waiting_for_all " << present.waiting_for_all << " reachability "
       << text(present.reachability) << " link_statistics " << text(present.link_statistics)
       << " totem " << text(present.totem) << "}";
}

void PrintTo(const QuorumHistory& history, std::ostream* out) {
  *out << "{changes " << history.changes << " losses " << history.losses << " lost "
       << text(history.lost) << " last_loss " << text(history.last_loss) << " lost_since "
       << text(history.lost_since) << " last_change " << text(history.last_change)
       << " last_verdict " << text(history.last_verdict) << "}";
}

void PrintTo(const MembershipHistory& history, std::ostream* out) {
  *out << "{changes " << history.changes << " last_change " << text(history.last_change)
       << " last_ring " << text(history.last_ring) << "}";
}

void PrintTo(const Node& node, std::ostream* out) {
  *out << "{name " << text(node.name) << " configured " << node.configured << " seen " << node.seen
       << " configured_votes " << node.configured_votes << " joins " << node.joins << " leaves "
       << node.leaves << " last_joined " << text(node.last_joined) << " last_left "
       << text(node.last_left) << "}";
}

void PrintTo(const Notifications& notifications, std::ostream* out) {
  *out << "{quorum_nodelist " << notifications.quorum_nodelist << " quorum_quorum "
       << notifications.quorum_quorum << " votequorum_nodelist "
       << notifications.votequorum_nodelist << " votequorum_quorum "
       << notifications.votequorum_quorum << " votequorum_expected_votes "
       << notifications.votequorum_expected_votes << "}";
}

void PrintTo(const SourceStatus& status, std::ostream* out) {
  *out << "{up " << status.up << " last_success " << text(status.last_success) << " failure "
       << text(status.failure) << " interrupted " << status.interrupted << "}";
}

void PrintTo(const ClusterState& state, std::ostream* out) {
  *out << "\n  stale_after " << text(state.stale_after) << "\n  present " << text(state.present)
       << "\n  connects " << state.connects << "\n  connect_errors " << text(state.connect_errors)
       << "\n  cancelled_calls " << text(state.cancelled_calls) << "\n  disconnected_by "
       << text(state.disconnected_by) << "\n  notifications " << text(state.notifications)
       << "\n  sources " << text(state.sources) << "\n  info " << text(state.info)
       << "\n  local_node " << text(state.local_node) << "\n  quorum " << text(state.quorum)
       << "\n  membership " << text(state.membership) << "\n  nodes " << text(state.nodes) << "\n";
}

void PrintTo(ChangeKind kind, std::ostream* out) {
  switch (kind) {
    case ChangeKind::connected:
      *out << "connected";
      break;
    case ChangeKind::connection_failed:
      *out << "connection_failed";
      break;
    case ChangeKind::disconnected:
      *out << "disconnected";
      break;
    case ChangeKind::fell_silent:
      *out << "fell_silent";
      break;
    case ChangeKind::answers_again:
      *out << "answers_again";
      break;
    case ChangeKind::nodes_left:
      *out << "nodes_left";
      break;
    case ChangeKind::nodes_joined:
      *out << "nodes_joined";
      break;
    case ChangeKind::quorum_lost:
      *out << "quorum_lost";
      break;
    case ChangeKind::quorum_regained:
      *out << "quorum_regained";
      break;
    case ChangeKind::source_failed:
      *out << "source_failed";
      break;
    case ChangeKind::source_recovered:
      *out << "source_recovered";
      break;
    case ChangeKind::links_down:
      *out << "links_down";
      break;
    case ChangeKind::links_up:
      *out << "links_up";
      break;
    case ChangeKind::device_votes:
      *out << "device_votes";
      break;
    case ChangeKind::device_silent:
      *out << "device_silent";
      break;
    case ChangeKind::expected_votes:
      *out << "expected_votes";
      break;
  }
}

void PrintTo(const Change& change, std::ostream* out) {
  *out << text(change.kind) << "{nodes " << text(change.nodes) << " lasted " << text(change.lasted)
       << " source " << text(change.source) << " failure " << text(change.failure) << " links "
       << text(change.links) << " votes " << text(change.votes) << "}";
}

}  // namespace corosync_exporter
