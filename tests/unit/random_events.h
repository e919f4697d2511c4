// SPDX-License-Identifier: Apache-2.0
// Random courses of events, such as corosync might cause: few nodes and few rings, so that things
// repeat and collide; words that come late; gaps longer than the patience with silence.
//
// The same seed makes the same events, on every machine.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "model/events.h"

namespace corosync_exporter {

class RandomEvents {
 public:
  explicit RandomEvents(std::uint32_t seed) : engine_{seed} {}

  // Mostly short; sometimes longer than 15 s; and now and then back by some milliseconds, as words
  // of several threads may arrive in another order than that of their times.
  Duration pause() {
    if (chance(8)) {
      return -std::chrono::milliseconds{below(20)};
    }
    return std::chrono::milliseconds{chance(15) ? below(40'000) : below(3'000)};
  }

  // `now`: of an answer, which may be told late.
  Event event(SteadyTime now = {}) {
    now_ = now;
    if (!connected_ && !chance(20)) {  // those 20 come late
      return try_to_connect();
    }
    if (connected_ && chance(5)) {
      connected_ = false;
      return Disconnected{.failure = failure()};
    }
    return word();
  }

  // Less than `limit`.
  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(engine_()) % limit; }
  bool chance(std::uint32_t percent) { return below(100) < percent; }

 private:
  Event try_to_connect() {
    if (chance(40)) {
      return ConnectFailed{.failure = failure()};
    }
    connected_ = true;
    return Connected{.has_provider = chance(80)};
  }

  Event word() {
    switch (below(10)) {
      case 0:
      case 1:
        return NodeListNotified{
            .ring = ring(), .members = some_nodes(), .joined = few_nodes(), .left = few_nodes()};
      case 2:
      case 3:
        return QuorumNotified{.quorate = chance(50), .ring = ring()};
      case 4:
        return chance(50) ? Event{VotequorumNodeListNotified{}} : Event{ExpectedVotesNotified{}};
      case 5:
        return VotequorumQuorumNotified{.voters = some_nodes()};
      case 6:
        return VotesRead{.votes = votes()};
      case 7:
        return ConfigurationRead{
            .info = {.cluster_name = name(), .transport = name(), .provider = name()},
            .waiting_for_all = chance(50),
            .nodes = configuration()};
      case 8:
        return statistics();
      default:
        return end_of_reading();
    }
  }

  Event end_of_reading() {
    const auto source = static_cast<Source>(below(3));
    switch (below(6)) {
      case 0:
        return LocalNodeRead{.id = node()};
      case 1:
        return SourceRead{.source = source};
      case 2:
        return ReadingInterrupted{.source = source};
      case 3:
        return CallCancelled{.call = name()};
      case 4:
        return Answered{.at = now_ - std::chrono::milliseconds{below(3000)}};
      default:
        return ReadingFailed{.source = source, .failure = failure()};
    }
  }

  Event statistics() {
    switch (below(3)) {
      case 0: {
        ReachabilityRead reading;
        for (const NodeId peer : some_nodes()) {
          reading.nodes[peer] = {
              .reachable = chance(50),
              .links = {{static_cast<LinkNumber>(below(8)),
                         {.enabled = chance(50), .connected = chance(50), .mtu_bytes = below(9)}}}};
        }
        return reading;
      }
      case 1: {
        LinkStatisticsRead reading;
        for (const NodeId peer : some_nodes()) {
          LinkStatistics& link = reading.links[{peer, static_cast<LinkNumber>(below(8))}];
          link = {.downs = below(9), .ups = below(9)};
          link.traffic[static_cast<Traffic>(below(4))].receive_bytes = below(9);
          if (chance(50)) {
            link.latency = std::chrono::microseconds{below(9)};
          }
        }
        return reading;
      }
      default: {
        Totem totem{.transmitted = {{static_cast<TotemMessage>(below(6)), below(9)}},
                    .entered = {{static_cast<TotemPhase>(below(4)), below(9)}}};
        if (chance(50)) {
          totem.network_fault = chance(50);
        }
        if (chance(50)) {
          totem.token_timeout = std::chrono::milliseconds{below(9)};
        }
        return TotemRead{.totem = totem};
      }
    }
  }

  NodeId node() { return NodeId{1 + below(5)}; }
  RingId ring() { return {.leader = NodeId{1 + below(2)}, .sequence = 4 * (1 + below(3))}; }
  std::string name() { return std::string(1, static_cast<char>('a' + below(4))); }
  Failure failure() {
    return {.call = "call_" + name(),
            .error = "CS_ERR_" + name(),
            .detail = chance(50) ? "why" : "",
            .answered = chance(50)};
  }
  std::vector<NodeId> some_nodes() {
    std::vector<NodeId> nodes;
    for (std::uint32_t i = 1; i <= 5; ++i) {
      if (chance(60)) {
        nodes.push_back(NodeId{i});
      }
    }
    return nodes;
  }
  std::vector<NodeId> few_nodes() { return chance(60) ? std::vector<NodeId>{} : some_nodes(); }

  Votes votes() {
    Votes votes{.expected = below(9),
                .highest_expected = below(9),
                .present = below(9),
                .required = below(9),
                .two_node = chance(50),
                .wait_for_all = chance(50),
                .last_man_standing = chance(50),
                .auto_tie_breaker = chance(50),
                .allow_downscale = chance(50)};
    if (chance(30)) {
      votes.qdevice = below(9);
    }
    for (const NodeId voter : some_nodes()) {
      NodeVotes& node = votes.nodes[voter];
      node.votes = below(9);
      if (chance(50)) {
        node.qdevice = Qdevice{.registered = chance(50),
                               .alive = chance(50),
                               .casting_vote = chance(50),
                               .master_wins = chance(50)};
      }
    }
    return votes;
  }

  std::map<NodeId, NodeConfiguration> configuration() {
    std::map<NodeId, NodeConfiguration> nodes;
    for (const NodeId listed : some_nodes()) {
      nodes[listed] = {.name = name(), .configured = chance(70), .votes = below(9)};
    }
    return nodes;
  }

  std::mt19937 engine_;
  bool connected_ = false;
  SteadyTime now_{};
};

}  // namespace corosync_exporter
