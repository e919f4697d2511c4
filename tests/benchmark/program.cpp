// SPDX-License-Identifier: Apache-2.0
#include "program.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <future>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "clock.h"
#include "corosync/event_loop.h"
#include "corosync/watcher.h"
#include "endpoints.h"
#include "exposition/page.h"
#include "log.h"
#include "model/snapshot_cell.h"
#include "web/live_config.h"
#include "web/server.h"

namespace corosync_exporter {
namespace {

using namespace std::chrono_literals;

constexpr auto patience = 120s;

void add_link(fake_corosync::Cluster& cluster, std::uint32_t node, std::uint32_t link) {
  std::uint64_t value = 1'000'000 + node * 1'000 + link * 100;
  const std::string prefix =
      "stats.knet.node" + std::to_string(node) + ".link" + std::to_string(link) + ".";
  for (const char* name :
       {"down_count", "up_count", "latency_samples", "latency_ave", "latency_max"}) {
    cluster.statistics[prefix + name] = static_cast<std::uint32_t>(++value);
  }
  cluster.statistics[prefix + "connected"] = std::uint8_t{1};
  for (const char* kind : {"data", "ping", "pong", "pmtu"}) {
    for (const char* what : {"rx_%_bytes", "rx_%_packets", "tx_%_bytes", "tx_%_packets",
                             "tx_%_errors", "tx_%_retries"}) {
      std::string name = what;
      cluster.statistics[prefix + name.replace(name.find('%'), 1, kind)] = ++value;
    }
  }
}

void add_totem(fake_corosync::Cluster& cluster) {
  for (const char* name : {"mcast_retx",
                           "consensus_timeouts",
                           "rx_msg_dropped",
                           "mtt_rx_token",
                           "avg_token_workload",
                           "avg_backlog_calc",
                           "firewall_enabled_or_nic_failure",
                           "orf_token_tx",
                           "orf_token_rx",
                           "mcast_tx",
                           "mcast_rx",
                           "memb_join_tx",
                           "memb_join_rx",
                           "memb_merge_detect_tx",
                           "memb_merge_detect_rx",
                           "memb_commit_token_tx",
                           "memb_commit_token_rx",
                           "token_hold_cancel_tx",
                           "token_hold_cancel_rx",
                           "operational_entered",
                           "operational_token_lost",
                           "gather_entered",
                           "gather_token_lost",
                           "commit_entered",
                           "commit_token_lost",
                           "recovery_entered",
                           "recovery_token_lost"}) {
    cluster.statistics[std::string{"stats.srp."} + name] = std::uint64_t{12'345};
  }
  cluster.statistics["stats.ipcs.global.active"] = std::uint64_t{6};
  cluster.statistics["stats.ipcs.global.closed"] = std::uint64_t{7};
  cluster.cmap["runtime.config.totem.token"] = std::uint32_t{3'000};
  cluster.cmap["runtime.config.totem.consensus"] = std::uint32_t{3'600};
}

void add_node(fake_corosync::Cluster& cluster, std::uint32_t node, std::uint32_t nodes,
              std::uint32_t links) {
  cluster.members.push_back(node);
  cluster.voters.push_back({.nodeid = node, .state = VOTEQUORUM_NODESTATE_MEMBER});
  cluster.infos[node] = {.node_id = node,
                         .node_state = VOTEQUORUM_NODESTATE_MEMBER,
                         .node_votes = 1,
                         .node_expected_votes = nodes,
                         .highest_expected = nodes,
                         .total_votes = nodes,
                         .quorum = nodes / 2 + 1,
                         .flags = VOTEQUORUM_INFO_QUORATE,
                         .qdevice_votes = 0,
                         .qdevice_name = {}};
  const std::string prefix = "nodelist.node." + std::to_string(node - 1) + ".";
  cluster.cmap[prefix + "nodeid"] = node;
  cluster.cmap[prefix + "name"] = "node" + std::to_string(node);
  corosync_cfg_node_status_v1 status{};
  status.version = CFG_NODE_STATUS_V1;
  status.nodeid = node;
  status.reachable = 1;
  for (std::uint32_t link = 0; link < links; ++link) {
    cluster.cmap[prefix + "ring" + std::to_string(link) + "_addr"] =
        "10." + std::to_string(link) + ".0." + std::to_string(node);
    status.link_status[link].enabled = 1;
    status.link_status[link].connected = 1;
    status.link_status[link].mtu = 1'397;
    std::strcpy(status.link_status[link].dst_ipaddr, "10.0.0.2");
    if (node != cluster.local_node) {
      add_link(cluster, node, link);
    }
  }
  if (node != cluster.local_node) {
    cluster.statuses[node] = status;
  }
}

std::size_t links_of(const fake_corosync::Cluster& cluster) {
  std::size_t count = 0;
  for (const auto& [node, status] : cluster.statuses) {
    count += static_cast<std::size_t>(
        std::ranges::count_if(status.link_status, [](const auto& link) { return link.enabled; }));
  }
  return count;
}

// Whether all was read of all that there is.
bool is_full(const ClusterState& state, const fake_corosync::Cluster& cluster) {
  constexpr Known all{.present = true, .votes = true, .configuration = true, .reachability = true};
  return is_synced(state) && known_at(state, current_moment().steady) == all &&
         state.present->votes && state.present->totem &&
         state.present->reachability.size() == cluster.statuses.size() &&
         state.present->link_statistics.size() == links_of(cluster);
}

}  // namespace

fake_corosync::Cluster cluster_of(std::uint32_t nodes, std::uint32_t links) {
  fake_corosync::Cluster cluster{.local_node = 1,
                                 .ring = {.nodeid = 1, .seq = 4},
                                 .quorate = true,
                                 .expected_votes = nodes,
                                 .cmap = {{"totem.cluster_name", "benchmark"},
                                          {"totem.transport", "knet"},
                                          {"quorum.provider", "corosync_votequorum"},
                                          {"nodelist.local_node_pos", std::uint32_t{0}}}};
  for (std::uint32_t node = 1; node <= nodes; ++node) {
    add_node(cluster, node, nodes, links);
  }
  add_totem(cluster);
  return cluster;
}

void form(std::uint64_t ring_sequence, std::uint32_t members, bool quorate) {
  std::vector<std::uint32_t> nodes(members);
  std::iota(nodes.begin(), nodes.end(), 1);
  fake_corosync::form({.nodeid = 1, .seq = ring_sequence}, nodes, quorate);
}

// As in main.cpp; built, run and destroyed on the loop's thread.
class Program::Core {
 public:
  explicit Core(const fake_corosync::Cluster& cluster)
      : cell_{{.timeline = std::make_shared<const Timeline>(current_moment().system)}} {
    fake_corosync::reset(cluster);
    std::promise<void> ready;
    auto is_ready = ready.get_future();
    thread_ = std::jthread{[this, ready = std::move(ready)]() mutable {
      try {
        run(ready);
      } catch (...) {
        ready.set_exception(std::current_exception());
      }
    }};
    is_ready.get();
    const auto deadline = BenchClock::now() + patience;
    while (!is_full(cell_.read()->state, cluster)) {
      if (BenchClock::now() > deadline) {
        stop_->ring();
        throw std::runtime_error{"the cluster is not read"};
      }
      std::this_thread::sleep_for(1ms);
    }
  }
  ~Core() { stop_->ring(); }
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  [[nodiscard]] std::shared_ptr<const Snapshot> newest() const { return cell_.read(); }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] BenchClock::duration longest_delay() {
    time_loop_->ring();
    return longest_delay_.exchange({});
  }

  [[nodiscard]] BenchClock::time_point published(std::uint64_t ring_sequence) const {
    const auto deadline = BenchClock::now() + patience;
    while (published_ring_.load() < ring_sequence) {
      if (BenchClock::now() > deadline) {
        throw std::runtime_error{"a ring is not published"};
      }
      std::this_thread::yield();
    }
    return published_at_.load();
  }

 private:
  // Members, as other threads ring them; yet of the loop, however that ends.
  struct Wakeups {
    Core& core;
    ~Wakeups() {
      core.stop_.reset();
      core.time_loop_.reset();
    }
  };

  void run(std::promise<void>& ready) {
    const Logger log{LogLevel::error};
    const web::LiveConfig web_config{std::nullopt, log};
    EventLoop loop;
    Watcher watcher{loop,     {},
                    Groups{}, CS_TRACK_CHANGES,
                    log,      [this](Snapshot fresh) { publish(std::move(fresh)); }};
    web::RequestCounter requests;
    const Facts facts{
        .newest = cell_, .requests = requests, .web_config = web_config, .waiting_since = [] {
          return std::optional<SteadyTime>{};
        }};
    const std::vector addresses{web::ListenAddress{.host = "127.0.0.1", .port = 0}};
    const web::Server server{
        addresses,
        endpoints(Options{}, facts, std::make_shared<Page>(Build{.version = "1", .revision = "1"})),
        web_config, requests, log};
    port_ = server.ports().at(0);
    constexpr auto interval = 5ms;
    BenchClock::time_point due;
    std::optional<Timer> timer;
    const auto start_timer = [&] {
      due = BenchClock::now() + interval;
      timer->start(interval);
    };
    timer.emplace(loop, [&] {
      longest_delay_ = std::max(longest_delay_.load(), BenchClock::now() - due);
      start_timer();
    });
    time_loop_.emplace(loop, [&] {
      if (!timer->is_running()) {
        start_timer();
      }
    });
    stop_.emplace(loop, [&] { loop.stop(); });
    const Wakeups end_before_loop{*this};
    watcher.start();
    ready.set_value();
    loop.run();
    if (!watcher.stop(patience)) {
      throw std::runtime_error{"the watcher does not stop"};
    }
  }

  void publish(Snapshot fresh) {
    const auto& present = fresh.state.present;
    const std::uint64_t ring =
        present && present->verdict ? present->verdict->ring.sequence : std::uint64_t{0};
    cell_.publish(std::move(fresh));
    if (ring > published_ring_.load()) {
      published_at_ = BenchClock::now();
      published_ring_ = ring;
    }
  }

  SnapshotCell<Snapshot> cell_;
  std::atomic<BenchClock::duration> longest_delay_{};
  std::atomic<std::uint64_t> published_ring_{};
  std::atomic<BenchClock::time_point> published_at_{};
  std::uint16_t port_ = 0;
  std::optional<Wakeup> time_loop_;
  std::optional<Wakeup> stop_;
  std::jthread thread_;  // last: it uses all of the above
};

Program::Program(const fake_corosync::Cluster& cluster) : core_{std::make_unique<Core>(cluster)} {}
Program::~Program() = default;

std::shared_ptr<const Snapshot> Program::newest() const { return core_->newest(); }
std::uint16_t Program::port() const { return core_->port(); }
BenchClock::duration Program::longest_delay() { return core_->longest_delay(); }
BenchClock::time_point Program::published(std::uint64_t ring_sequence) const {
  return core_->published(ring_sequence);
}

std::string Program::get(const std::string& path) const {
  const Descriptor client{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const std::string request = "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
  if (connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      send(client.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
          static_cast<ssize_t>(request.size())) {
    throw std::runtime_error{"cannot ask"};
  }
  std::string answer;
  constexpr std::size_t most = 1 << 16;
  std::vector<char> buffer(most);
  for (;;) {
    const ssize_t count = recv(client.get(), buffer.data(), buffer.size(), 0);
    if (count <= 0) {
      break;
    }
    answer.append(buffer.data(), static_cast<std::size_t>(count));
  }
  if (!answer.starts_with("HTTP/1.1 200 ")) {
    throw std::runtime_error{"no good answer: " + answer.substr(0, answer.find('\r'))};
  }
  return answer;
}

}  // namespace corosync_exporter
