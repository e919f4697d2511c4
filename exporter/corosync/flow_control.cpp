// SPDX-License-Identifier: Apache-2.0
// Keeps requests from corosync that it would not read yet.
//
// Corosync's flow control marks a connection whose requests it will not read for now: during a
// membership sync, and while totem's send queue is full (exec/ipc_glue.c). libqb's client looks at
// that mark before it sends, but by default it heeds only the weaker of two kinds: libcpg alone
// asks it to heed both (lib/cpg.c: qb_ipcc_fc_enable_max_set). A request that is sent all the same
// lies there, and corosync spins at realtime priority until it may read it.
//
// libquorum, libvotequorum, libcmap and libcfg make every request through libqb's
// qb_ipcc_sendv_recv, and hand out no libqb connection to set this on. So the program defines that
// function itself: the dynamic linker prefers it, and it has both kinds heeded before it goes on to
// libqb's own. A request that would lie there then fails with CS_ERR_TRY_AGAIN, unsent.
//
// Without it, as where these libraries are linked statically, the limit on each call remains
// (call.h).

#include <dlfcn.h>
#include <qb/qbipcc.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstdint>

namespace {

using SendvRecv = decltype(&qb_ipcc_sendv_recv);

constexpr std::uint32_t heed_both = 2;

SendvRecv libqbs_own() {
  static const auto own = reinterpret_cast<SendvRecv>(dlsym(RTLD_NEXT, "qb_ipcc_sendv_recv"));
  return own;
}

}  // namespace

// Visible whatever the build's flags: the libraries have to find it.
extern "C" __attribute__((visibility("default"))) ssize_t qb_ipcc_sendv_recv(
    qb_ipcc_connection_t* connection, const struct iovec* request, std::uint32_t parts, void* answer,
    size_t answer_size, std::int32_t timeout_ms) {
  const SendvRecv own = libqbs_own();
  if (own == nullptr) {
    return -ENOSYS;
  }
  qb_ipcc_fc_enable_max_set(connection, heed_both);
  return own(connection, request, parts, answer, answer_size, timeout_ms);
}
