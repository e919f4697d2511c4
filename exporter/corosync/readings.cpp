// SPDX-License-Identifier: Apache-2.0
#include "corosync/readings.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "clock.h"
#include "corosync/cmap_keys.h"

namespace corosync_exporter {
namespace {

constexpr NodeId own_node{0};  // votequorum_getinfo(3): 0 asks about the node itself

std::string to_string(NodeId id) { return std::to_string(static_cast<std::uint32_t>(id)); }

Connection<votequorum_finalize> connect_votequorum(Calls& calls) {
  votequorum_handle_t raw = 0;
  votequorum_callbacks_t no_callbacks{};
  calls.make("votequorum_initialize", -1,
             [&] { return votequorum_initialize(&raw, &no_callbacks); });
  Handle<votequorum_finalize> handle{raw};
  int descriptor = -1;
  check(votequorum_fd_get(raw, &descriptor), "votequorum_fd_get");
  return {std::move(handle), descriptor};
}

// Without corosync_cfg_trackstart: a tracker that hangs would veto the node's own shutdown.
Connection<corosync_cfg_finalize> connect_cfg(Calls& calls) {
  corosync_cfg_handle_t raw = 0;
  const corosync_cfg_callbacks_t no_callbacks{};
  calls.make("corosync_cfg_initialize", -1,
             [&] { return corosync_cfg_initialize(&raw, &no_callbacks); });
  Handle<corosync_cfg_finalize> handle{raw};
  int descriptor = -1;
  check(corosync_cfg_fd_get(raw, &descriptor), "corosync_cfg_fd_get");
  return {std::move(handle), descriptor};
}

NodeVotes node_votes(const votequorum_info& info) {
  const auto has = [&](unsigned int flag) { return (info.flags & flag) != 0; };
  NodeVotes node{.votes = info.node_votes};
  if (info.node_state == VOTEQUORUM_NODESTATE_MEMBER) {
    node.qdevice = Qdevice{.registered = has(VOTEQUORUM_INFO_QDEVICE_REGISTERED),
                           .alive = has(VOTEQUORUM_INFO_QDEVICE_ALIVE),
                           .casting_vote = has(VOTEQUORUM_INFO_QDEVICE_CAST_VOTE),
                           .master_wins = has(VOTEQUORUM_INFO_QDEVICE_MASTER_WINS)};
  }
  return node;
}

// The cluster's figures, which only the own node's info has right (votequorum.c counts the quorum
// device's vote for the node that casts it).
Votes cluster_votes(const votequorum_info& own) {
  const auto has = [&](unsigned int flag) { return (own.flags & flag) != 0; };
  Votes votes{.expected = own.node_expected_votes,
              .highest_expected = own.highest_expected,
              .present = own.total_votes,
              .required = own.quorum,
              .two_node = has(VOTEQUORUM_INFO_TWONODE),
              .wait_for_all = has(VOTEQUORUM_INFO_WAIT_FOR_ALL),
              .last_man_standing = has(VOTEQUORUM_INFO_LAST_MAN_STANDING),
              .auto_tie_breaker = has(VOTEQUORUM_INFO_AUTO_TIE_BREAKER),
              .allow_downscale = has(VOTEQUORUM_INFO_ALLOW_DOWNSCALE)};
  if (has(VOTEQUORUM_INFO_QDEVICE_REGISTERED)) {
    votes.qdevice = own.qdevice_votes;
  }
  return votes;
}

// nodelist.node.N.*, regrouped by what identifies a node.
std::map<NodeId, NodeConfiguration> read_nodelist(CmapReader& cmap) {
  struct Entry {
    std::optional<std::uint64_t> id;
    std::optional<std::string> name;
    std::optional<std::string> address;
    std::optional<std::uint64_t> votes;
  };
  std::map<std::uint32_t, Entry> entries;  // by position
  for (const std::string& key : cmap.keys("nodelist.node.")) {
    const auto parsed = parse_nodelist_key(key);
    if (!parsed) {
      continue;
    }
    Entry& entry = entries[parsed->position];
    if (parsed->field == "nodeid") {
      entry.id = cmap.number(key);
    } else if (parsed->field == "name") {
      entry.name = cmap.text(key);
    } else if (parsed->field == "ring0_addr") {
      entry.address = cmap.text(key);
    } else if (parsed->field == "quorum_votes") {
      entry.votes = cmap.number(key);
    }
  }
  std::map<NodeId, NodeConfiguration> nodes;
  for (const auto& [position, entry] : entries) {
    if (entry.id) {
      const NodeId id{static_cast<std::uint32_t>(*entry.id)};
      nodes[id] = {.name = entry.name.value_or(entry.address.value_or(to_string(id))),
                   .configured = true,
                   .votes = static_cast<std::uint32_t>(entry.votes.value_or(1))};
    }
  }
  return nodes;
}

// A node that the nodelist does not name: removed from it, or in a cluster without one.
NodeConfiguration read_unlisted_node(CmapReader& cmap, NodeId id) {
  const auto addresses = cmap.text("runtime.members." + to_string(id) + ".ip");
  const auto address = addresses ? first_address(*addresses) : std::nullopt;
  return {.name = address ? std::string{*address} : to_string(id)};
}

}  // namespace

void Readings::read(const Request& request, const Report& report) {
  if (request.has_provider) {
    read_source(Source::votequorum, votequorum_, report,
                [&] { return read_votes(request.voters); });
  }
  if (request.syncing) {
    return;
  }
  read_source(Source::cmap, cmap_, report, [&] { return read_configuration(request.nodes); });
  read_source(Source::cfg, cfg_, report, [&] { return read_local_node(); });
}

void Readings::disconnect() {
  give_up(votequorum_);
  give_up(cmap_);
  give_up(cfg_);
  not_before_.clear();
}

template <class Connection, class Read>
void Readings::read_source(Source source, std::optional<Connection>& connection,
                           const Report& report, Read read) {
  if (const auto found = not_before_.find(source);
      found != not_before_.end() && current_moment().steady < found->second) {
    return;
  }
  try {
    report(read());
  } catch (const CorosyncError& error) {
    give_up(connection);
    if (error.is_refusal()) {
      not_before_[source] = current_moment().steady + refused_retry_;
    }
    report(ReadingFailed{.source = source, .failure = error.failure()});
  }
}

template <class Connection>
void Readings::give_up(std::optional<Connection>& connection) {
  if (connection) {
    const int descriptor = connection->descriptor();
    drain_.add(std::make_shared<Connection>(std::move(*connection)), {descriptor},
               current_moment().steady);
    connection.reset();
  }
}

VotesRead Readings::read_votes(const std::vector<NodeId>& voters) {
  if (!votequorum_) {
    votequorum_ = connect_votequorum(calls_);
  }
  const auto own = get_info(own_node);
  if (!own) {
    throw CorosyncError{"votequorum_getinfo", CS_ERR_NOT_EXIST};
  }
  VotesRead reading{.votes = cluster_votes(*own)};
  for (const NodeId id : voters) {
    if (const auto info = get_info(id)) {
      reading.votes.nodes[id] = node_votes(*info);
    }
  }
  return reading;
}

std::optional<votequorum_info> Readings::get_info(NodeId id) {
  votequorum_info info{};
  const cs_error_t code = calls_.attempt("votequorum_getinfo", votequorum_->descriptor(), [&] {
    return votequorum_getinfo(votequorum_->handle(), static_cast<std::uint32_t>(id), &info);
  });
  if (code == CS_ERR_NOT_EXIST) {
    return std::nullopt;  // and `info` holds garbage
  }
  check(code, "votequorum_getinfo");
  return info;
}

ConfigurationRead Readings::read_configuration(const std::vector<NodeId>& nodes) {
  if (!cmap_) {
    cmap_.emplace(calls_);
  }
  ConfigurationRead reading;
  // corosync.conf(5): without a transport it is knet, since 3.0.
  reading.info = {.cluster_name = cmap_->text("totem.cluster_name").value_or(""),
                  .transport = cmap_->text("totem.transport").value_or("knet"),
                  .provider = cmap_->text("quorum.provider").value_or("")};
  reading.waiting_for_all = cmap_->number("runtime.votequorum.wait_for_all_status") == 1U;
  reading.nodes = read_nodelist(*cmap_);
  for (const NodeId id : nodes) {
    if (!reading.nodes.contains(id)) {
      reading.nodes[id] = read_unlisted_node(*cmap_, id);
    }
  }
  return reading;
}

LocalNodeRead Readings::read_local_node() {
  if (!cfg_) {
    cfg_ = connect_cfg(calls_);
  }
  unsigned int id = 0;
  calls_.make("corosync_cfg_local_get", cfg_->descriptor(),
              [&] { return corosync_cfg_local_get(cfg_->handle(), &id); });
  return {.id = NodeId{id}};
}

}  // namespace corosync_exporter
