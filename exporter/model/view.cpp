// SPDX-License-Identifier: Apache-2.0
#include "model/view.h"

#include <algorithm>

namespace corosync_exporter {

View::View(const ClusterState& state, Known known)
    : state_{state},
      known_{known},
      has_node_list_{std::ranges::any_of(
          state.nodes, [](const auto& entry) { return entry.second.configured; })} {}

std::optional<bool> View::quorate() const {
  return is_up() && state_.present->verdict ? std::optional{state_.present->verdict->quorate}
                                            : std::nullopt;
}

std::optional<bool> View::syncing() const {
  return has_provider() ? std::optional{is_syncing(state_)} : std::nullopt;
}

const Membership* View::membership() const {
  return is_up() ? &*state_.present->membership : nullptr;
}

std::optional<bool> View::member(NodeId id) const {
  if (!is_up()) {
    return std::nullopt;
  }
  const auto& members = state_.present->membership->members;
  if (std::ranges::find(members, id) != members.end()) {
    return true;
  }
  const auto node = state_.nodes.find(id);
  const bool listed = node != state_.nodes.end() && node->second.configured;
  return listed || !has_node_list_ ? std::optional{false} : std::nullopt;
}

std::optional<bool> View::waiting_for_all() const {
  return known_.configuration && has_provider() ? std::optional{state_.present->waiting_for_all}
                                                : std::nullopt;
}

const Votes* View::votes() const {
  return known_.votes && state_.present->votes ? &*state_.present->votes : nullptr;
}

std::optional<std::uint32_t> View::device_cast() const {
  const Votes* const read = votes();
  if (read == nullptr || !read->qdevice || !state_.local_node) {
    return std::nullopt;
  }
  const Qdevice* const device = qdevice_of(*state_.local_node);
  return device != nullptr && device->casting_vote ? std::min(*read->qdevice, read->present) : 0;
}

std::optional<std::uint32_t> View::votes_of(NodeId id) const {
  const Votes* const read = votes();
  if (read == nullptr) {
    return std::nullopt;
  }
  if (const auto voter = read->nodes.find(id); voter != read->nodes.end()) {
    return voter->second.votes;
  }
  const auto node = state_.nodes.find(id);
  return known_.configuration && node != state_.nodes.end() && node->second.configured
             ? std::optional{node->second.configured_votes}
             : std::nullopt;
}

const Qdevice* View::qdevice_of(NodeId id) const {
  const Votes* const read = votes();
  if (read == nullptr) {
    return nullptr;
  }
  const auto voter = read->nodes.find(id);
  return voter != read->nodes.end() && voter->second.qdevice ? &*voter->second.qdevice : nullptr;
}

const std::map<NodeId, Reachability>& View::reachability() const {
  static const std::map<NodeId, Reachability> unknown;
  return known_.reachability ? state_.present->reachability.map() : unknown;
}

const std::map<LinkId, LinkStatistics>& View::link_statistics() const {
  static const std::map<LinkId, LinkStatistics> unknown;
  return known_.configuration ? state_.present->link_statistics.map() : unknown;
}

std::optional<std::chrono::microseconds> View::latency_of(LinkId id) const {
  const auto statistics = link_statistics().find(id);
  if (statistics == link_statistics().end()) {
    return std::nullopt;
  }
  if (const auto node = reachability().find(id.first); node != reachability().end()) {
    const auto link = node->second.links.find(id.second);
    if (link != node->second.links.end() && !link->second.connected) {
      return std::nullopt;
    }
  }
  return statistics->second.latency;
}

const Totem* View::totem() const {
  return known_.configuration && state_.present->totem ? &*state_.present->totem : nullptr;
}

std::int64_t margin_of(const Votes& votes) { return std::int64_t{votes.present} - votes.required; }

}  // namespace corosync_exporter
