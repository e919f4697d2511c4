// SPDX-License-Identifier: Apache-2.0
// How gtest shows the model's values: field by field, instead of as bytes.
#pragma once

#include <iosfwd>

#include "model/changes.h"
#include "model/cluster_state.h"
#include "model/events.h"

namespace corosync_exporter {

void PrintTo(NodeId id, std::ostream* out);
void PrintTo(const RingId& ring, std::ostream* out);
void PrintTo(const Failure& failure, std::ostream* out);
void PrintTo(Source source, std::ostream* out);
void PrintTo(const Qdevice& qdevice, std::ostream* out);
void PrintTo(const NodeVotes& votes, std::ostream* out);
void PrintTo(const Votes& votes, std::ostream* out);
void PrintTo(const ClusterInfo& info, std::ostream* out);
void PrintTo(const NodeConfiguration& configuration, std::ostream* out);
void PrintTo(const LinkStatus& link, std::ostream* out);
void PrintTo(const Reachability& reachability, std::ostream* out);
void PrintTo(const TrafficCounters& counters, std::ostream* out);
void PrintTo(const LinkStatistics& link, std::ostream* out);
void PrintTo(const SchedulingPause& pause, std::ostream* out);
void PrintTo(const Totem& totem, std::ostream* out);
void PrintTo(const Event& event, std::ostream* out);
void PrintTo(const Membership& membership, std::ostream* out);
void PrintTo(const Verdict& verdict, std::ostream* out);
void PrintTo(const Present& present, std::ostream* out);
void PrintTo(const QuorumHistory& history, std::ostream* out);
void PrintTo(const MembershipHistory& history, std::ostream* out);
void PrintTo(const Node& node, std::ostream* out);
void PrintTo(const Notifications& notifications, std::ostream* out);
void PrintTo(const SourceStatus& status, std::ostream* out);
void PrintTo(const ClusterState& state, std::ostream* out);  // a field a line
void PrintTo(ChangeKind kind, std::ostream* out);
void PrintTo(const Change& change, std::ostream* out);

}  // namespace corosync_exporter
