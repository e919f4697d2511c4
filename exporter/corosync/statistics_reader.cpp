// SPDX-License-Identifier: Apache-2.0
#include "corosync/statistics_reader.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "clock.h"

namespace corosync_exporter {
namespace {

// The names that corosync's exec/stats.c gives to what we tell apart.
constexpr std::array<std::pair<Traffic, std::string_view>, 4> traffics{{
    {Traffic::data, "data"},
    {Traffic::ping, "ping"},
    {Traffic::pong, "pong"},
    {Traffic::pmtu, "pmtu"},
}};
constexpr std::array<std::pair<TotemMessage, std::string_view>, 6> messages{{
    {TotemMessage::token, "orf_token"},
    {TotemMessage::multicast, "mcast"},
    {TotemMessage::join, "memb_join"},
    {TotemMessage::merge_detect, "memb_merge_detect"},
    {TotemMessage::commit_token, "memb_commit_token"},
    {TotemMessage::token_hold_cancel, "token_hold_cancel"},
}};
constexpr std::array<std::pair<TotemPhase, std::string_view>, 4> phases{{
    {TotemPhase::operational, "operational"},
    {TotemPhase::gather, "gather"},
    {TotemPhase::commit, "commit"},
    {TotemPhase::recovery, "recovery"},
}};

std::string link_prefix(LinkId id) {
  return "stats.knet.node" + std::to_string(static_cast<std::uint32_t>(id.first)) + ".link" +
         std::to_string(id.second) + ".";
}

template <class Kind>
void put(std::map<Kind, std::uint64_t>& counters, Kind kind, std::optional<std::uint64_t> count) {
  if (count) {
    counters[kind] = *count;
  }
}

}  // namespace

std::map<LinkId, LinkStatistics> StatisticsReader::links(std::span<const LinkId> ids,
                                                         std::size_t least, SteadyTime until) {
  std::erase_if(links_,
                [&](const auto& link) { return !std::ranges::binary_search(ids, link.first); });
  const auto begin =
      static_cast<std::size_t>(std::ranges::upper_bound(ids, last_read_) - ids.begin());
  bool has_time = true;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const LinkId id = ids[(begin + i) % ids.size()];
    if (!has_time && links_.contains(id)) {
      continue;
    }
    if (auto link = this->link(id)) {
      links_[id] = *std::move(link);
    } else {
      links_.erase(id);
    }
    if (has_time) {
      last_read_ = id;
      has_time = i + 1 < least || current_moment().steady < until;
    }
  }
  return links_;
}

std::optional<LinkStatistics> StatisticsReader::link(LinkId id) {
  const std::string prefix = link_prefix(id);
  const auto downs = cmap_.number(prefix + "down_count");
  const auto ups = cmap_.number(prefix + "up_count");
  if (!downs || !ups) {
    return std::nullopt;
  }
  LinkStatistics link{.downs = *downs, .ups = *ups, .traffic = traffic(id)};
  // Before the first sample the minimum is 2^32-1 and the rest 0.
  if (cmap_.number(prefix + "latency_samples").value_or(0) > 0) {
    link.latency = microseconds(prefix + "latency_ave");
    link.latency_max = microseconds(prefix + "latency_max");
  }
  return link;
}

std::map<Traffic, TrafficCounters> StatisticsReader::traffic(LinkId id) {
  const std::string prefix = link_prefix(id);
  std::map<Traffic, TrafficCounters> traffic;
  bool is_whole = true;
  for (const auto& [kind, name] : traffics) {
    const auto count = [&, key = name](std::string_view direction, std::string_view what) {
      const auto number =
          cmap_.number(prefix + std::string{direction} + std::string{key} + std::string{what});
      is_whole = is_whole && number;
      return number.value_or(0);
    };
    traffic[kind] = {.receive_bytes = count("rx_", "_bytes"),
                     .receive_packets = count("rx_", "_packets"),
                     .transmit_bytes = count("tx_", "_bytes"),
                     .transmit_packets = count("tx_", "_packets"),
                     .transmit_errors = count("tx_", "_errors"),
                     .transmit_retries = count("tx_", "_retries")};
  }
  return is_whole ? traffic : std::map<Traffic, TrafficCounters>{};
}

Totem StatisticsReader::totem() {
  const std::string prefix = "stats.srp.";
  Totem totem{.retransmits = cmap_.number(prefix + "mcast_retx"),
              .consensus_timeouts = cmap_.number(prefix + "consensus_timeouts"),
              .dropped_messages = cmap_.number(prefix + "rx_msg_dropped"),
              .token_interval = milliseconds(prefix + "mtt_rx_token"),
              .token_hold = milliseconds(prefix + "avg_token_workload"),
              .backlog_messages = cmap_.number(prefix + "avg_backlog_calc"),
              .last_pause = last_pause(),
              .ipc_connections = cmap_.number("stats.ipcs.global.active"),
              .ipc_closed = cmap_.number("stats.ipcs.global.closed")};
  if (const auto fault = cmap_.number(prefix + "firewall_enabled_or_nic_failure")) {
    totem.network_fault = *fault != 0;
  }
  for (const auto& [message, name] : messages) {
    put(totem.transmitted, message, cmap_.number(prefix + std::string{name} + "_tx"));
    put(totem.received, message, cmap_.number(prefix + std::string{name} + "_rx"));
  }
  for (const auto& [phase, name] : phases) {
    put(totem.entered, phase, cmap_.number(prefix + std::string{name} + "_entered"));
    put(totem.token_losses, phase, cmap_.number(prefix + std::string{name} + "_token_lost"));
  }
  return totem;
}

std::optional<std::chrono::microseconds> StatisticsReader::microseconds(const std::string& key) {
  const auto number = cmap_.number(key);
  return number ? std::optional{std::chrono::microseconds{*number}} : std::nullopt;
}

std::optional<std::chrono::milliseconds> StatisticsReader::milliseconds(const std::string& key) {
  const auto number = cmap_.number(key);
  return number ? std::optional{std::chrono::milliseconds{*number}} : std::nullopt;
}

// The newest is number 0; there is none before the first pause.
std::optional<SchedulingPause> StatisticsReader::last_pause() {
  const auto at = cmap_.number("stats.schedmiss.0.timestamp");  // milliseconds since 1970
  const auto lasted = cmap_.real("stats.schedmiss.0.delay");    // milliseconds
  if (!at || !lasted) {
    return std::nullopt;
  }
  return SchedulingPause{.at = SystemTime{std::chrono::milliseconds{*at}},
                         .lasted = std::chrono::duration_cast<Duration>(
                             std::chrono::duration<double, std::milli>{*lasted})};
}

}  // namespace corosync_exporter
