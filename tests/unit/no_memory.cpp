// SPDX-License-Identifier: Apache-2.0
#include "no_memory.h"

#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

thread_local bool has_memory = true;

void* allocate(std::size_t size) noexcept {
  return has_memory ? std::malloc(size == 0 ? 1 : size) : nullptr;
}

}  // namespace

// All that may meet each other: a sanitizer has its own, and says so where they are mixed.
void* operator new(std::size_t size) {
  void* const memory = allocate(size);
  if (memory == nullptr) {
    throw std::bad_alloc{};
  }
  return memory;
}
void* operator new(std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  return allocate(size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*size*/) noexcept { std::free(memory); }

namespace corosync_exporter {

NoMemory::NoMemory() noexcept { has_memory = false; }
NoMemory::~NoMemory() { has_memory = true; }

}  // namespace corosync_exporter
