// SPDX-License-Identifier: Apache-2.0
#include "status/words.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <string_view>
#include <tuple>

namespace corosync_exporter {
namespace {

using std::chrono::milliseconds;

std::string padded(std::int64_t number, std::size_t digits) {
  std::string text = std::to_string(number);
  return std::string(text.size() < digits ? digits - text.size() : 0, '0') + text;
}

struct Calendar {
  std::chrono::year_month_day day{};
  std::chrono::hh_mm_ss<milliseconds> time{};
};

Calendar calendar(SystemTime time) {
  const auto exact = std::chrono::floor<milliseconds>(time);
  const auto day = std::chrono::floor<std::chrono::days>(exact);
  return {.day = std::chrono::year_month_day{day},
          .time = std::chrono::hh_mm_ss<milliseconds>{exact - day}};
}

std::string clock(const std::chrono::hh_mm_ss<milliseconds>& time) {
  return padded(time.hours().count(), 2) + ":" + padded(time.minutes().count(), 2) + ":" +
         padded(time.seconds().count(), 2) + "." + padded(time.subseconds().count(), 3);
}

// A number to three digits, without zeros at its end.
std::string three_digits(double number) {
  constexpr std::size_t most = 32;
  std::array<char, most> text{};
  const int length = std::snprintf(text.data(), text.size(), "%.3g", number);  // NOLINT(*-vararg)
  return {text.data(), static_cast<std::size_t>(length)};
}

std::string two_units(std::int64_t seconds) {
  constexpr std::int64_t minute = 60;
  constexpr std::int64_t hour = 60 * minute;
  constexpr std::int64_t day = 24 * hour;
  const auto both = [&](std::int64_t great, const char* its, std::int64_t small, const char* name) {
    const std::int64_t rest = seconds % great / small;
    return std::to_string(seconds / great) + its +
           (rest != 0 ? " " + std::to_string(rest) + name : "");
  };
  if (seconds < minute) {
    return std::to_string(seconds) + " s";
  }
  if (seconds < hour) {
    return both(minute, " min", 1, " s");
  }
  return seconds < day ? both(hour, " h", minute, " min") : both(day, " d", hour, " h");
}

// ---- Votes -------------------------------------------------------------------------------------

std::string without_quorum(const VotesView& view) {
  const Votes& votes = view.votes;
  const std::int64_t margin = view.margin;
  // votequorum begins to wait anew at every loss of quorum, however many votes are left.
  if (votes.wait_for_all) {
    return "wait_for_all withholds quorum until all " + std::to_string(votes.expected) +
           " are there at once";
  }
  if (margin < 0) {
    return std::to_string(-margin) + " more " + (margin == -1 ? "brings" : "bring") +
           " quorum back";
  }
  return "enough, and yet not quorate";
}

std::string with_quorum(const VotesView& view) {
  const std::int64_t margin = view.margin;
  if (margin < 0) {
    return view.keeper == Keeper::device        ? "too few, but the quorum device keeps quorum"
           : view.keeper == Keeper::tie_breaker ? "too few, but the tie breaker keeps quorum"
                                                : "too few, and yet quorate";
  }
  const std::string end = view.keeper == Keeper::device        ? " leaves it to the quorum device"
                          : view.keeper == Keeper::tie_breaker ? " leaves it to the tie breaker"
                                                               : " loses quorum";
  return (margin == 0
              ? "losing one more"
              : std::to_string(margin) + " more may go, losing " + std::to_string(margin + 1)) +
         end;
}

// ---- Changes -----------------------------------------------------------------------------------

std::string unnamed(NodeId id) { return "node " + std::to_string(static_cast<std::uint32_t>(id)); }

// "node2", or "node 2" without a name.
std::vector<std::string> node_names(const Told& told) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < told.names.size(); ++i) {
    texts.push_back(told.names[i].empty() ? unnamed(told.change.nodes[i]) : told.names[i]);
  }
  return texts;
}

std::string nodes(const Told& told) {
  return listed(node_names(told), told.names.size() + told.more);
}

// "links 0 and 1 to node2, link 0 to node 3"; a node's links stand together.
std::string links(const Told& told) {
  const auto& links = told.change.links;
  std::string text;
  std::size_t i = 0;
  while (i < told.names.size()) {
    const NodeId id = links[i].first;
    const std::string& name = told.names[i];
    std::vector<std::string> numbers;
    for (; i < told.names.size() && links[i].first == id; ++i) {
      numbers.push_back(std::to_string(links[i].second));
    }
    text += (text.empty() ? "link" : ", link") + std::string{numbers.size() == 1 ? " " : "s "} +
            listed(numbers, numbers.size()) + " to " + (name.empty() ? unnamed(id) : name);
  }
  if (told.more != 0) {
    text += " and " + counted(static_cast<std::int64_t>(told.more), "other");
  }
  return text;
}

// How long it lasted; `often`: all of the times together.
std::string lasted(const Change& change, bool often) {
  return duration_text(change.lasted.value_or(Duration::zero())) + (often ? " in all" : "");
}

std::string phrase(const Told& told, std::optional<Duration> loss_so_far, bool often) {
  const Change& change = told.change;
  switch (change.kind) {
    case ChangeKind::connected:
      return "connected to corosync";
    case ChangeKind::connection_failed:
      return "cannot connect to corosync: " + describe(*change.failure);
    case ChangeKind::disconnected:
      return "connection to corosync lost: " + describe(*change.failure);
    case ChangeKind::fell_silent:
      return "corosync fell silent";
    case ChangeKind::answers_again:
      return "corosync answers again";
    case ChangeKind::nodes_left:
      return nodes(told) + " left";
    case ChangeKind::nodes_joined:
      return nodes(told) + " joined";
    case ChangeKind::quorum_lost:
      if (change.lasted) {
        return "quorum lost for " + lasted(change, often);
      }
      return loss_so_far ? "quorum lost, for " + age_text(*loss_so_far) + " so far" : "quorum lost";
    case ChangeKind::quorum_regained:
      return "quorum regained after " + lasted(change, often);
    case ChangeKind::source_failed:
      return "reading from " + std::string{name_of(*change.source)} +
             " failed: " + describe(*change.failure);
    case ChangeKind::source_recovered:
      return "reading from " + std::string{name_of(*change.source)} + " works again";
    case ChangeKind::links_down:
      return links(told) + " down";
    case ChangeKind::links_up:
      return links(told) + " up";
    case ChangeKind::device_votes:
      return "quorum device casts its vote on " + nodes(told);
    case ChangeKind::device_silent:
      return "quorum device casts no vote on " + nodes(told);
    case ChangeKind::expected_votes:
      return "expected votes changed from " + std::to_string(change.votes->first) + " to " +
             std::to_string(change.votes->second);
  }
  return "";
}

Weight weight_of(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::quorum_lost:
      return Weight::critical;
    case ChangeKind::connection_failed:
    case ChangeKind::disconnected:
    case ChangeKind::fell_silent:
    case ChangeKind::nodes_left:
    case ChangeKind::source_failed:
    case ChangeKind::links_down:
    case ChangeKind::device_silent:
      return Weight::warning;
    case ChangeKind::expected_votes:
      return Weight::info;
    case ChangeKind::connected:
    case ChangeKind::answers_again:
    case ChangeKind::nodes_joined:
    case ChangeKind::quorum_regained:
    case ChangeKind::source_recovered:
    case ChangeKind::links_up:
    case ChangeKind::device_votes:
      return Weight::good;
  }
  return Weight::info;
}

// Who reads it wants to hear of quorum first, whichever way it went.
int rank(const Told& told) {
  constexpr int above_all = 100;
  return told.change.kind == ChangeKind::quorum_regained
             ? above_all
             : static_cast<int>(weight_of(told.change.kind));
}

// It may be us who cannot ask, as without descriptors left.
std::string why_unread(const ClusterState& state) {
  for (const auto& [source, status] : state.sources) {
    if (status.failure) {
      return ", and " + std::string{name_of(source)} +
             " cannot be read: " + describe(*status.failure);
    }
  }
  return "";
}

}  // namespace

std::string rfc3339(SystemTime time) {
  const auto [day, clock_time] = calendar(time);
  return padded(static_cast<int>(day.year()), 4) + "-" +
         padded(static_cast<unsigned int>(day.month()), 2) + "-" +
         padded(static_cast<unsigned int>(day.day()), 2) + "T" + clock(clock_time) + "Z";
}

std::string time_of_day(SystemTime time) { return clock(calendar(time).time); }

std::string duration_text(Duration duration) {
  // What rounds to 1 s, or to 100 s, is of the next kind.
  constexpr double a_second = 0.9995;
  constexpr double in_full = 99.95;
  constexpr double thousand = 1000;
  const double seconds = in_seconds(duration);
  if (std::abs(seconds) < a_second) {
    return three_digits(seconds * thousand) + " ms";
  }
  if (std::abs(seconds) < in_full) {
    return three_digits(seconds) + " s";
  }
  return two_units(std::chrono::round<std::chrono::seconds>(duration).count());
}

std::string age_text(Duration age) {
  return two_units(
      std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::seconds>(age).count()));
}

std::string counted(std::int64_t count, const std::string& one) {
  return std::to_string(count) + " " + one + (count == 1 ? "" : "s");
}

std::string listed(const std::vector<std::string>& texts, std::size_t total) {
  std::string list;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const bool last = i + 1 == total;
    list += (i == 0 ? "" : last ? " and " : ", ") + texts[i];
  }
  if (texts.size() < total) {
    list += " and " + counted(static_cast<std::int64_t>(total - texts.size()), "other");
  }
  return list;
}

std::string votes_in_words(const VotesView& view, bool quorate) {
  const Votes& votes = view.votes;
  return std::to_string(votes.present) + " of " + counted(votes.expected, "vote") + ", " +
         std::to_string(votes.required) +
         " needed: " + (quorate ? with_quorum(view) : without_quorum(view));
}

std::string_view name_of(Weight weight) {
  switch (weight) {
    case Weight::good:
      return "good";
    case Weight::info:
      return "info";
    case Weight::warning:
      return "warning";
    case Weight::critical:
      return "critical";
  }
  return "";
}

const Told& headline(const TimelineEntry& entry) {
  return *std::ranges::max_element(entry.told, {}, rank);
}

Weight weight_of(const TimelineEntry& entry) { return weight_of(headline(entry).change.kind); }

std::string sentence(const TimelineEntry& entry, std::optional<Duration> loss_so_far) {
  const Told& first = headline(entry);
  std::size_t nodes_told = 0;
  for (const Told& told : entry.told) {
    nodes_told += is_membership(told.change.kind) ? told.change.nodes.size() : 0;
  }
  const bool often = entry.count > 1;
  std::string text = phrase(first, loss_so_far, often);
  for (const Told& told : entry.told) {
    if (&told == &first) {
      continue;
    }
    // Links are told of together with nodes only where they are the links to these.
    if (nodes_told != 0 && !told.change.links.empty()) {
      text += nodes_told == 1 ? "; links to it " : "; links to them ";
      text += told.change.kind == ChangeKind::links_down ? "down" : "up";
    } else {
      text += "; " + phrase(told, loss_so_far, often);
    }
  }
  if (often) {
    return std::to_string(entry.count) + " times: " + text;
  }
  const bool begins_with_a_name = is_membership(first.change.kind) && !first.names.front().empty();
  if (!begins_with_a_name && text[0] >= 'a' && text[0] <= 'z') {
    text[0] = static_cast<char>(text[0] - 'a' + 'A');
  }
  return text;
}

std::string why_not_up(const ClusterState& state, SteadyTime now) {
  if (is_up(state, now)) {
    return "";
  }
  if (is_silent(state, now)) {
    const auto silence =
        std::chrono::duration_cast<std::chrono::seconds>(now - state.present->last_word);
    return "corosync has been silent for " + std::to_string(silence.count()) + " s" +
           why_unread(state);
  }
  return state.disconnected_by ? "not connected to corosync: " + describe(*state.disconnected_by)
                               : "still connecting to corosync";
}

std::string in_brief(const ClusterState& state, SteadyTime now) {
  if (is_up(state, now)) {
    const auto& [verdict, membership] = std::tie(state.present->verdict, state.present->membership);
    const std::string quorum = !verdict           ? "without a quorum provider"
                               : verdict->quorate ? "quorate"
                                                  : "not quorate";
    return quorum + ", " + counted(static_cast<std::int64_t>(membership->members.size()), "member");
  }
  // Not for how long: whoever asks each second gets the same.
  return is_silent(state, now) ? "corosync does not answer" : why_not_up(state, now);
}

std::string describe(const Failure& failure) {
  return failure.call + ": " + failure.error +
         (failure.detail.empty() ? "" : " (" + failure.detail + ")");
}

std::string_view name_of(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::connected:
      return "connected";
    case ChangeKind::connection_failed:
      return "connection_failed";
    case ChangeKind::disconnected:
      return "disconnected";
    case ChangeKind::fell_silent:
      return "fell_silent";
    case ChangeKind::answers_again:
      return "answers_again";
    case ChangeKind::nodes_left:
      return "nodes_left";
    case ChangeKind::nodes_joined:
      return "nodes_joined";
    case ChangeKind::quorum_lost:
      return "quorum_lost";
    case ChangeKind::quorum_regained:
      return "quorum_regained";
    case ChangeKind::source_failed:
      return "source_failed";
    case ChangeKind::source_recovered:
      return "source_recovered";
    case ChangeKind::links_down:
      return "links_down";
    case ChangeKind::links_up:
      return "links_up";
    case ChangeKind::device_votes:
      return "device_votes";
    case ChangeKind::device_silent:
      return "device_silent";
    case ChangeKind::expected_votes:
      return "expected_votes_changed";
  }
  return "";
}

}  // namespace corosync_exporter
