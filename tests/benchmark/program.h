// SPDX-License-Identifier: Apache-2.0
// The whole program but its main(), in this process and on a fake corosync that does at once what
// it is told: what is left is what the program itself takes.
//
// Threads: Program runs its loop on a thread of its own; the const members may be called from any,
// the others from one.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "fake_corosync.h"
#include "model/timeline.h"

namespace corosync_exporter {

using BenchClock = std::chrono::steady_clock;

// A cluster of so many nodes, all members, with all that corosync tells of them and their links.
[[nodiscard]] fake_corosync::Cluster cluster_of(std::uint32_t nodes, std::uint32_t links);

// A ring of nodes 1 to `members`, with all that corosync announces then.
void form(std::uint64_t ring_sequence, std::uint32_t members, bool quorate);

class Program {
 public:
  // Returns once the newest snapshot has all that is read of the cluster.
  explicit Program(const fake_corosync::Cluster& cluster);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  [[nodiscard]] std::shared_ptr<const Snapshot> newest() const;

  // Waits, and returns when the first snapshot with that ring was published.
  [[nodiscard]] BenchClock::time_point published(std::uint64_t ring_sequence) const;

  // GET over HTTP, on a connection of its own: head and body.
  [[nodiscard]] std::string get(const std::string& path) const;
  [[nodiscard]] std::string scrape() const { return get("/metrics"); }
  [[nodiscard]] std::uint16_t port() const;

  // How late the loop was at most, for a timer that runs every 5 ms; since the last call. The timer
  // starts with the first call: it takes time of its own.
  [[nodiscard]] BenchClock::duration longest_delay();

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace corosync_exporter
