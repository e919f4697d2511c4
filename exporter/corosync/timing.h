// SPDX-License-Identifier: Apache-2.0
// All waits towards corosync, in one place: how often it is asked, for how long an answer is waited
// for, and when the next try follows.
#pragma once

#include <chrono>

namespace corosync_exporter {

struct Timing {
  std::chrono::milliseconds poll_interval = std::chrono::seconds{5};
  std::chrono::milliseconds stale_after = std::chrono::seconds{15};

  // ---- One call ----
  // A call that has waited for so long is taken back, and its connection with it: corosync may
  // spin at realtime priority for as long as a request lies there that it does not read yet
  // (exec/ipc_glue.c: flow control). In calm a call takes some 20 us, and never over 5 ms.
  std::chrono::milliseconds call_limit{250};
  // Between two looks at the call under way.
  std::chrono::milliseconds watch_interval{25};

  // ---- The connection ----
  // A failed try is repeated after first_retry, then after twice that, up to last_retry. After a
  // connection that lasted for longer than that it begins afresh.
  std::chrono::milliseconds first_retry{250};
  std::chrono::milliseconds last_retry = std::chrono::seconds{2};
  // Where each try writes into corosync's own log: no access, no space left in /dev/shm. Readings,
  // too.
  std::chrono::milliseconds refused_retry = std::chrono::seconds{30};

  // ---- Readings ----
  // A source that fails is tried again after reading_retry, one that was interrupted after
  // poll_interval; then after twice that, up to longest_pause.
  std::chrono::milliseconds reading_retry = std::chrono::seconds{1};
  std::chrono::milliseconds longest_pause = std::chrono::minutes{1};
  // Once a reading has taken so long, most of many links wait for the next one: that bounds what it
  // costs corosync, also when that is slow.
  std::chrono::milliseconds links_wait_after{4};
};

}  // namespace corosync_exporter
