// SPDX-License-Identifier: Apache-2.0
// The pure steps of the data's way, by the number of nodes, each with two links.
#include <benchmark/benchmark.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "clock.h"
#include "corosync/chronicle.h"
#include "exposition/families.h"
#include "exposition/page.h"
#include "model/apply.h"
#include "model/snapshot_cell.h"
#include "program.h"
#include "status/json.h"
#include "status/status.h"

namespace corosync_exporter {
namespace {

constexpr std::uint32_t links = 2;

std::shared_ptr<const Snapshot> snapshot_of(const benchmark::State& bench) {
  return Program{cluster_of(static_cast<std::uint32_t>(bench.range(0)), links)}.newest();
}

void apply_verdict(benchmark::State& bench) {
  ClusterState state = snapshot_of(bench)->state;
  const RingId ring = state.present->membership->ring;
  const Event lost = QuorumNotified{.quorate = false, .ring = ring};
  const Event regained = QuorumNotified{.quorate = true, .ring = ring};
  bool quorate = true;
  for (auto _ : bench) {
    quorate = !quorate;
    benchmark::DoNotOptimize(apply(state, quorate ? regained : lost, current_moment()));
  }
}

// Which is handed over, so that it need not be copied.
void apply_reading(benchmark::State& bench) {
  ClusterState state = snapshot_of(bench)->state;
  const Event event = LinkStatisticsRead{state.present->link_statistics.map()};
  for (auto _ : bench) {
    bench.PauseTiming();
    Event reading = event;
    bench.ResumeTiming();
    benchmark::DoNotOptimize(apply(state, std::move(reading), current_moment()));
  }
}

// With all that grows with the cluster.
void fill(Chronicle& chronicle, const ClusterState& from) {
  const Present& present = *from.present;
  const Moment now = current_moment();
  ConfigurationRead configuration{.info = *from.info};
  for (const auto& [id, node] : from.nodes) {
    configuration.nodes[id] = {.name = *node.name, .configured = true};
  }
  for (Event event : {Event{Connected{.has_provider = true}},
                      Event{NodeListNotified{.ring = present.membership->ring,
                      .members = present.membership->members}},
                      Event{QuorumNotified{.quorate = true, .ring = present.membership->ring}},
                      Event{VotesRead{*present.votes}}, Event{configuration},
                      Event{ReachabilityRead{present.reachability.map()}},
                      Event{LinkStatisticsRead{present.link_statistics.map()}},
                      Event{TotemRead{*present.totem}}}) {
    chronicle.take(std::move(event), now);
  }
}

// A node leaves or comes back: what corosync announces then, until it is published.
void event(benchmark::State& bench) {
  const auto snapshot = snapshot_of(bench);
  SnapshotCell<Snapshot> newest{Snapshot{}};
  const Logger log{LogLevel::error};
  Chronicle chronicle{snapshot->state.stale_after, {}, log, [&](Snapshot fresh) {
                        newest.publish(std::move(fresh));
                      }};
  fill(chronicle, snapshot->state);
  const auto all = snapshot->state.present->membership->members;
  auto fewer = all;
  const NodeId last = fewer.back();
  fewer.pop_back();
  std::uint64_t sequence = 8;
  for (auto _ : bench) {
    sequence += 4;
    const bool leaves = sequence % 8 == 0;
    const RingId ring{.leader = all.front(), .sequence = sequence};
    NodeListNotified list{.ring = ring, .members = leaves ? fewer : all};
    (leaves ? list.left : list.joined).push_back(last);
    chronicle.take(list, current_moment());
    chronicle.take(QuorumNotified{.quorate = true, .ring = ring}, current_moment());
    chronicle.publish();
    chronicle.take(VotequorumNodeListNotified{}, current_moment());
    chronicle.take(VotequorumQuorumNotified{.voters = all}, current_moment());
    chronicle.publish();
  }
}

void copy_of_state(benchmark::State& bench) {
  const auto snapshot = snapshot_of(bench);
  for (auto _ : bench) {
    ClusterState copy = snapshot->state;
    benchmark::DoNotOptimize(copy);
  }
}

void families(benchmark::State& bench) {
  const auto snapshot = snapshot_of(bench);
  const Known all{.present = true, .votes = true, .configuration = true, .reachability = true};
  for (auto _ : bench) {
    present_families(View{snapshot->state, all},
                     [](const auto& family) { benchmark::DoNotOptimize(family); });
  }
}

std::shared_ptr<const ClusterState> copy(const Snapshot& snapshot) {
  return std::make_shared<const ClusterState>(snapshot.state);
}

void page_of_new_state(benchmark::State& bench) {
  const auto snapshot = snapshot_of(bench);
  const SteadyTime now = current_moment().steady;
  const auto one = copy(*snapshot);
  const auto other = copy(*snapshot);
  bool odd = false;
  Page page{{.version = "1", .revision = "1"}};
  for (auto _ : bench) {
    odd = !odd;
    benchmark::DoNotOptimize(page.text(odd ? one : other, now, {}, ""));
  }
}

void page_of_same_state(benchmark::State& bench) {
  const auto snapshot = snapshot_of(bench);
  const SteadyTime now = current_moment().steady;
  const auto state = copy(*snapshot);
  Page page{{.version = "1", .revision = "1"}};
  for (auto _ : bench) {
    benchmark::DoNotOptimize(page.text(state, now, {}, ""));
  }
}

void status_as_json(benchmark::State& bench) {
  const auto snapshot = snapshot_of(bench);
  const Moment now = current_moment();
  for (auto _ : bench) {
    benchmark::DoNotOptimize(status_json(status_of(*snapshot, now), "1", "1"));
  }
}

// NOLINTBEGIN: what the macro makes
#define BY_NODES(name) BENCHMARK(name)->Arg(3)->Arg(16)->Arg(64)->Arg(256)
BY_NODES(apply_verdict);
BY_NODES(apply_reading);
BY_NODES(event);
BY_NODES(copy_of_state);
BY_NODES(families);
BY_NODES(page_of_new_state);
BY_NODES(page_of_same_state);
BY_NODES(status_as_json);
// NOLINTEND

}  // namespace
}  // namespace corosync_exporter

BENCHMARK_MAIN();
