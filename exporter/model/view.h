// SPDX-License-Identifier: Apache-2.0
// What a state says at some moment: of its facts those that count, and what follows from them.
// Metrics, page and JSON are written from it, so that none knows what another does not.
//
// Pure. A view points into its state, which has to outlive it. What is unknown is empty or null.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>

#include "model/cluster_state.h"

namespace corosync_exporter {

class View {
 public:
  View(const ClusterState& state, SteadyTime now) : View{state, known_at(state, now)} {}
  // `known` of another moment too, if it has not changed since.
  View(const ClusterState& state, Known known);

  [[nodiscard]] const ClusterState& state() const { return state_; }

  // ---- The callbacks' facts ----
  [[nodiscard]] bool is_up() const { return known_.present; }
  [[nodiscard]] bool has_provider() const { return is_up() && state_.present->has_provider; }
  // Empty without a provider, too.
  [[nodiscard]] std::optional<bool> quorate() const;
  [[nodiscard]] std::optional<bool> syncing() const;
  [[nodiscard]] const Membership* membership() const;
  // Whether the node is a member of the current ring. Empty, too, for one that is not and that the
  // node list does not name: it was taken out of the cluster. Without a node list any that was seen
  // is missed.
  [[nodiscard]] std::optional<bool> member(NodeId id) const;

  // ---- The readings' facts ----
  [[nodiscard]] std::optional<bool> waiting_for_all() const;
  [[nodiscard]] const Votes* votes() const;
  // The quorum device's, of the votes present: those that this node's casts.
  [[nodiscard]] std::optional<std::uint32_t> device_cast() const;
  // As votequorum says, else as the node list says: of a node not seen since corosync started.
  [[nodiscard]] std::optional<std::uint32_t> votes_of(NodeId id) const;
  [[nodiscard]] const Qdevice* qdevice_of(NodeId id) const;
  // By node, other than the node itself.
  [[nodiscard]] const std::map<NodeId, Reachability>& reachability() const;
  [[nodiscard]] const std::map<LinkId, LinkStatistics>& link_statistics() const;
  // Empty, too, while the link is not connected.
  [[nodiscard]] std::optional<std::chrono::microseconds> latency_of(LinkId id) const;
  [[nodiscard]] const Totem* totem() const;

 private:
  const ClusterState& state_;
  const Known known_;
  const bool has_node_list_;
};

// Present minus required: how many may go before quorum does.
[[nodiscard]] std::int64_t margin_of(const Votes& votes);

}  // namespace corosync_exporter
