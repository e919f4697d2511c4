// SPDX-License-Identifier: Apache-2.0
// A corosync that does as it is told: the C functions of libquorum, libvotequorum, libcmap and
// libcfg that the program calls, over one cluster that the test describes. A test links
// `fake_corosync` where the program links `corosync_libraries`; no part of the program is replaced.
//
//   fake_corosync::reset();  // a running corosync: three nodes, quorate
//   fake_corosync::fail_next("quorum_trackstart", CS_ERR_NO_MEMORY);
//   EXPECT_THROW(subscription.open(calls, CS_TRACK_CHANGES), CorosyncError);
//
// It imitates what corosync 3.1.7 and libqb 2.0.6 were seen to do:
// - Calls have no time limit: hang() and freeze() keep them for as long as the test likes. A call
//   that hangs fails with CS_ERR_LIBRARY once its descriptor is shut down or corosync is killed.
// - A descriptor can be read while callbacks wait and hangs up when corosync goes. What still
//   waited is lost then, and a connection never recovers. The peer of the descriptor
//   (SO_PEERCRED) is a process of its own that ends when corosync does.
// - trackstart queues the present state before it returns.
// - votequorum_getinfo about a node that votequorum has never seen fails with CS_ERR_NOT_EXIST, and
//   leaves garbage in its answer.
// - cmap_get fails with CS_ERR_INVALID_PARAM where icmap's value is longer than the buffer, and
// says
//   nothing of its length (exec/icmap.c).
// - quorum_model_initialize that fails may leave a handle which has to be finalized.
//
// It remembers what it was asked, and whatever breaks one of the libraries' rules: misuse().
//
// Threads: any may call anything. Callbacks run in *_dispatch, as they do in the libraries.
#pragma once

#include <corosync/cfg.h>
#include <corosync/corotypes.h>
#include <corosync/quorum.h>
#include <corosync/votequorum.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <variant>
#include <vector>

namespace fake_corosync {

// ---- The cluster, as the one node sees it that the test runs on --------------------------------

struct Binary {
  std::vector<char> bytes{};
};
using CmapValue =
    std::variant<std::string, std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t,
                 std::int8_t, std::int16_t, std::int32_t, std::int64_t, float, double, Binary>;

struct Cluster {
  bool has_provider = true;
  std::uint32_t local_node = 0;
  quorum_ring_id ring{};
  std::vector<std::uint32_t> members{};
  bool quorate = false;
  std::uint32_t expected_votes = 0;                  // what votequorum announces
  std::vector<votequorum_node_t> voters{};           // in votequorum's own order
  std::map<std::uint32_t, votequorum_info> infos{};  // the local node's answers for node 0 too
  std::map<std::string, CmapValue> cmap{};           // icmap: the configuration
  std::map<std::string, CmapValue> statistics{};     // the other map
  std::map<std::uint32_t, corosync_cfg_node_status_v1> statuses{};
};

// Nodes 1 (here), 2 and 3, all members and quorate, on ring 1.8. Each number in it is there once
// where two could be taken for one another.
[[nodiscard]] Cluster three_nodes();

// A running corosync with this cluster. All that was scripted or recorded before is forgotten.
// REQUIRES: no handle is open.
void reset(Cluster cluster = three_nodes());

// Changes what corosync answers from now on, and announces nothing, except to those who track
// icmap.
void change(const std::function<void(Cluster&)>& change);

// ---- Callbacks: each goes to those who track, and says what the cluster holds now -------------

void send_quorum_nodelist(std::vector<std::uint32_t> joined = {},
                          std::vector<std::uint32_t> left = {});
void send_quorum_quorum();
void send_votequorum_nodelist();
void send_votequorum_quorum();
void send_votequorum_expected_votes();

// A new ring: changes the cluster accordingly and sends all four callbacks in corosync's order.
void form(quorum_ring_id ring, const std::vector<std::uint32_t>& members, bool quorate);

// ---- Life and death ----------------------------------------------------------------------------

enum class Service { quorum, votequorum, cmap, cfg };

// kill -9: every descriptor hangs up at once, and the process is gone. Connecting is refused.
void kill();
// The way to a clean end: corosync hangs up on all but quorum, whose turn comes with kill(), and
// accepts nobody any more; the process still exists.
void begin_to_stop();
// Hangs up on one service; corosync lives on, and accepts new connections.
void hang_up(Service service);
// Up again after kill(), as another process.
void start();

// ---- Failures ----------------------------------------------------------------------------------

// `call` is the C function's name; it does nothing but fail. `system_error` is left in errno.
void fail_next(std::string_view call, cs_error_t code, int system_error = 0);
void fail_always(std::string_view call, cs_error_t code, int system_error = 0);
void stop_failing(std::string_view call);
// Throws std::runtime_error: a fault of our own in the middle of a call.
void throw_next(std::string_view call);

// Flow control, as during a sync or under load: calls on the connections that there are now are not
// sent, and fail with CS_ERR_TRY_AGAIN (with flow_control.cpp; without it they would hang). Those
// on connections made later are answered.
void control_flow();
void stop_controlling_flow();

// Makes each callback from now on, for faults of the code that it calls. Only quorum's call this
// library in between (quorum_context_get).
using AroundCallback = std::function<void(const std::function<void()>& callback)>;
void around_callbacks(AroundCallback around);

// Keeps each call of this name until release(). freeze() keeps all that wait for corosync, as a
// SIGSTOP would: everything but *_fd_get, *_context_get, *_dispatch and *_finalize.
void hang(std::string_view call);
void release(std::string_view call);
void freeze();
void thaw();

// Whether a call of this name is being kept; waits for it until then.
[[nodiscard]] bool wait_until_hanging(std::string_view call,
                                      std::chrono::milliseconds limit = std::chrono::seconds{10});

// ---- What was asked of it ----------------------------------------------------------------------

[[nodiscard]] std::size_t open_handles();
[[nodiscard]] std::size_t open_handles(Service service);

// How often the function was called since reset(), failed calls included.
[[nodiscard]] std::size_t calls(std::string_view call);
// The names of all functions that the thread called.
[[nodiscard]] std::vector<std::string> called_by(std::thread::id thread);
// The flags of each *_trackstart that succeeded.
[[nodiscard]] std::vector<unsigned int> track_flags(Service service);
// Those who track now.
[[nodiscard]] std::size_t trackers(Service service);

// What broke the libraries' rules, one line each:
// - two threads at once on one handle, or connecting and finalizing in one library at once;
// - a handle used after it was finalized, or of another service;
// - a handle finalized within its own callback;
// - a callback struct without the callbacks;
// - what kills corosync, or makes it complain in its log: the statistics read into a buffer that is
//   or may be too small for them, or all of them, or tracked; the status of a node that is not
//   configured.
[[nodiscard]] std::vector<std::string> misuse();

}  // namespace fake_corosync
