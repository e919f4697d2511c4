// SPDX-License-Identifier: Apache-2.0
// Times, durations, votes and changes in words: English, on the page as in the JSON. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/timeline.h"
#include "status/status.h"

namespace corosync_exporter {

// RFC 3339 in UTC, to the millisecond: "2026-11-23T08:31:02.123Z".
[[nodiscard]] std::string rfc3339(SystemTime time);

// "08:31:02.123", in UTC.
[[nodiscard]] std::string time_of_day(SystemTime time);

// How long something took, to three digits: "350 ms", "4.03 s", "12 min 5 s", "3 h 20 min".
[[nodiscard]] std::string duration_text(Duration duration);

// How long ago something was, in whole seconds: "4 s", "12 min 5 s", "3 h 20 min", "2 d 4 h".
[[nodiscard]] std::string age_text(Duration age);

// "1 vote", "2 votes"
[[nodiscard]] std::string counted(std::int64_t count, const std::string& one);

// "node2, node3 and node4", or "node2, node3 and 10 others" where there are `total` of them.
[[nodiscard]] std::string listed(const std::vector<std::string>& texts, std::size_t total);

// What the votes mean under the verdict: "2 of 3 votes, 2 needed: losing one more loses quorum".
[[nodiscard]] std::string votes_in_words(const VotesView& view, bool quorate);

// How much a change matters, from good news to bad.
enum class Weight { good, info, warning, critical };
[[nodiscard]] std::string_view name_of(Weight weight);
[[nodiscard]] Weight weight_of(const TimelineEntry& entry);

// What the entry is about in the first place: its gravest change, the first of these.
[[nodiscard]] const Told& headline(const TimelineEntry& entry);

// The entry as a sentence without its full stop, the gravest first: "Quorum lost for 4.03 s;
// node2 and node3 left", or "12 times: node2 left". `loss_so_far`: of a loss that has not ended.
[[nodiscard]] std::string sentence(const TimelineEntry& entry,
                                   std::optional<Duration> loss_so_far = std::nullopt);

// Why corosync_up is 0: a sentence without its full stop. Empty where it is 1.
[[nodiscard]] std::string why_not_up(const ClusterState& state, SteadyTime now);

// What corosync says, in a word or two: "quorate, 3 members", else why it says nothing.
[[nodiscard]] std::string in_brief(const ClusterState& state, SteadyTime now);

// "quorum_dispatch: CS_ERR_LIBRARY (Connection refused)"
[[nodiscard]] std::string describe(const Failure& failure);

[[nodiscard]] std::string_view name_of(ChangeKind kind);

}  // namespace corosync_exporter
