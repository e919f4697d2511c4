// SPDX-License-Identifier: Apache-2.0
#include "corosync/votequorum_reader.h"

#include <mutex>
#include <utility>

namespace corosync_exporter {
namespace {

constexpr NodeId own_node{0};  // votequorum_getinfo(3): 0 asks about the node itself

Connection<votequorum_finalize> connect(Calls& calls) {
  votequorum_handle_t raw = 0;
  votequorum_callbacks_t no_callbacks{};
  calls.make("votequorum_initialize", -1, [&] {
    const std::lock_guard lock{Handle<votequorum_finalize>::library()};
    return votequorum_initialize(&raw, &no_callbacks);
  });
  Handle<votequorum_finalize> handle{raw};
  int descriptor = -1;
  check(votequorum_fd_get(raw, &descriptor), "votequorum_fd_get");
  return {std::move(handle), descriptor};
}

NodeVotes node_votes(const votequorum_info& info) {
  const auto has = [&](unsigned int flag) { return (info.flags & flag) != 0; };
  NodeVotes node{.votes = info.node_votes};
  if (info.node_state == VOTEQUORUM_NODESTATE_MEMBER) {
    node.expected = info.node_expected_votes;
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

}  // namespace

VotequorumReader::VotequorumReader(Calls& calls) : calls_{calls}, connection_{connect(calls)} {}

VotesRead VotequorumReader::votes(const std::vector<NodeId>& voters) {
  const auto own = info(own_node);
  if (!own) {
    throw CorosyncError{"votequorum_getinfo", CS_ERR_NOT_EXIST};
  }
  VotesRead reading{.votes = cluster_votes(*own)};
  for (const NodeId id : voters) {
    if (const auto found = info(id)) {
      reading.votes.nodes[id] = node_votes(*found);
    }
  }
  return reading;
}

std::optional<votequorum_info> VotequorumReader::info(NodeId id) {
  votequorum_info info{};
  const cs_error_t code = calls_.attempt("votequorum_getinfo", descriptor(), [&] {
    return votequorum_getinfo(connection_.handle(), static_cast<std::uint32_t>(id), &info);
  });
  if (code == CS_ERR_NOT_EXIST) {
    return std::nullopt;  // and `info` holds garbage
  }
  check(code, "votequorum_getinfo");
  return info;
}

}  // namespace corosync_exporter
