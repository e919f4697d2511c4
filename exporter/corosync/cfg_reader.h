// SPDX-License-Identifier: Apache-2.0
// Asks cfg which node this is, and how the others are reached.
//
// Threads: the collector's; it waits for corosync. Errors: CorosyncError.
#pragma once

#include <corosync/cfg.h>

#include <optional>

#include "corosync/call.h"
#include "corosync/handle.h"
#include "model/cluster_state.h"

namespace corosync_exporter {

class CfgReader {
 public:
  explicit CfgReader(Calls& calls);

  [[nodiscard]] NodeId local_node();

  // REQUIRES: knet, and a node of the configuration: about another one corosync complains in its
  // log. Empty where knet does not know it: without an address, or taken out a moment ago.
  [[nodiscard]] std::optional<Reachability> reachability(NodeId id);

  [[nodiscard]] int descriptor() const noexcept { return connection_.descriptor(); }

 private:
  Calls& calls_;
  Connection<corosync_cfg_finalize> connection_;
};

}  // namespace corosync_exporter
