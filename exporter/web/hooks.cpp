// SPDX-License-Identifier: Apache-2.0
#include "web/hooks.h"

#include <dlfcn.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "web/gate.h"

namespace corosync_exporter::web {
namespace {

// civetweb's calls have no other place for it: they get no context.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables)
thread_local Gate* gate_of_this_thread = nullptr;

// Takes the gate away while it is passed: what it calls itself goes to the kernel.
class Passage {
 public:
  Passage() : gate_{std::exchange(gate_of_this_thread, nullptr)} {}
  ~Passage() { gate_of_this_thread = gate_; }
  Passage(const Passage&) = delete;
  Passage& operator=(const Passage&) = delete;

  [[nodiscard]] Gate* gate() const { return gate_; }

 private:
  Gate* const gate_;
};

// The function of that name that the program would have called had it not defined it itself.
template <typename Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

}  // namespace

void use_gate(Gate* gate) noexcept { gate_of_this_thread = gate; }

}  // namespace corosync_exporter::web

using corosync_exporter::web::next;
using corosync_exporter::web::Passage;

// civetweb.cmake says under which names. Visible whatever the build's flags: a shared library has
// to find them.
#pragma GCC visibility push(default)

extern "C" int corosync_exporter_listen(int descriptor, int backlog) noexcept {
  static const auto kernels_own = next<decltype(&::listen)>("listen");
  const Passage passage;
  return passage.gate() != nullptr ? passage.gate()->listen(descriptor, backlog)
                                   : kernels_own(descriptor, backlog);
}

extern "C" int corosync_exporter_accept(int listener, sockaddr* address, socklen_t* length) {
  static const auto kernels_own = next<decltype(&::accept)>("accept");
  const Passage passage;
  return passage.gate() != nullptr ? passage.gate()->accept(listener, address, length)
                                   : kernels_own(listener, address, length);
}

extern "C" int corosync_exporter_close(int descriptor) {
  static const auto kernels_own = next<decltype(&::close)>("close");
  const Passage passage;
  return passage.gate() != nullptr ? passage.gate()->close(descriptor) : kernels_own(descriptor);
}

#pragma GCC visibility pop
