// SPDX-License-Identifier: Apache-2.0
#include "exposition/families.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

namespace corosync_exporter {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

// A family in the making. Whether it is a counter shows in its name, as in the exposition.
class Family {
 public:
  Family(std::string_view name, std::string_view help)
      : family_{std::string{name},
                std::string{help},
                name.ends_with("_total") ? MetricType::Counter : MetricType::Gauge,
                {}} {}

  Family& add(double value, Labels labels = {}) {
    ClientMetric metric;
    metric.label = std::move(labels);
    if (family_.type == MetricType::Counter) {
      metric.counter.value = value;
    } else {
      metric.gauge.value = value;
    }
    family_.metric.push_back(std::move(metric));
    return *this;
  }

  void give_to(const FamilySink& sink) {
    if (!family_.metric.empty()) {
      sink(family_);
    }
  }

 private:
  MetricFamily family_;
};

void add(const FamilySink& sink, std::string_view name, std::string_view help, double value) {
  Family{name, help}.add(value).give_to(sink);
}

double number(std::uint64_t count) { return static_cast<double>(count); }
double number(NodeId id) { return static_cast<double>(static_cast<std::uint32_t>(id)); }
double seconds(SystemTime time) {
  return std::chrono::duration<double>{time.time_since_epoch()}.count();
}

// With room for `more` labels.
Labels node_labels(NodeId id, const Node& node, std::size_t more = 0) {
  Labels labels;
  labels.reserve(2 + more);
  labels.push_back({"node_id", std::to_string(static_cast<std::uint32_t>(id))});
  labels.push_back({"node", *node.name});
  return labels;
}

// One series for each node that has a name yet and of which `value` knows something.
template <class Value>
void add_per_node(const FamilySink& sink, const ClusterState& state, std::string_view name,
                  std::string_view help, Value value) {
  Family family{name, help};
  for (const auto& [id, node] : state.nodes) {
    if (!node.name) {
      continue;
    }
    if (const auto known = value(id, node)) {
      family.add(static_cast<double>(*known), node_labels(id, node));
    }
  }
  family.give_to(sink);
}

void add_exporter_history(const FamilySink& sink, const ClusterState& state) {
  add(sink, "corosync_exporter_connects_total", "Connections made to corosync.",
      number(state.connects));

  Family errors{"corosync_exporter_connect_errors_total",
                "Failed calls while connecting to corosync, by call and by corosync's error."};
  for (const auto& [failure, count] : state.connect_errors) {
    errors.add(number(count), {{"call", failure.first}, {"error", failure.second}});
  }
  errors.give_to(sink);

  Family cancelled{"corosync_exporter_calls_cancelled_total",
                   "Calls to corosync taken back because they had waited too long, by call."};
  for (const auto& [call, count] : state.cancelled_calls) {
    cancelled.add(number(count), {{"call", call}});
  }
  cancelled.give_to(sink);

  const Notifications& seen = state.notifications;
  Family{"corosync_exporter_notifications_total", "Callbacks received from corosync."}
      .add(number(seen.quorum_nodelist), {{"service", "quorum"}, {"kind", "nodelist"}})
      .add(number(seen.quorum_quorum), {{"service", "quorum"}, {"kind", "quorum"}})
      .add(number(seen.votequorum_nodelist), {{"service", "votequorum"}, {"kind", "nodelist"}})
      .add(number(seen.votequorum_quorum), {{"service", "votequorum"}, {"kind", "quorum"}})
      .add(number(seen.votequorum_expected_votes),
           {{"service", "votequorum"}, {"kind", "expected_votes"}})
      .give_to(sink);

  Family up{"corosync_exporter_source_up", "Whether the last reading of the source succeeded."};
  for (const auto& [source, status] : state.sources) {
    const bool never_ended = !status.last_success && !status.failure;
    if (!never_ended) {
      up.add(status.up ? 1 : 0, {{"source", std::string{name_of(source)}}});
    }
  }
  up.give_to(sink);
}

void add_cluster(const FamilySink& sink, const ClusterState& state) {
  if (const auto& info = state.info) {
    Family{"corosync_cluster_info", "The cluster's name, transport and quorum provider; always 1."}
        .add(1, {{"cluster_name", info->cluster_name},
                 {"transport", info->transport},
                 {"provider", info->provider}})
        .give_to(sink);
  }
  if (state.local_node) {
    add(sink, "corosync_local_node_id", "Node id of the node that the exporter runs on.",
        number(*state.local_node));
  }
}

void add_quorum(const FamilySink& sink, const View& view) {
  if (const auto quorate = view.quorate()) {
    add(sink, "corosync_quorate", "Whether this node is quorate: 1 quorate, 0 not.",
        *quorate ? 1 : 0);
  }
}

void add_quorum_history(const FamilySink& sink, const QuorumHistory& history) {
  add(sink, "corosync_quorum_changes_total",
      "Changes of the quorum verdict seen, to quorate or to not quorate.", number(history.changes));
  add(sink, "corosync_quorum_losses_total", "Changes of the quorum verdict to not quorate seen.",
      number(history.losses));
  if (history.last_change) {
    add(sink, "corosync_quorum_last_change_timestamp_seconds",
        "When the quorum verdict was last seen to change.", seconds(*history.last_change));
  }
}

void add_membership(const FamilySink& sink, const View& view) {
  if (view.membership() == nullptr) {
    return;
  }
  const Membership& membership = *view.membership();
  add(sink, "corosync_members", "Members of the current ring.", number(membership.members.size()));
  add(sink, "corosync_ring_sequence", "Sequence number of the current ring.",
      number(membership.ring.sequence));
  add(sink, "corosync_ring_leader_node_id",
      "Node id of the current ring's representative; it differs between the sides of a partition.",
      number(membership.ring.leader));
  if (const auto syncing = view.syncing()) {
    add(sink, "corosync_sync_in_progress",
        "Whether a new ring has formed whose quorum verdict is still to come.", *syncing ? 1 : 0);
  }
  add_per_node(sink, view.state(), "corosync_node_member",
               "Whether the node is a member of the current ring.",
               [&](NodeId id, const Node& /*node*/) { return view.member(id); });
}

void add_membership_history(const FamilySink& sink, const ClusterState& state) {
  add(sink, "corosync_membership_changes_total", "Changes of the ring seen.",
      number(state.membership.changes));
  if (state.membership.last_change) {
    add(sink, "corosync_membership_last_change_timestamp_seconds",
        "When the ring was last seen to change.", seconds(*state.membership.last_change));
  }
  add_per_node(sink, state, "corosync_node_joins_total", "How often the node was seen to join.",
               [](NodeId /*id*/, const Node& node) { return std::optional{number(node.joins)}; });
  add_per_node(sink, state, "corosync_node_leaves_total", "How often the node was seen to leave.",
               [](NodeId /*id*/, const Node& node) { return std::optional{number(node.leaves)}; });
}

void add_votes(const FamilySink& sink, const View& view) {
  if (view.votes() == nullptr) {
    return;
  }
  const Votes& votes = *view.votes();
  add(sink, "corosync_votequorum_expected_votes",
      "Votes that this node expects when all nodes are present.", votes.expected);
  add(sink, "corosync_votequorum_highest_expected_votes",
      "Highest number of votes that any node expects.", votes.highest_expected);
  add(sink, "corosync_votequorum_present_votes",
      "Votes present, the quorum device's included where it casts one here.", votes.present);
  add(sink, "corosync_votequorum_required_votes", "Votes that quorum needs.", votes.required);
  add(sink, "corosync_votequorum_margin_votes",
      "Present minus required votes: how many may go before quorum does; negative while too few.",
      static_cast<double>(margin_of(votes)));
  add_per_node(sink, view.state(), "corosync_node_votes",
               "Votes of the node, whether it is present or not.",
               [&](NodeId id, const Node& /*node*/) { return view.votes_of(id); });
  Family{"corosync_votequorum_flag", "Whether a feature of votequorum is in force."}
      .add(votes.two_node ? 1 : 0, {{"flag", "two_node"}})
      .add(votes.wait_for_all ? 1 : 0, {{"flag", "wait_for_all"}})
      .add(votes.last_man_standing ? 1 : 0, {{"flag", "last_man_standing"}})
      .add(votes.auto_tie_breaker ? 1 : 0, {{"flag", "auto_tie_breaker"}})
      .add(votes.allow_downscale ? 1 : 0, {{"flag", "allow_downscale"}})
      .give_to(sink);
}

void add_qdevice(const FamilySink& sink, const View& view) {
  struct Fact {
    std::string_view name;
    std::string_view help;
    bool Qdevice::*value;
  };
  static constexpr std::array<Fact, 4> facts{{
      {"corosync_qdevice_registered", "Whether a quorum device is registered on the member.",
       &Qdevice::registered},
      {"corosync_qdevice_alive", "Whether the member's quorum device is alive.", &Qdevice::alive},
      {"corosync_qdevice_casting_vote", "Whether the member's quorum device casts its vote.",
       &Qdevice::casting_vote},
      {"corosync_qdevice_master_wins",
       "Whether the quorum device's vote decides for the member's side.", &Qdevice::master_wins},
  }};
  for (const Fact& fact : facts) {
    add_per_node(sink, view.state(), fact.name, fact.help,
                 [&](NodeId id, const Node& /*node*/) -> std::optional<bool> {
                   const Qdevice* const device = view.qdevice_of(id);
                   return device != nullptr ? std::optional{device->*fact.value} : std::nullopt;
                 });
  }
  if (view.votes() != nullptr && view.votes()->qdevice) {
    add(sink, "corosync_qdevice_votes", "Votes of the quorum device.", *view.votes()->qdevice);
  }
}

// Null before it has a name.
const Node* named(const ClusterState& state, NodeId id) {
  const auto node = state.nodes.find(id);
  return node != state.nodes.end() && node->second.name ? &node->second : nullptr;
}

// With room for `more` labels.
Labels link_labels(NodeId id, const Node& node, LinkNumber link, std::size_t more = 0) {
  Labels labels = node_labels(id, node, 1 + more);
  labels.push_back({"link", std::to_string(link)});
  return labels;
}

void add_reachability(const FamilySink& sink, const View& view) {
  Family reachable{"corosync_node_reachable", "Whether the node can be reached over any link."};
  Family enabled{"corosync_link_enabled", "Whether the link to the node is enabled."};
  Family connected{"corosync_link_connected", "Whether the link to the node is connected."};
  Family mtu{"corosync_link_mtu_bytes", "MTU found on the link to the node."};
  for (const auto& [id, reachability] : view.reachability()) {
    const Node* const node = named(view.state(), id);
    if (node == nullptr) {
      continue;
    }
    reachable.add(reachability.reachable ? 1 : 0, node_labels(id, *node));
    for (const auto& [number, link] : reachability.links) {
      const Labels labels = link_labels(id, *node, number);
      enabled.add(link.enabled ? 1 : 0, labels);
      connected.add(link.connected ? 1 : 0, labels);
      mtu.add(link.mtu_bytes, labels);
    }
  }
  for (Family* family : {&reachable, &enabled, &connected, &mtu}) {
    family->give_to(sink);
  }
}

constexpr std::string_view name_of(Traffic kind) {
  switch (kind) {
    case Traffic::data:
      return "data";
    case Traffic::ping:
      return "ping";
    case Traffic::pong:
      return "pong";
    case Traffic::pmtu:
      return "pmtu";
  }
  return "";
}

void add_link_traffic(const FamilySink& sink, const View& view) {
  struct Fact {
    std::string_view name;
    std::string_view help;
    std::uint64_t TrafficCounters::*count;
  };
  static constexpr std::array<Fact, 6> facts{{
      {"corosync_link_receive_bytes_total", "Bytes received on the link.",
       &TrafficCounters::receive_bytes},
      {"corosync_link_receive_packets_total", "Packets received on the link.",
       &TrafficCounters::receive_packets},
      {"corosync_link_transmit_bytes_total", "Bytes sent on the link.",
       &TrafficCounters::transmit_bytes},
      {"corosync_link_transmit_packets_total", "Packets sent on the link.",
       &TrafficCounters::transmit_packets},
      {"corosync_link_transmit_errors_total", "Packets that could not be sent on the link.",
       &TrafficCounters::transmit_errors},
      {"corosync_link_transmit_retries_total", "Attempts repeated to send on the link.",
       &TrafficCounters::transmit_retries},
  }};
  for (const Fact& fact : facts) {
    Family family{fact.name, fact.help};
    for (const auto& [id, link] : view.link_statistics()) {
      const Node* const node = named(view.state(), id.first);
      if (node == nullptr) {
        continue;
      }
      for (const auto& [kind, counters] : link.traffic) {
        Labels labels = link_labels(id.first, *node, id.second, 1);
        labels.push_back({"kind", std::string{name_of(kind)}});
        family.add(number(counters.*fact.count), std::move(labels));
      }
    }
    family.give_to(sink);
  }
}

// One series for each link of which `value` knows something.
template <class Value>
void add_per_link(const FamilySink& sink, const View& view, std::string_view name,
                  std::string_view help, Value value) {
  Family family{name, help};
  for (const auto& [id, link] : view.link_statistics()) {
    const Node* const node = named(view.state(), id.first);
    if (const std::optional<double> known = node ? value(id, link) : std::nullopt) {
      family.add(*known, link_labels(id.first, *node, id.second));
    }
  }
  family.give_to(sink);
}

std::optional<double> seconds(std::optional<std::chrono::microseconds> latency) {
  return latency ? std::optional{in_seconds(*latency)} : std::nullopt;
}

void add_link_statistics(const FamilySink& sink, const View& view) {
  add_per_link(
      sink, view, "corosync_link_latency_seconds",
      "Round trip time of the link to the node: knet's moving mean.",
      [&](LinkId id, const LinkStatistics& /*link*/) { return seconds(view.latency_of(id)); });
  add_per_link(sink, view, "corosync_link_latency_max_seconds",
               "Highest that the mean round trip time of the link has been.",
               [](LinkId /*id*/, const LinkStatistics& link) { return seconds(link.latency_max); });
  add_per_link(
      sink, view, "corosync_link_downs_total",
      "How often the link to the node went down; its state at the start counts as one.",
      [](LinkId /*id*/, const LinkStatistics& link) { return std::optional{number(link.downs)}; });
  add_per_link(
      sink, view, "corosync_link_ups_total", "How often the link to the node came up.",
      [](LinkId /*id*/, const LinkStatistics& link) { return std::optional{number(link.ups)}; });
  add_link_traffic(sink, view);
}

constexpr std::string_view name_of(TotemMessage message) {
  switch (message) {
    case TotemMessage::token:
      return "token";
    case TotemMessage::multicast:
      return "multicast";
    case TotemMessage::join:
      return "join";
    case TotemMessage::merge_detect:
      return "merge_detect";
    case TotemMessage::commit_token:
      return "commit_token";
    case TotemMessage::token_hold_cancel:
      return "token_hold_cancel";
  }
  return "";
}

constexpr std::string_view name_of(TotemPhase phase) {
  switch (phase) {
    case TotemPhase::operational:
      return "operational";
    case TotemPhase::gather:
      return "gather";
    case TotemPhase::commit:
      return "commit";
    case TotemPhase::recovery:
      return "recovery";
  }
  return "";
}

// One series for each key of `counters`, told apart by `label`.
template <class Key>
void add_map(const FamilySink& sink, std::string_view name, std::string_view help,
             std::string_view label, const std::map<Key, std::uint64_t>& counters) {
  Family family{name, help};
  for (const auto& [key, count] : counters) {
    family.add(number(count), {{std::string{label}, std::string{name_of(key)}}});
  }
  family.give_to(sink);
}

void add_known(const FamilySink& sink, std::string_view name, std::string_view help,
               std::optional<std::uint64_t> count) {
  if (count) {
    add(sink, name, help, number(*count));
  }
}

void add_known(const FamilySink& sink, std::string_view name, std::string_view help,
               std::optional<std::chrono::milliseconds> duration) {
  if (duration) {
    add(sink, name, help, in_seconds(*duration));
  }
}

void add_totem(const FamilySink& sink, const Totem& totem) {
  add_map(sink, "corosync_totem_messages_transmitted_total",
          "Messages of the totem protocol sent, by kind.", "message", totem.transmitted);
  add_map(sink, "corosync_totem_messages_received_total",
          "Messages of the totem protocol received, by kind.", "message", totem.received);
  add_known(sink, "corosync_totem_messages_dropped_total",
            "Messages of the totem protocol dropped on arrival.", totem.dropped_messages);
  add_known(sink, "corosync_totem_retransmits_total",
            "Multicast messages sent again because a node had missed them.", totem.retransmits);
  add_map(
      sink, "corosync_totem_phase_entries_total",
      "How often the totem protocol entered a phase; gather is the search for a new membership.",
      "phase", totem.entered);
  add_map(sink, "corosync_totem_token_losses_total",
          "How often the token was lost, by the phase that it was lost in.", "phase",
          totem.token_losses);
  add_known(sink, "corosync_totem_consensus_timeouts_total",
            "How often the nodes did not agree on a membership in time.", totem.consensus_timeouts);
  add_known(sink, "corosync_totem_token_interval_seconds",
            "Mean time between two arrivals of the token.", totem.token_interval);
  add_known(sink, "corosync_totem_token_hold_seconds",
            "Mean time from the token's arrival to the end of its handling.", totem.token_hold);
  add_known(sink, "corosync_totem_backlog_messages",
            "Mean number of messages that wait to be sent.", totem.backlog_messages);
  if (totem.network_fault) {
    add(sink, "corosync_totem_network_fault",
        "Whether corosync takes its network for broken: a firewall, or the interface.",
        *totem.network_fault ? 1 : 0);
  }
  if (totem.last_pause) {
    add(sink, "corosync_scheduling_pause_last_timestamp_seconds",
        "The end of the last time that corosync was not scheduled for too long.",
        seconds(totem.last_pause->at));
    add(sink, "corosync_scheduling_pause_last_seconds", "How long corosync was not scheduled then.",
        in_seconds(totem.last_pause->lasted));
  }
  add_known(sink, "corosync_config_token_timeout_seconds",
            "The totem protocol's token timeout in force.", totem.token_timeout);
  add_known(sink, "corosync_config_consensus_timeout_seconds",
            "The totem protocol's consensus timeout in force.", totem.consensus_timeout);
  add_known(sink, "corosync_config_version", "The configuration's config_version.",
            totem.configuration_version);
  add_known(sink, "corosync_ipc_connections", "Connections that clients have to corosync.",
            totem.ipc_connections);
  add_known(sink, "corosync_ipc_closed_total",
            "Connections of clients to corosync that were closed.", totem.ipc_closed);
}

}  // namespace

void present_families(const View& view, const FamilySink& sink) {
  add(sink, "corosync_up",
      "Whether corosync is connected, has told its state and has answered recently.",
      view.is_up() ? 1 : 0);
  add_cluster(sink, view.state());
  add_quorum(sink, view);
  add_membership(sink, view);
  add_votes(sink, view);
  add_qdevice(sink, view);
  if (const auto waiting = view.waiting_for_all()) {
    add(sink, "corosync_votequorum_waiting_for_all",
        "Whether wait_for_all withholds quorum until all nodes were present at once.",
        *waiting ? 1 : 0);
  }
  add_reachability(sink, view);
  add_link_statistics(sink, view);
  if (const Totem* const totem = view.totem()) {
    add_totem(sink, *totem);
  }
}

void history_families(const ClusterState& state, const FamilySink& sink) {
  add_quorum_history(sink, state.quorum);
  add_membership_history(sink, state);
  add_exporter_history(sink, state);
}

void momentary_families(const ClusterState& state, SteadyTime now, Duration lost, const Self& self,
                        const FamilySink& sink) {
  add(sink, "corosync_quorum_lost_seconds_total", "Time seen not quorate; grows while it lasts.",
      in_seconds(lost));

  Family ages{"corosync_exporter_source_age_seconds",
              "Time since the source was last read with success."};
  for (const auto& [source, status] : state.sources) {
    if (const auto passed = age(status, now)) {
      ages.add(in_seconds(*passed), {{"source", std::string{name_of(source)}}});
    }
  }
  ages.give_to(sink);

  if (const auto silent = silence(state, now)) {
    add(sink, "corosync_exporter_silence_seconds",
        "Time since corosync's last word: a callback, an answer, or a connection made.",
        in_seconds(*silent));
  }
  add(sink, "corosync_exporter_call_in_flight_seconds",
      "How long the call under way has waited for corosync; 0 when none is.",
      self.call_in_flight ? in_seconds(*self.call_in_flight) : 0);
  Family answers{"corosync_exporter_http_requests_total",
                 "HTTP requests answered, by status code."};
  for (const auto& [code, count] : self.http_answers) {
    answers.add(number(count), {{"code", std::to_string(code)}});
  }
  answers.give_to(sink);
  if (const auto& config = self.web_config) {
    add(sink, "corosync_exporter_web_config_last_reload_successful",
        "Whether the web configuration in force is what its file says.",
        config->last_reload_succeeded ? 1 : 0);
    add(sink, "corosync_exporter_web_config_reload_failures_total",
        "Failures to reload the web configuration; one that lasts counts once.",
        number(config->reload_failures));
  }
}

void build_families(const Build& build, const FamilySink& sink) {
  Family{"corosync_exporter_build_info", "Version and revision of the exporter; always 1."}
      .add(1, {{"version", build.version}, {"revision", build.revision}})
      .give_to(sink);
}

}  // namespace corosync_exporter
