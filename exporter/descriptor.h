// SPDX-License-Identifier: Apache-2.0
// The owner of a file descriptor.
#pragma once

#include <unistd.h>

#include <utility>

namespace corosync_exporter {

class Descriptor {
 public:
  explicit Descriptor(int raw) noexcept : raw_{raw} {}
  Descriptor(Descriptor&& other) noexcept : raw_{std::exchange(other.raw_, -1)} {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(raw_, other.raw_);
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (raw_ >= 0) {
      close(raw_);
    }
  }

  [[nodiscard]] int get() const noexcept { return raw_; }

 private:
  int raw_ = -1;
};

}  // namespace corosync_exporter
