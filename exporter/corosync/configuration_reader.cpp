// SPDX-License-Identifier: Apache-2.0
#include "corosync/configuration_reader.h"

#include <string>

#include "corosync/cmap_keys.h"

namespace corosync_exporter {
namespace {

constexpr const char* nodelist_prefix = "nodelist.node.";

std::string to_string(NodeId id) { return std::to_string(static_cast<std::uint32_t>(id)); }

// An empty name is none: Prometheus would drop the label.
std::optional<std::string> named(std::optional<std::string> name) {
  return name && !name->empty() ? name : std::nullopt;
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
  for (const std::string& key : cmap.keys(nodelist_prefix)) {
    const auto parsed = parse_nodelist_key(key);
    if (!parsed) {
      continue;
    }
    Entry& entry = entries[parsed->position];
    if (parsed->field == "nodeid") {
      entry.id = cmap.number(key);
    } else if (parsed->field == "name") {
      entry.name = named(cmap.text(key));
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

std::optional<std::chrono::milliseconds> milliseconds(std::optional<std::uint64_t> number) {
  return number ? std::optional{std::chrono::milliseconds{*number}} : std::nullopt;
}

}  // namespace

ConfigurationReader::ConfigurationReader(Calls& calls) : cmap_{calls, CMAP_MAP_ICMAP} {
  cmap_.track(nodelist_prefix);
}

ConfigurationRead ConfigurationReader::cluster(const std::vector<NodeId>& nodes) {
  // Key by key it is no one moment's, so once more where it changed meanwhile: a name must not
  // stand beside another node's id.
  while (cmap_.has_changed() || !nodelist_) {
    nodelist_ = read_nodelist(cmap_);
  }
  if (!info_) {
    // corosync.conf(5): without a transport it is knet, since 3.0.
    info_ = {.cluster_name = cmap_.text("totem.cluster_name").value_or(""),
             .transport = cmap_.text("totem.transport").value_or("knet"),
             .provider = cmap_.text("quorum.provider").value_or("")};
  }
  ConfigurationRead reading{
      .info = *info_,
      .waiting_for_all = cmap_.number("runtime.votequorum.wait_for_all_status") == 1U,
      .nodes = *nodelist_};
  for (const NodeId id : nodes) {
    if (!reading.nodes.contains(id)) {
      reading.nodes[id] = read_unlisted_node(cmap_, id);
    }
  }
  return reading;
}

void ConfigurationReader::add_settings(Totem& totem) {
  totem.token_timeout = milliseconds(cmap_.number("runtime.config.totem.token"));
  totem.consensus_timeout = milliseconds(cmap_.number("runtime.config.totem.consensus"));
  totem.configuration_version = cmap_.number("totem.config_version");
}

}  // namespace corosync_exporter
