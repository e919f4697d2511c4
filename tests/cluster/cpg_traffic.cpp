// SPDX-License-Identifier: Apache-2.0
// Traffic for a cluster: joins a group of corosync's closed process groups (libcpg) and sends it so
// many messages a second, as Pacemaker or a cluster file system does, until it is told to end. What
// it receives it takes in, as whoever does not makes corosync keep it.
//
// Prints "joined" once it is in the group. SIGTERM or SIGINT: "sent N refused N received N", and 0;
// refused is what corosync did not take for want of room. An error of corosync ends it with a
// message, and 1. While corosync is frozen, so is a call to it, and only signals are answered.
#include <corosync/cpg.h>
#include <poll.h>
#include <sys/uio.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Order {
  std::string_view group;
  unsigned int messages_a_second;
  std::size_t bytes;
};

std::atomic<std::uint64_t> sent{0};
std::atomic<std::uint64_t> refused{0};
std::atomic<std::uint64_t> received{0};

// All other threads are left as they are: one may wait for corosync.
[[noreturn]] void end(int status) {
  std::fflush(nullptr);
  std::_Exit(status);
}

void check(cs_error_t code, const char* call) {
  if (code != CS_OK) {
    std::fprintf(stderr, "cpg_traffic: %s: %s\n", call, cs_strerror(code));
    end(EXIT_FAILURE);
  }
}

void deliver(cpg_handle_t /*handle*/, const cpg_name* /*group*/, std::uint32_t /*node*/,
             std::uint32_t /*pid*/, void* /*message*/, std::size_t /*length*/) noexcept {
  received.fetch_add(1, std::memory_order_relaxed);
}

void change(cpg_handle_t /*handle*/, const cpg_name* /*group*/, const cpg_address* /*members*/,
            std::size_t /*count*/, const cpg_address* /*left*/, std::size_t /*left_count*/,
            const cpg_address* /*joined*/, std::size_t /*joined_count*/) noexcept {}

cpg_handle_t join(std::string_view group) {
  cpg_callbacks_t callbacks{.cpg_deliver_fn = deliver, .cpg_confchg_fn = change};
  cpg_handle_t handle = 0;
  check(cpg_initialize(&handle, &callbacks), "cpg_initialize");
  cpg_name name{};
  name.length = static_cast<std::uint32_t>(group.copy(name.value, sizeof(name.value)));
  cs_error_t code = CS_OK;
  // Refused while a membership is under way.
  while ((code = cpg_join(handle, &name)) == CS_ERR_TRY_AGAIN) {
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
  }
  check(code, "cpg_join");
  return handle;
}

void send(cpg_handle_t handle, std::vector<char>& message) {
  const iovec part{.iov_base = message.data(), .iov_len = message.size()};
  const cs_error_t code = cpg_mcast_joined(handle, CPG_TYPE_AGREED, &part, 1);
  if (code == CS_ERR_TRY_AGAIN) {
    refused.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  check(code, "cpg_mcast_joined");
  sent.fetch_add(1, std::memory_order_relaxed);
}

[[noreturn]] void traffic(const Order& order) {
  const cpg_handle_t handle = join(order.group);
  int descriptor = -1;
  check(cpg_fd_get(handle, &descriptor), "cpg_fd_get");
  std::puts("joined");
  std::fflush(stdout);

  std::vector<char> message(order.bytes);
  const auto interval = Clock::duration{std::chrono::seconds{1}} / order.messages_a_second;
  auto due = Clock::now();
  while (true) {
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(due - Clock::now()).count();
    pollfd ready{.fd = descriptor, .events = POLLIN, .revents = 0};
    if (poll(&ready, 1, wait > 0 ? static_cast<int>(wait) : 0) > 0) {
      check(cpg_dispatch(handle, CS_DISPATCH_ALL), "cpg_dispatch");
    }
    if (const auto now = Clock::now(); now >= due) {
      send(handle, message);
      // What could not be sent in time, as corosync kept the call waiting, is left out.
      due = std::max(due + interval, now);
    }
  }
}

bool read_number(std::string_view text, std::size_t least, std::size_t most, std::size_t& number) {
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && rest == text.data() + text.size() && number >= least &&
         number <= most;
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t messages_a_second = 0;
  std::size_t bytes = 0;
  // corosync takes messages of up to 1 MiB, less its own header.
  if (argc != 4 || std::strlen(argv[1]) == 0 || std::strlen(argv[1]) > CPG_MAX_NAME_LENGTH ||
      !read_number(argv[2], 1, 100'000, messages_a_second) ||
      !read_number(argv[3], 1, 1'000'000, bytes)) {
    std::fputs("Usage: cpg_traffic GROUP MESSAGES-A-SECOND BYTES\n", stderr);
    return 2;
  }
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);  // before the thread, which inherits it

  std::thread{traffic, Order{argv[1], static_cast<unsigned int>(messages_a_second), bytes}}
      .detach();
  int signal = 0;
  sigwait(&ends, &signal);
  std::printf("sent %ju refused %ju received %ju\n", std::uintmax_t{sent}, std::uintmax_t{refused},
              std::uintmax_t{received});
  end(EXIT_SUCCESS);
}
