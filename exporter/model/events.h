// SPDX-License-Identifier: Apache-2.0
// What happened, as far as the exporter can see it: one struct each, and `Event`, which is any of
// them. Values; standard library only.
#pragma once

#include <map>
#include <string>
#include <variant>
#include <vector>

#include "model/facts.h"
#include "model/moment.h"

namespace corosync_exporter {

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
struct VotesRead {
  Votes votes{};
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
struct ReachabilityRead {                  // corosync_cfg_node_status_get
  std::map<NodeId, Reachability> nodes{};  // without the node itself
};
struct LinkStatisticsRead {
  std::map<LinkId, LinkStatistics> links{};  // where there are many, some are of an earlier reading
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

}  // namespace corosync_exporter
