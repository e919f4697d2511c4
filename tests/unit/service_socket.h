// SPDX-License-Identifier: Apache-2.0
// A service manager's end of sd_notify(3): the environment it starts the program with, and what it
// is told.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "descriptor.h"
#include "service_manager.h"

namespace corosync_exporter {

class ServiceSocket {
 public:
  // `name`: as in NOTIFY_SOCKET; @ stands for the abstract namespace.
  explicit ServiceSocket(std::string name = unused_name("@"))
      : socket_{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)},
        variables_{{"NOTIFY_SOCKET", name}} {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::ranges::copy(name, std::begin(address.sun_path));
    if (name.starts_with('@')) {
      address.sun_path[0] = '\0';
    }
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    EXPECT_EQ(bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), length), 0) << name;
  }
  ~ServiceSocket() {
    if (variables_["NOTIFY_SOCKET"].starts_with('/')) {
      unlink(variables_["NOTIFY_SOCKET"].c_str());
    }
  }
  ServiceSocket(const ServiceSocket&) = delete;
  ServiceSocket& operator=(const ServiceSocket&) = delete;

  // Tests may run several at a time.
  static std::string unused_name(const std::string& beginning) {
    static int count = 0;
    return beginning + "corosync-exporter-test-" + std::to_string(getpid()) + "-" +
           std::to_string(++count);
  }

  void set(const std::string& variable, const std::string& value) { variables_[variable] = value; }

  [[nodiscard]] ServiceManager::Environment environment() const {
    return [this](const char* name) {
      const auto found = variables_.find(name);
      return found == variables_.end() ? nullptr : found->second.c_str();
    };
  }

  // Since it was last asked.
  [[nodiscard]] std::vector<std::string> told() const {
    std::vector<std::string> messages;
    std::array<char, 4096> message{};
    for (;;) {
      const auto length = recv(socket_.get(), message.data(), message.size(), 0);
      if (length < 0) {
        return messages;
      }
      messages.emplace_back(message.data(), static_cast<std::size_t>(length));
    }
  }

 private:
  Descriptor socket_;
  std::map<std::string, std::string> variables_;
};

}  // namespace corosync_exporter
