// SPDX-License-Identifier: Apache-2.0
#include "corosync/change_log.h"

#include <unistd.h>

#include <string>
#include <string_view>

namespace corosync_exporter {
namespace {

// "2 (node2), 3 (node3)"
std::string names(const std::vector<NodeId>& ids, const ClusterState& state) {
  std::string text;
  for (const NodeId id : ids) {
    text += text.empty() ? "" : ", ";
    text += std::to_string(static_cast<std::uint32_t>(id));
    if (const auto node = state.nodes.find(id); node != state.nodes.end() && node->second.name) {
      text += " (" + *node->second.name + ")";
    }
  }
  return text;
}

// "0 to 2 (node2), 1 to 2 (node2)"
std::string names(const std::vector<LinkId>& links, const ClusterState& state) {
  std::string text;
  for (const auto& [id, number] : links) {
    text += (text.empty() ? "" : ", ") + std::to_string(number) + " to " + names({id}, state);
  }
  return text;
}

std::size_t member_count(const ClusterState& state) {
  return state.present && state.present->membership ? state.present->membership->members.size() : 0;
}

void log_connected(const Logger& log, const ClusterState& now) {
  if (now.present->has_provider) {
    log.info("connected to corosync",
             {{"quorate", now.present->verdict->quorate}, {"members", member_count(now)}});
  } else {
    log.info("connected to corosync, which has no quorum provider",
             {{"members", member_count(now)}});
  }
}

// Access is decided by the numeric user, so say which one, and how it is granted
// (corosync.conf(5)): as a command, since corosync does not start with a file there whose lines are
// not just so. Not into the package's file, which is its own user's.
std::string advice_on_access() {
  const std::string uid = std::to_string(geteuid());
  return "to grant it, run as root: (echo uidgid {; echo uid: " + uid +
         "; echo }) >/etc/corosync/uidgid.d/uid-" + uid + " && corosync-cfgtool -R";
}

void log_connection_failed(const Logger& log, const Failure& failure) {
  if (failure.error == "CS_ERR_ACCESS") {
    log.warn("corosync refuses access",
             {{"call", failure.call}, {"error", failure.error}, {"advice", advice_on_access()}});
  } else {
    log.warn("cannot connect to corosync",
             {{"call", failure.call}, {"error", failure.error}, {"reason", failure.detail}});
  }
}

}  // namespace

void log_change(const Logger& log, const Change& change, const ClusterState& now) {
  switch (change.kind) {
    case ChangeKind::connected:
      return log_connected(log, now);
    case ChangeKind::connection_failed:
      return log_connection_failed(log, *change.failure);
    case ChangeKind::disconnected:
      return log.warn("connection to corosync lost",
                      {{"call", change.failure->call}, {"error", change.failure->error}});
    case ChangeKind::fell_silent:
      return log.warn("corosync is silent: its facts count as unknown",
                      {{"seconds", in_seconds(now.stale_after)}});
    case ChangeKind::answers_again:
      return log.info("corosync answers again");
    case ChangeKind::nodes_left:
      return log.warn("nodes left",
                      {{"nodes", names(change.nodes, now)}, {"members", member_count(now)}});
    case ChangeKind::nodes_joined:
      return log.info("nodes joined",
                      {{"nodes", names(change.nodes, now)}, {"members", member_count(now)}});
    case ChangeKind::quorum_lost:
      return log.warn("quorum lost", {{"members", member_count(now)}});
    case ChangeKind::quorum_regained:
      return log.info("quorum regained", {{"members", member_count(now)},
                                          {"lost_seconds", in_seconds(*change.lasted)}});
    case ChangeKind::source_failed:
      return log.warn("reading failed", {{"source", name_of(*change.source)},
                                         {"call", change.failure->call},
                                         {"error", change.failure->error}});
    case ChangeKind::source_recovered:
      return log.info("reading works again", {{"source", name_of(*change.source)}});
    case ChangeKind::links_down:
      return log.warn("links down", {{"links", names(change.links, now)}});
    case ChangeKind::links_up:
      return log.info("links up", {{"links", names(change.links, now)}});
    case ChangeKind::device_silent:
      return log.warn("quorum device casts no vote", {{"nodes", names(change.nodes, now)}});
    case ChangeKind::device_votes:
      return log.info("quorum device casts its vote", {{"nodes", names(change.nodes, now)}});
    case ChangeKind::expected_votes:
      return log.info("expected votes changed",
                      {{"from", change.votes->first}, {"to", change.votes->second}});
  }
}

}  // namespace corosync_exporter
