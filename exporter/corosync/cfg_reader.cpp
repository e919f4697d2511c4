// SPDX-License-Identifier: Apache-2.0
#include "corosync/cfg_reader.h"

#include <mutex>
#include <string_view>
#include <utility>

namespace corosync_exporter {
namespace {

// Without corosync_cfg_trackstart: a tracker that hangs would veto the node's own shutdown.
Connection<corosync_cfg_finalize> connect(Calls& calls) {
  corosync_cfg_handle_t raw = 0;
  const corosync_cfg_callbacks_t no_callbacks{};
  calls.make("corosync_cfg_initialize", -1, [&] {
    const std::lock_guard lock{Handle<corosync_cfg_finalize>::library()};
    return corosync_cfg_initialize(&raw, &no_callbacks);
  });
  Handle<corosync_cfg_finalize> handle{raw};
  int descriptor = -1;
  check(corosync_cfg_fd_get(raw, &descriptor), "corosync_cfg_fd_get");
  return {std::move(handle), descriptor};
}

}  // namespace

CfgReader::CfgReader(Calls& calls) : calls_{calls}, connection_{connect(calls)} {}

NodeId CfgReader::local_node() {
  unsigned int id = 0;
  calls_.make("corosync_cfg_local_get", descriptor(),
              [&] { return corosync_cfg_local_get(connection_.handle(), &id); });
  return NodeId{id};
}

std::optional<Reachability> CfgReader::reachability(NodeId id) {
  corosync_cfg_node_status_v1 status{};
  constexpr std::string_view call = "corosync_cfg_node_status_get";
  const cs_error_t code = calls_.attempt(call, descriptor(), [&] {
    return corosync_cfg_node_status_get(connection_.handle(), static_cast<std::uint32_t>(id),
                                        CFG_NODE_STATUS_V1, &status);
  });
  if (code == CS_ERR_FAILED_OPERATION) {  // what knet's "no such node" becomes (totemknet.c)
    return std::nullopt;
  }
  check(code, call);
  Reachability reachability{.reachable = status.reachable != 0};
  for (LinkNumber number = 0; const auto& link : status.link_status) {
    if (link.dst_ipaddr[0] != '\0') {  // or there is no such link to the node (totemknet.c)
      reachability.links[number] = {
          .enabled = link.enabled != 0, .connected = link.connected != 0, .mtu_bytes = link.mtu};
    }
    ++number;
  }
  return reachability;
}

}  // namespace corosync_exporter
