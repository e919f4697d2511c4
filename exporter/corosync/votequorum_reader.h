// SPDX-License-Identifier: Apache-2.0
// Asks votequorum for votes.
//
// Threads: the collector's; it waits for corosync. Errors: CorosyncError.
#pragma once

#include <corosync/votequorum.h>

#include <optional>
#include <vector>

#include "corosync/call.h"
#include "corosync/handle.h"
#include "model/events.h"

namespace corosync_exporter {

class VotequorumReader {
 public:
  explicit VotequorumReader(Calls& calls);

  // `voters`: the nodes that votequorum's verdicts name. Of others it would return garbage.
  [[nodiscard]] VotesRead votes(const std::vector<NodeId>& voters);

  [[nodiscard]] int descriptor() const noexcept { return connection_.descriptor(); }

 private:
  [[nodiscard]] std::optional<votequorum_info> info(NodeId id);

  Calls& calls_;
  Connection<votequorum_finalize> connection_;
};

}  // namespace corosync_exporter
