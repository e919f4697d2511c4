// SPDX-License-Identifier: Apache-2.0
// The least a scrape can cost with civetweb: every request gets the bytes of a file, headers and
// all, in one write. tests/benchmark/scrape.py sets the exporter beside it.
//
// The options are the ones of web/server.cpp that bear on speed, so with as many threads.
#include <civetweb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

namespace {

int answer(mg_connection* connection) noexcept {
  const auto& bytes =
      *static_cast<const std::string*>(mg_get_user_data(mg_get_context(connection)));
  mg_disable_connection_keep_alive(connection);
  mg_write(connection, bytes.data(), bytes.size());
  constexpr int ok = 200;
  return ok;
}

}  // namespace

// What civetweb calls in place of these functions, see exporter/web/civetweb.cmake.
extern "C" int corosync_exporter_listen(int descriptor, int backlog) noexcept {
  // As the exporter's server does: with it, a client's wait includes the accept.
  constexpr int defer_seconds = 3600;
  setsockopt(descriptor, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer_seconds, sizeof(defer_seconds));
  return listen(descriptor, backlog);
}
extern "C" int corosync_exporter_accept(int listener, sockaddr* address, socklen_t* length) {
  return accept(listener, address, length);
}
extern "C" int corosync_exporter_close(int descriptor) { return close(descriptor); }

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("Usage: static_answer ADDRESS:PORT FILE\n", stderr);
    return 2;
  }
  std::ifstream file{argv[2], std::ios::binary};
  std::string bytes{std::istreambuf_iterator<char>{file}, {}};

  sigset_t end;
  sigemptyset(&end);
  sigaddset(&end, SIGTERM);
  sigprocmask(SIG_BLOCK, &end, nullptr);

  mg_init_library(MG_FEATURES_DEFAULT);
  mg_callbacks callbacks{};
  callbacks.begin_request = answer;
  std::array<const char*, 17> options{"listening_ports",
                                      argv[1],
                                      "num_threads",
                                      "24",
                                      "request_timeout_ms",
                                      "2000",
                                      "max_request_size",
                                      "8192",
                                      "listen_backlog",
                                      "4096",
                                      "tcp_nodelay",
                                      "1",
                                      "enable_keep_alive",
                                      "no",
                                      "decode_url",
                                      "no",
                                      nullptr};
  const std::unique_ptr<mg_context, decltype(&mg_stop)> context{
      mg_start(&callbacks, &bytes, options.data()), mg_stop};
  if (!context) {
    std::fprintf(stderr, "static_answer: cannot listen on %s\n", argv[1]);
    return EXIT_FAILURE;
  }
  int signal = 0;
  sigwait(&end, &signal);
  return EXIT_SUCCESS;
}
