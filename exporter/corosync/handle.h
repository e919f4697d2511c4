// SPDX-License-Identifier: Apache-2.0
// Owners of what C libraries hand out. Move-only; what they own is given back exactly once.
#pragma once

#include <corosync/corotypes.h>

#include <cstdint>
#include <mutex>
#include <utility>

namespace corosync_exporter {

// A connection to one of corosync's services: quorum, votequorum, cmap and cfg all hand out a
// number. 0 is never a valid one (hdb.h puts a random check in the upper half).
//
// Threads: one at a time may use a handle: two at once get each other's answers. *_initialize and
// *_finalize of one library race against each other (libqb's hdb), so both hold library().
template <cs_error_t (*finalize)(std::uint64_t)>
class Handle {
 public:
  Handle() = default;
  explicit Handle(std::uint64_t raw) noexcept : raw_{raw} {}
  Handle(Handle&& other) noexcept : raw_{std::exchange(other.raw_, 0)} {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(raw_, other.raw_);  // `other` finalizes ours
    return *this;
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    if (raw_ != 0) {
      const std::lock_guard lock{library()};
      finalize(raw_);  // CS_ERR_BAD_HANDLE is all it can say, and nothing is left to do about it
    }
  }

  // To be held while the library makes another handle; not while one of its handles ends.
  [[nodiscard]] static std::mutex& library() noexcept {
    static std::mutex mutex;
    return mutex;
  }

  [[nodiscard]] std::uint64_t get() const noexcept { return raw_; }
  explicit operator bool() const noexcept { return raw_ != 0; }

 private:
  std::uint64_t raw_ = 0;
};

// A handle with the descriptor that its library gives for it: *_fd_get.
template <cs_error_t (*finalize)(std::uint64_t)>
class Connection {
 public:
  Connection() = default;
  Connection(Handle<finalize> handle, int descriptor) noexcept
      : handle_{std::move(handle)}, descriptor_{descriptor} {}

  [[nodiscard]] std::uint64_t handle() const noexcept { return handle_.get(); }
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }  // owned by the library
  explicit operator bool() const noexcept { return static_cast<bool>(handle_); }

 private:
  Handle<finalize> handle_;
  int descriptor_ = -1;
};

}  // namespace corosync_exporter
