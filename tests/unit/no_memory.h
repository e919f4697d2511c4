// SPDX-License-Identifier: Apache-2.0
// Memory that runs out, which no test could bring about otherwise.
#pragma once

namespace corosync_exporter {

// While one lives, `new` throws std::bad_alloc on its thread. Executables with no_memory.cpp only.
class NoMemory {
 public:
  NoMemory() noexcept;
  ~NoMemory();
  NoMemory(const NoMemory&) = delete;
  NoMemory& operator=(const NoMemory&) = delete;
};

}  // namespace corosync_exporter
