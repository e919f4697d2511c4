// SPDX-License-Identifier: Apache-2.0
// What civetweb calls in place of listen(2), accept(2) and close(2): it hands its sockets to nobody
// else. It has callbacks about connections, but the first one comes after the TLS handshake, none
// says which descriptor it is about, and none is called for a connection that still waits for a
// thread when the server ends.
//
// The civetweb that is built with the program is told so by the compiler (civetweb.cmake). Where it
// is the system's library, the program defines these three functions itself, which the dynamic
// linker prefers. Either way a call goes on to the kernel on threads without a gate.
#pragma once

namespace corosync_exporter::web {

class Gate;

// From now on this thread's sockets come and go through that gate; null: through none.
void use_gate(Gate* gate) noexcept;

}  // namespace corosync_exporter::web
