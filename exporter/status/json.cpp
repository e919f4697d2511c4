// SPDX-License-Identifier: Apache-2.0
#include "status/json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "status/words.h"

namespace corosync_exporter {
namespace {

using Json = nlohmann::ordered_json;  // keys in the order of their telling

Json value(bool flag) { return flag; }
Json value(std::uint32_t count) { return count; }
Json value(std::uint64_t count) { return count; }
Json value(NodeId id) { return static_cast<std::uint32_t>(id); }
Json value(SystemTime time) { return rfc3339(time); }
Json value(Duration duration) { return in_seconds(duration); }
Json value(std::chrono::microseconds duration) { return in_seconds(duration); }

template <class Value>
void add(Json& object, const char* key, const std::optional<Value>& known) {
  if (known) {
    object[key] = value(*known);
  }
}

Json json(const Failure& failure) {
  Json object{{"call", failure.call}, {"error", failure.error}};
  if (!failure.detail.empty()) {
    object["detail"] = failure.detail;
  }
  return object;
}

Json cluster(const Status& status) {
  Json object = Json::object();
  if (const auto& info = status.info) {
    object["name"] = info->cluster_name;
    object["transport"] = info->transport;
    object["provider"] = info->provider;
  }
  if (status.local_node) {
    object["local_node_id"] = value(*status.local_node);
    object["local_node"] = label_of(status, *status.local_node);
  }
  add(object, "members", status.members);
  if (status.ring) {
    object["ring_leader_node_id"] = value(status.ring->leader);
    object["ring_sequence"] = status.ring->sequence;
  }
  add(object, "sync_in_progress", status.syncing);
  return object;
}

Json votes(const Status& status) {
  const Votes& votes = status.votes->votes;
  Json object{{"expected", votes.expected},
              {"highest_expected", votes.highest_expected},
              {"present", votes.present},
              {"required", votes.required},
              {"margin", status.votes->margin}};
  add(object, "qdevice", votes.qdevice);
  add(object, "waiting_for_all", status.waiting_for_all);
  object["flags"] = {{"two_node", votes.two_node},
                     {"wait_for_all", votes.wait_for_all},
                     {"last_man_standing", votes.last_man_standing},
                     {"auto_tie_breaker", votes.auto_tie_breaker},
                     {"allow_downscale", votes.allow_downscale}};
  return object;
}

Json link(const LinkView& view) {
  Json object{{"link", view.number}};
  add(object, "enabled", view.enabled);
  add(object, "connected", view.connected);
  add(object, "mtu_bytes", view.mtu_bytes);
  add(object, "latency_seconds", view.latency);
  add(object, "latency_max_seconds", view.latency_max);
  add(object, "downs", view.downs);
  add(object, "ups", view.ups);
  return object;
}

Json node(const NodeView& view) {
  Json object{{"id", value(view.id)},
              {"name", view.name},
              {"local", view.local},
              {"configured", view.configured}};
  add(object, "member", view.member);
  add(object, "votes", view.votes);
  add(object, "reachable", view.reachable);
  object["joins"] = view.joins;
  object["leaves"] = view.leaves;
  add(object, "last_joined", view.joined_at);
  add(object, "last_left", view.left_at);
  if (const auto& device = view.qdevice) {
    object["qdevice"] = {{"registered", device->registered},
                         {"alive", device->alive},
                         {"casting_vote", device->casting_vote},
                         {"master_wins", device->master_wins}};
  }
  object["links"] = Json::array();
  for (const LinkView& one : view.links) {
    object["links"].push_back(link(one));
  }
  return object;
}

Json warning(const Warning& warning) {
  Json object{{"kind", name_of(warning.kind)}, {"message", warning.message}};
  add(object, "node_id", warning.node);
  if (warning.link) {
    object["link"] = *warning.link;
  }
  if (warning.source) {
    object["source"] = name_of(*warning.source);
  }
  return object;
}

Json source(const SourceView& view) {
  Json object{{"source", name_of(view.source)}, {"up", view.up}, {"interrupted", view.interrupted}};
  add(object, "age_seconds", view.age);
  if (view.failure) {
    object["failure"] = json(*view.failure);
  }
  return object;
}

// ---- Changes -----------------------------------------------------------------------------------

Json named(const Told& told, std::size_t index, NodeId id) {
  Json object{{"id", value(id)}};
  if (index < told.names.size() && !told.names[index].empty()) {
    object["name"] = told.names[index];
  }
  return object;
}

Json event(const Told& told) {
  const Change& change = told.change;
  Json object{{"kind", name_of(change.kind)}, {"at", value(told.at)}};
  for (std::size_t i = 0; i < change.nodes.size(); ++i) {
    object["nodes"].push_back(named(told, i, change.nodes[i]));
  }
  for (std::size_t i = 0; i < change.links.size(); ++i) {
    object["links"].push_back(
        {{"link", change.links[i].second}, {"node", named(told, i, change.links[i].first)}});
  }
  if (told.more != 0) {
    object["more"] = told.more;
  }
  add(object, "lasted_seconds", change.lasted);
  if (change.votes) {
    object["from_votes"] = change.votes->first;
    object["to_votes"] = change.votes->second;
  }
  if (change.source) {
    object["source"] = name_of(*change.source);
  }
  if (change.failure) {
    object["failure"] = json(*change.failure);
  }
  return object;
}

Json entry(const TimelineEntry& entry, std::optional<Duration> loss_so_far) {
  const Told& first = headline(entry);
  Json object{{"number", entry.number},
              {"at", value(first.at)},
              {"severity", name_of(weight_of(entry))},
              {"summary", sentence(entry, loss_so_far)}};
  if (entry.count > 1) {
    object["count"] = entry.count;
    object["first"] = value(first.at);
    object["last"] = value(first.last);
  }
  for (const Told& told : entry.told) {
    object["events"].push_back(event(told));
  }
  return object;
}

template <class Values, class Write>
Json list(const Values& values, Write write) {
  Json array = Json::array();
  for (const auto& one : values) {
    array.push_back(write(one));
  }
  return array;
}

}  // namespace

std::string status_json(const Status& status, std::string_view version, std::string_view revision) {
  Json object{{"version", version},
              {"revision", revision},
              {"started", value(status.timeline->begun())},
              {"generation", status.generation},
              {"answered", value(status.now.system)},
              {"corosync_up", status.up},
              {"verdict", name_of(status.verdict)}};
  if (!status.reason.empty()) {
    object["reason"] = status.reason;
  }
  if (status.since) {
    object["since"] = value(status.since->at);
    object["since_exact"] = status.since->exact;
  }
  if (status.last_verdict) {
    object["last_verdict"] =
        name_of(*status.last_verdict ? Standing::quorate : Standing::not_quorate);
  }
  add(object, "loss_so_far_seconds", status.loss_so_far);
  object["quorum_losses"] = status.quorum_losses;
  object["quorum_lost_seconds"] = value(status.without_quorum);
  object["cluster"] = cluster(status);
  if (status.votes) {
    object["votes"] = votes(status);
  }
  object["nodes"] = list(status.nodes, node);
  object["warnings"] = list(status.warnings, warning);
  object["sources"] = list(status.sources, source);
  object["changes"] = Json::array();
  for_each_newest_first(status, [&](const TimelineEntry& one, std::optional<Duration> so_far) {
    object["changes"].push_back(entry(one, so_far));
  });
  return object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace corosync_exporter
