// SPDX-License-Identifier: Apache-2.0
// A second opinion on the core: what the exporter has to know after a course of events, worked out
// from what it promises in docs/metrics.md.
//
// Slow and plain on purpose. It keeps everything that ever happened and answers each question by
// reading all of it again from the start: nothing is carried over from one event to the next, so
// that nothing can be carried over wrongly. Do not make it faster, and do not make it share code
// with the model it judges: being slow and plain is all it is good for.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "model/cluster_state.h"
#include "model/events.h"

namespace corosync_exporter {

class ReferenceModel {
 public:
  explicit ReferenceModel(std::chrono::milliseconds stale_after) : stale_after_{stale_after} {}

  void happened(const Event& event, Moment at) {
    bool heard = false;
    bool decided = false;
    for (const Entry& entry : all_) {
      if (const auto* connected = std::get_if<Connected>(&entry.event)) {
        heard = true;
        decided = connected->has_provider;
      } else if (std::holds_alternative<Disconnected>(entry.event)) {
        heard = false;
      }
    }
    all_.push_back({.event = event, .at = at, .heard = heard, .decided = heard && decided});
  }

  [[nodiscard]] ClusterState state() const {
    return {.stale_after = stale_after_,
            .present = present(),
            .connects = count<Connected>(),
            .connect_errors = connect_errors(),
            .cancelled_calls = cancelled_calls(),
            .disconnected_by = disconnected_by(),
            .notifications = {.quorum_nodelist = count<NodeListNotified>(),
                              .quorum_quorum = count<QuorumNotified>(),
                              .votequorum_nodelist = count<VotequorumNodeListNotified>(),
                              .votequorum_quorum = count<VotequorumQuorumNotified>(),
                              .votequorum_expected_votes = count<ExpectedVotesNotified>()},
            .sources = sources(),
            .info = info(),
            .local_node = local_node(),
            .quorum = quorum(),
            .membership = membership(),
            .nodes = nodes()};
  }

  // 1 while connected, subscribed and recently answered.
  [[nodiscard]] bool is_up(SteadyTime now) const {
    const auto connection = present();
    return connection && connection->membership &&
           (connection->verdict || !connection->has_provider) &&
           now - connection->last_word <= stale_after_;
  }

  // Time seen not quorate, growing while it lasts, but not in a silence that lasts still.
  [[nodiscard]] Duration time_without_quorum(SteadyTime now) const {
    Duration sum{};
    for (const auto& [begin, end] : losses()) {
      sum +=
          std::max<Duration>(end.value_or(std::min(now, last_word() + stale_after_)) - begin, {});
    }
    return sum;
  }

 private:
  struct Entry {
    Event event;
    Moment at;
    bool heard = false;    // a connection stood
    bool decided = false;  // and a provider decided over quorum on it
  };

  template <class Wanted>
  static const Wanted* as(const Entry& entry) {
    return std::get_if<Wanted>(&entry.event);
  }

  template <class Wanted>
  [[nodiscard]] std::uint64_t count() const {
    return static_cast<std::uint64_t>(
        std::ranges::count_if(all_, [](const Entry& entry) { return as<Wanted>(entry); }));
  }

  template <class Wanted>
  using Told = std::vector<std::pair<const Wanted*, Moment>>;

  // Those of a kind that came while a connection stood.
  template <class Wanted>
  [[nodiscard]] Told<Wanted> heard() const {
    Told<Wanted> found;
    for (const Entry& entry : all_) {
      if (entry.heard && as<Wanted>(entry)) {
        found.push_back({as<Wanted>(entry), entry.at});
      }
    }
    return found;
  }

  // Without a provider nobody decides, so there is no verdict.
  [[nodiscard]] Told<QuorumNotified> verdicts() const {
    Told<QuorumNotified> found;
    for (const Entry& entry : all_) {
      if (entry.decided && as<QuorumNotified>(entry)) {
        found.push_back({as<QuorumNotified>(entry), entry.at});
      }
    }
    return found;
  }

  [[nodiscard]] std::map<std::string, std::uint64_t> cancelled_calls() const {
    std::map<std::string, std::uint64_t> calls;
    for (const Entry& entry : all_) {
      if (const auto* cancelled = as<CallCancelled>(entry)) {
        ++calls[cancelled->call];
      }
    }
    return calls;
  }

  [[nodiscard]] std::map<std::pair<std::string, std::string>, std::uint64_t> connect_errors()
      const {
    std::map<std::pair<std::string, std::string>, std::uint64_t> errors;
    for (const Entry& entry : all_) {
      if (const auto* failed = as<ConnectFailed>(entry)) {
        errors[{failed->failure.call, failed->failure.error}] += 1;
      }
    }
    return errors;
  }

  [[nodiscard]] std::optional<Failure> disconnected_by() const {
    std::optional<Failure> reason;
    for (const Entry& entry : all_) {
      if (const auto* failed = as<ConnectFailed>(entry)) {
        reason = failed->failure;
      } else if (const auto* disconnected = as<Disconnected>(entry)) {
        reason = disconnected->failure;
      } else if (as<Connected>(entry)) {
        reason.reset();
      }
    }
    return reason;
  }

  // What was said since the connection that stands was made; nothing where none stands.
  [[nodiscard]] std::span<const Entry> of_this_connection() const {
    std::optional<std::size_t> begin;
    for (std::size_t i = 0; i < all_.size(); ++i) {
      if (as<Connected>(all_[i])) {
        begin = i;
      }
      if (as<Disconnected>(all_[i])) {
        begin.reset();
      }
    }
    return begin ? std::span{all_}.subspan(*begin) : std::span<const Entry>{};
  }

  [[nodiscard]] std::optional<Present> present() const {
    const auto entries = of_this_connection();
    if (entries.empty()) {
      return std::nullopt;
    }
    Present present;
    for (const Entry& entry : entries) {
      follow_word(present.last_word, entry);
      if (const auto* connected = as<Connected>(entry)) {
        present.has_provider = connected->has_provider;
      }
      if (const auto* list = as<NodeListNotified>(entry)) {
        present.membership = Membership{.ring = list->ring, .members = list->members};
      }
      if (const auto* verdict = as<QuorumNotified>(entry); verdict && present.has_provider) {
        present.verdict = Verdict{.quorate = verdict->quorate, .ring = verdict->ring};
      }
      if (const auto* voters = as<VotequorumQuorumNotified>(entry)) {
        present.voters = voters->voters;
      }
      if (const auto* votes = as<VotesRead>(entry)) {
        present.votes = votes->votes;
      }
      if (const auto* configuration = as<ConfigurationRead>(entry)) {
        present.waiting_for_all = configuration->waiting_for_all;
      }
      if (const auto* reachability = as<ReachabilityRead>(entry)) {
        present.reachability = reachability->nodes;
      }
      if (const auto* statistics = as<LinkStatisticsRead>(entry)) {
        present.link_statistics = statistics->links;
      }
      if (const auto* totem = as<TotemRead>(entry)) {
        present.totem = totem->totem;
      }
      if (failed(entry, Source::votequorum)) {
        present.votes = std::nullopt;
      }
      if (failed(entry, Source::cmap)) {
        present.link_statistics = {};
        present.totem = std::nullopt;
      }
      if (failed(entry, Source::cfg)) {
        present.reachability = {};
      }
    }
    return present;
  }

  static bool failed(const Entry& entry, Source source) {
    const auto* reading = as<ReadingFailed>(entry);
    return reading && reading->source == source;
  }

  // When corosync said something by this: a reading that failed without its doing, or that was
  // interrupted, is no word of it.
  static std::optional<SteadyTime> word(const Entry& entry) {
    const auto* failed = as<ReadingFailed>(entry);
    if (!(entry.heard || as<Connected>(entry)) || (failed && !failed->failure.answered) ||
        as<ConnectFailed>(entry) || as<Disconnected>(entry) || as<ReadingInterrupted>(entry) ||
        as<CallCancelled>(entry)) {
      return std::nullopt;
    }
    const auto* answered = as<Answered>(entry);
    return answered ? answered->at : entry.at.steady;
  }

  // The newest of this connection up to this entry, in case their times go back.
  static void follow_word(SteadyTime& last, const Entry& entry) {
    if (const auto at = word(entry)) {
      last = as<Connected>(entry) ? *at : std::max(last, *at);
    }
  }

  // On the connection that stands, or stood last.
  [[nodiscard]] SteadyTime last_word() const {
    SteadyTime last{};
    for (const Entry& entry : all_) {
      follow_word(last, entry);
    }
    return last;
  }

  // From a verdict of no quorum to the next of quorum, or to the end of the connection; what nobody
  // told any more before that end does not count.
  [[nodiscard]] std::vector<std::pair<SteadyTime, std::optional<SteadyTime>>> losses() const {
    std::vector<std::pair<SteadyTime, std::optional<SteadyTime>>> losses;
    SteadyTime last_word{};
    for (const Entry& entry : all_) {
      const auto* verdict = entry.decided ? as<QuorumNotified>(entry) : nullptr;
      const bool under_way = !losses.empty() && !losses.back().second;
      if (under_way && as<Disconnected>(entry)) {
        losses.back().second = std::min(entry.at.steady, last_word + stale_after_);
      }
      if (under_way && verdict && verdict->quorate) {
        losses.back().second = entry.at.steady;
      }
      if (!under_way && verdict && !verdict->quorate) {
        losses.push_back({entry.at.steady, std::nullopt});
      }
      follow_word(last_word, entry);
    }
    return losses;
  }

  // When the last loss began, however often the connection broke since.
  [[nodiscard]] SteadyTime last_flip_to_not_quorate() const {
    SteadyTime last{};
    const auto told = verdicts();
    for (std::size_t i = 1; i < told.size(); ++i) {
      if (told[i - 1].first->quorate && !told[i].first->quorate) {
        last = told[i].second.steady;
      }
    }
    return last;
  }

  [[nodiscard]] QuorumHistory quorum() const {
    QuorumHistory history;
    const auto told = verdicts();
    for (std::size_t i = 1; i < told.size(); ++i) {
      if (told[i].first->quorate != told[i - 1].first->quorate) {
        history.changes += 1;
        history.last_change = told[i].second.system;
        if (!told[i].first->quorate) {
          history.losses += 1;
        }
      }
    }
    if (!told.empty()) {
      history.last_verdict = told.back().first->quorate;
    }
    for (const auto& [begin, end] : losses()) {
      if (!end) {
        history.lost_since = begin;
        continue;
      }
      const Duration lasted = std::max<Duration>(*end - begin, {});
      history.lost += lasted;
      if (begin >= last_flip_to_not_quorate()) {
        history.last_loss += lasted;
      }
    }
    return history;
  }

  [[nodiscard]] MembershipHistory membership() const {
    MembershipHistory history;
    const auto told = heard<NodeListNotified>();
    for (std::size_t i = 1; i < told.size(); ++i) {
      if (told[i].first->ring != told[i - 1].first->ring) {
        history.changes += 1;
        history.last_change = told[i].second.system;
      }
    }
    if (!told.empty()) {
      history.last_ring = told.back().first->ring;
    }
    return history;
  }

  [[nodiscard]] std::optional<ClusterInfo> info() const {
    const auto read = heard<ConfigurationRead>();
    return read.empty() ? std::nullopt : std::optional{read.back().first->info};
  }

  [[nodiscard]] std::optional<NodeId> local_node() const {
    const auto read = heard<LocalNodeRead>();
    return read.empty() ? std::nullopt : std::optional{read.back().first->id};
  }

  static bool contains(const std::vector<NodeId>& list, NodeId id) {
    return std::ranges::find(list, id) != list.end();
  }

  // Whether a callback names the node.
  static bool names(const Entry& entry, NodeId id) {
    if (!entry.heard) {
      return false;
    }
    if (const auto* list = as<NodeListNotified>(entry)) {
      return contains(list->members, id) || contains(list->joined, id) || contains(list->left, id);
    }
    const auto* voters = as<VotequorumQuorumNotified>(entry);
    return voters && contains(voters->voters, id);
  }

  // One node's story, from its first sight on or from when it had last been forgotten.
  [[nodiscard]] std::optional<Node> node(NodeId id) const {
    std::optional<Node> node;
    bool ever_configured = false;
    for (const Entry& entry : all_) {
      if (names(entry, id)) {
        node = node.value_or(Node{});
        node->seen = true;
      }
      if (const auto* list = as<NodeListNotified>(entry); list && entry.heard) {
        if (contains(list->joined, id)) {
          node->joins += 1;
          node->last_joined = entry.at.system;
        }
        if (contains(list->left, id)) {
          node->leaves += 1;
          node->last_left = entry.at.system;
        }
      }
      const auto* reading = as<ConfigurationRead>(entry);
      if (!reading || !entry.heard) {
        continue;
      }
      const auto found = reading->nodes.find(id);
      const bool configured = found != reading->nodes.end() && found->second.configured;
      if (!configured && !(node && node->seen)) {
        node.reset();  // neither configured nor ever seen: no series
        ever_configured = false;
        continue;
      }
      node = node.value_or(Node{});
      node->configured = configured;
      if (found == reading->nodes.end()) {
        continue;
      }
      node->configured_votes = found->second.votes;
      // The configured name; where there never was one, the first that was read, for good.
      if (configured || (!ever_configured && !node->name)) {
        node->name = found->second.name;
      }
      ever_configured = ever_configured || configured;
    }
    return node;
  }

  [[nodiscard]] std::map<NodeId, Node> nodes() const {
    std::set<NodeId> mentioned;
    for (const Entry& entry : all_) {
      if (const auto* list = as<NodeListNotified>(entry)) {
        mentioned.insert(list->members.begin(), list->members.end());
        mentioned.insert(list->joined.begin(), list->joined.end());
        mentioned.insert(list->left.begin(), list->left.end());
      } else if (const auto* voters = as<VotequorumQuorumNotified>(entry)) {
        mentioned.insert(voters->voters.begin(), voters->voters.end());
      } else if (const auto* reading = as<ConfigurationRead>(entry)) {
        for (const auto& [id, configuration] : reading->nodes) {
          mentioned.insert(id);
        }
      }
    }
    std::map<NodeId, Node> nodes;
    for (const NodeId id : mentioned) {
      if (const auto known = node(id)) {
        nodes[id] = *known;
      }
    }
    return nodes;
  }

  [[nodiscard]] std::map<Source, SourceStatus> sources() const {
    std::map<Source, SourceStatus> sources;
    for (const Source source : {Source::votequorum, Source::cmap, Source::cfg}) {
      std::optional<SourceStatus> status;  // unknown before it was tried
      for (const Entry& entry : all_) {
        const auto* read = as<SourceRead>(entry);
        if (entry.heard && read && read->source == source) {
          SteadyTime newest = entry.at.steady;
          if (status && status->last_success) {
            newest = std::max(newest, *status->last_success);
          }
          status = SourceStatus{.up = true, .last_success = newest};
        }
        const auto* interrupted = as<ReadingInterrupted>(entry);
        if (entry.heard && interrupted && interrupted->source == source) {
          status = status.value_or(SourceStatus{});
          status->interrupted = true;
        }
        const auto* failed = as<ReadingFailed>(entry);
        if (entry.heard && failed && failed->source == source) {
          status = status.value_or(SourceStatus{});
          status->up = false;
          status->failure = failed->failure;
          status->interrupted = false;
        }
        if (as<Disconnected>(entry) && status) {
          status->up = false;
          status->failure.reset();
          status->interrupted = false;
        }
        const auto* connected = as<Connected>(entry);
        if (connected && !connected->has_provider && source == Source::votequorum) {
          status.reset();  // there is nobody to be asked
        }
      }
      if (status) {
        sources[source] = *status;
      }
    }
    return sources;
  }

  std::chrono::milliseconds stale_after_;
  std::vector<Entry> all_;
};

}  // namespace corosync_exporter
