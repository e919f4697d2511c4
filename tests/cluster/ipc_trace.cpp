// SPDX-License-Identifier: Apache-2.0
// To be preloaded into a client of corosync: writes down from outside when it asks and when it has
// its answer. All of corosync's client libraries ask through libqb's two functions below. A request
// that takes too long is taken back by shutdown(2) on its connection, which corosync notices at
// once, however long libqb takes to come back from the call.
//
// IPC_TRACE names the file. Each line is appended with one write, so that lines stand in the order
// of what they tell, whatever thread it was on, and are there however the process ends:
//
//     SECONDS connects THREAD     SECONDS connected THREAD    (or failed to)
//     SECONDS asks FD             SECONDS answered FD         (or failed)
//     SECONDS shuts FD            a connection of corosync's or any other socket
//
// Seconds are CLOCK_MONOTONIC's. ipc_trace.py reads it.
#include <dlfcn.h>
#include <fcntl.h>
#include <qb/qbipcc.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace {

void write_down(const char* what, int whom) {
  const int kept = errno;
  static const int file = [] {
    const char* name = std::getenv("IPC_TRACE");
    return name ? open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644) : -1;
  }();
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  std::array<char, 80> line{};
  const int length = std::snprintf(line.data(), line.size(), "%jd.%09ld %s %d\n",
                                   std::intmax_t{now.tv_sec}, now.tv_nsec, what, whom);
  // Half a trace would tell of less than there was.
  if (write(file, line.data(), static_cast<std::size_t>(length)) != length) {
    std::abort();
  }
  errno = kept;
}

template <class Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

qb_ipcc_connection_t* qb_ipcc_connect(const char* name, std::size_t max_msg_size) {
  static auto* const call = real<decltype(qb_ipcc_connect)>("qb_ipcc_connect");
  write_down("connects", gettid());
  auto* const connection = call(name, max_msg_size);
  write_down("connected", gettid());
  return connection;
}

ssize_t qb_ipcc_sendv_recv(qb_ipcc_connection_t* connection, const iovec* parts,
                           std::uint32_t count, void* answer, std::size_t length,
                           std::int32_t timeout) {
  static auto* const call = real<decltype(qb_ipcc_sendv_recv)>("qb_ipcc_sendv_recv");
  int descriptor = -1;
  qb_ipcc_fd_get(connection, &descriptor);
  write_down("asks", descriptor);
  const ssize_t result = call(connection, parts, count, answer, length, timeout);
  write_down("answered", descriptor);
  return result;
}

int shutdown(int descriptor, int how) noexcept {
  static auto* const call = real<int(int, int)>("shutdown");
  write_down("shuts", descriptor);
  return call(descriptor, how);
}
}
