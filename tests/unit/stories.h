// SPDX-License-Identifier: Apache-2.0
// The stories whose pages are kept as golden files: each situation that an operator may find.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "story.h"

namespace corosync_exporter {

using namespace std::chrono_literals;

inline constexpr const char* provider = "corosync_votequorum";

inline std::map<NodeId, NodeConfiguration> three_nodes() {
  return {{id(1), {.name = "node1", .configured = true, .votes = 1}},
          {id(2), {.name = "node2", .configured = true, .votes = 1}},
          {id(3), {.name = "node3", .configured = true, .votes = 1}}};
}

inline ConfigurationRead configuration(std::map<NodeId, NodeConfiguration> nodes) {
  return {.info = {.cluster_name = "production", .transport = "knet", .provider = provider},
          .nodes = std::move(nodes)};
}

inline Votes votes(std::uint32_t present, std::vector<NodeId> voters) {
  Votes votes{.expected = 3, .highest_expected = 3, .present = present, .required = 2};
  for (const NodeId voter : voters) {
    votes.nodes[voter] = {.votes = 1, .qdevice = Qdevice{}};
  }
  return votes;
}

// A new ring, told in corosync's order.
inline Story& form(Story& story, RingId ring, bool quorate, const std::vector<NodeId>& members,
                   const std::vector<NodeId>& joined = {}, const std::vector<NodeId>& left = {}) {
  return story.node_list({.ring = ring, .members = members, .joined = joined, .left = left})
      .then(VotequorumNodeListNotified{})
      .wait(3ms)
      .verdict(quorate, ring)
      .then(VotequorumQuorumNotified{ids({2, 3, 1})});
}

inline LinkStatistics link_statistics(std::uint64_t seed) {
  LinkStatistics link{.latency = std::chrono::microseconds{100 + seed},
                      .latency_max = std::chrono::microseconds{1000 + seed},
                      .downs = seed + 1,
                      .ups = seed + 2};
  for (const Traffic kind : {Traffic::data, Traffic::ping, Traffic::pong, Traffic::pmtu}) {
    seed += 1000;
    link.traffic[kind] = {.receive_bytes = seed + 6,
                          .receive_packets = seed + 5,
                          .transmit_bytes = seed + 4,
                          .transmit_packets = seed + 3,
                          .transmit_errors = seed + 2,
                          .transmit_retries = seed + 1};
  }
  return link;
}

inline Totem totem() {
  return {.transmitted = {{TotemMessage::token, 1001},
                          {TotemMessage::multicast, 1002},
                          {TotemMessage::join, 1003},
                          {TotemMessage::merge_detect, 1004},
                          {TotemMessage::commit_token, 1005},
                          {TotemMessage::token_hold_cancel, 1006}},
          .received = {{TotemMessage::token, 1007},
                       {TotemMessage::multicast, 1008},
                       {TotemMessage::join, 1009},
                       {TotemMessage::merge_detect, 1010},
                       {TotemMessage::commit_token, 1011},
                       {TotemMessage::token_hold_cancel, 1012}},
          .entered = {{TotemPhase::operational, 13},
                      {TotemPhase::gather, 14},
                      {TotemPhase::commit, 15},
                      {TotemPhase::recovery, 16}},
          .token_losses = {{TotemPhase::operational, 17},
                           {TotemPhase::gather, 18},
                           {TotemPhase::commit, 19},
                           {TotemPhase::recovery, 20}},
          .retransmits = 21,
          .consensus_timeouts = 22,
          .dropped_messages = 23,
          .token_interval = 303ms,
          .token_hold = 4ms,
          .backlog_messages = 26,
          .network_fault = false,
          .last_pause = SchedulingPause{.at = SystemTime{1'699'999'000'250ms}, .lasted = 1345678us},
          .ipc_connections = 27,
          .ipc_closed = 28,
          .token_timeout = 1650ms,
          .consensus_timeout = 1980ms,
          .configuration_version = 29};
}

// Two links to node 2, the second of which is down; one to node 3, without a sample yet.
inline Story& read_statistics(Story& story) {
  LinkStatistics new_link = link_statistics(300);
  new_link.latency.reset();
  new_link.latency_max.reset();
  return story
      .read(ReachabilityRead{
          {{id(2),
            {.reachable = true,
             .links = {{0, {.enabled = true, .connected = true, .mtu_bytes = 1397}},
                       {1, {.enabled = true, .connected = false, .mtu_bytes = 0}}}}},
           {id(3),
            {.reachable = false,
             .links = {{0, {.enabled = true, .connected = false, .mtu_bytes = 469}}}}}}})
      .read(TotemRead{totem()})
      .read(LinkStatisticsRead{{{{id(2), 0}, link_statistics(100)},
                                {{id(2), 1}, link_statistics(200)},
                                {{id(3), 0}, new_link}}});
}

inline Story& read(Story& story, const Votes& votes) {
  return story.wait(1ms)
      .read(VotesRead{votes})
      .wait(1ms)
      .read(configuration(three_nodes()))
      .wait(1ms)
      .read(LocalNodeRead{id(1)});
}

inline Story never_connected() {
  Story story;
  const Failure refused{
      .call = "quorum_model_initialize", .error = "CS_ERR_LIBRARY", .detail = "Connection refused"};
  story.then(ConnectFailed{refused}).wait(250ms).then(ConnectFailed{refused}).wait(500ms);
  return story.then(ConnectFailed{failure("votequorum_initialize", "CS_ERR_TRY_AGAIN")}).wait(1s);
}

// Three nodes that lost their quorum for a while, once.
inline Story quorate() {
  Story story = Story{}.wait(123456789ns).connect();
  form(story, ring(1, 8), true, ids({1, 2, 3}));
  read(story, votes(3, ids({1, 2, 3}))).wait(1h);
  form(story, ring(1, 12), false, ids({1}), {}, ids({2, 3}));
  read(story, votes(1, ids({1, 2, 3}))).wait(2345ms);
  form(story, ring(1, 16), true, ids({1, 2, 3}), ids({2, 3}));
  story.then(ExpectedVotesNotified{});
  return read(story, votes(3, ids({1, 2, 3}))).wait(1500ms);
}

// The same with all that may be turned off.
inline Story links_and_totem() {
  Story story = quorate();
  return read_statistics(story).wait(1s);
}

inline Story not_quorate() {
  Story story = quorate();
  story.wait(10min);
  form(story, ring(1, 20), false, ids({1}), {}, ids({2, 3}));
  Votes alone = votes(1, ids({1, 2, 3}));
  alone.nodes[id(2)].qdevice.reset();
  alone.nodes[id(3)].qdevice.reset();
  return read(story, alone).wait(4200ms);
}

// A ring without a verdict yet: corosync waits for its quorum device.
inline Story sync_in_progress() {
  Story story = quorate();
  return story.wait(1s)
      .node_list({.ring = ring(1, 20), .members = ids({1, 2}), .left = ids({3})})
      .wait(2s);
}

inline Story no_provider() {
  Story story = Story{}.connect(false);
  story.node_list({.ring = ring(1, 8), .members = ids({1, 2})}).verdict(true, ring(0, 0)).wait(1ms);
  ConfigurationRead reading = configuration({{id(1), {.name = "10.0.0.1", .configured = true}},
                                             {id(2), {.name = "2", .configured = true}}});
  reading.info.provider = "";
  return story.read(reading).read(LocalNodeRead{id(2)}).wait(1s);
}

// Two of three nodes and a quorum device; node 3 was there once.
inline Story qdevice() {
  Story story = Story{}.connect();
  form(story, ring(1, 8), true, ids({1, 2}));
  Votes with_device{
      .expected = 5, .highest_expected = 6, .present = 4, .required = 3, .qdevice = 2};
  with_device.nodes = {
      {id(1),
       {.votes = 1,
        .qdevice =
            Qdevice{
                .registered = true, .alive = true, .casting_vote = true, .master_wins = false}}},
      {id(2),
       {.votes = 1,
        .expected = 6,
        .qdevice =
            Qdevice{
                .registered = true, .alive = false, .casting_vote = false, .master_wins = true}}},
      {id(3), {.votes = 1, .qdevice = std::nullopt}}};
  return read(story, with_device).wait(1s);
}

// The half of four nodes that has the tie breaker.
inline Story tie_breaker() {
  Story story = Story{}.connect();
  form(story, ring(1, 8), true, ids({1, 2, 3, 4}));
  form(story.wait(1min), ring(1, 12), true, ids({1, 2}), {}, ids({3, 4}));
  Votes half{
      .expected = 4, .highest_expected = 4, .present = 2, .required = 3, .auto_tie_breaker = true};
  half.nodes = {{id(1), {.votes = 1, .qdevice = Qdevice{}}},
                {id(2), {.votes = 1, .qdevice = Qdevice{}}}};
  auto nodes = three_nodes();
  nodes[id(4)] = {.name = "node4", .configured = true, .votes = 1};
  return story.read(VotesRead{half}).read(configuration(nodes)).read(LocalNodeRead{id(1)}).wait(1s);
}

// Two nodes that were never both present since they started: votes enough, and no quorum.
inline Story waiting_for_all() {
  Story story = Story{}.connect();
  const RingId alone = ring(1, 4);
  story.node_list({.ring = alone, .members = ids({1})})
      .verdict(false, alone)
      .then(VotequorumQuorumNotified{ids({1})});
  Votes votes{.expected = 2,
              .highest_expected = 2,
              .present = 1,
              .required = 1,
              .two_node = true,
              .wait_for_all = true};
  votes.nodes = {{id(1), {.votes = 1, .qdevice = Qdevice{}}}};
  ConfigurationRead reading = configuration({{id(1), {.name = "node1", .configured = true}},
                                             {id(2), {.name = "node2", .configured = true}}});
  reading.waiting_for_all = true;
  return story.read(VotesRead{votes}).read(reading).read(LocalNodeRead{id(1)}).wait(10s);
}

// Three nodes that waited for each other once, and have to again: the second does not suffice.
inline Story waiting_again() {
  Story story = Story{}.connect();
  form(story, ring(1, 8), true, ids({1, 2, 3}));
  form(story.wait(1min), ring(1, 12), false, ids({1}), {}, ids({2, 3}));
  Votes alone = votes(1, ids({1}));
  alone.wait_for_all = true;
  ConfigurationRead reading = configuration(three_nodes());
  reading.waiting_for_all = true;
  return story.read(VotesRead{alone}).read(reading).read(LocalNodeRead{id(1)}).wait(10s);
}

inline Story stale() { return quorate().wait(20s); }

// Corosync is alive, and too busy for our readings: of `lasting`, in steps of 5 s.
inline Story busy(Duration lasting) {
  Story story = quorate();
  for (Duration passed{}; passed < lasting; passed += 5s) {
    story.wait(5s).then(CallCancelled{.call = "votequorum_getinfo"});
    for (const Source source : {Source::votequorum, Source::cmap, Source::cfg}) {
      story.then(ReadingInterrupted{.source = source});
    }
    story.then(Answered{.at = story.now().steady}).wait(750ms);
  }
  return story;
}

inline Story disconnected() {
  return quorate()
      .disconnect()
      .wait(250ms)
      .then(ConnectFailed{{.call = "quorum_model_initialize",
                           .error = "CS_ERR_LIBRARY",
                           .detail = "Connection refused"}})
      .wait(1min);
}

inline Story failed_reading() {
  Story story = quorate();
  return story
      .then(
          ReadingFailed{.source = Source::cmap, .failure = failure("cmap_get", "CS_ERR_TRY_AGAIN")})
      .wait(1s);
}

// Names that would break a page, or put a line of their own on it, if they were not escaped.
inline Story hostile_names() {
  Story story = Story{}.connect();
  story.node_list({.ring = ring(1, 8), .members = ids({1, 2})}).verdict(true, ring(1, 8));
  ConfigurationRead reading = configuration({
      {id(1), {.name = "\"} 1\ncorosync_quorate 0\n#", .configured = true}},
      {id(2), {.name = "back\\slash\\", .configured = true}},
      {id(3), {.name = "{node=\"x\",}", .configured = true}},
      {id(4), {.name = "k\u00f6ln \U0001F980 \uFFFD", .configured = true}},
      {id(5), {.name = "", .configured = true}},
      {id(6), {.name = "tab\tcarriage\rescape\x1b[31m", .configured = true}},
      {id(4294967295), {.name = std::string(255, 'x'), .configured = true}},
  });
  reading.info = {.cluster_name = "\\n\"\n", .transport = "# HELP", .provider = "\\\\"};
  return story.read(reading).wait(1s);
}

}  // namespace corosync_exporter
