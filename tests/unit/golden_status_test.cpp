// SPDX-License-Identifier: Apache-2.0
// The status of each story, as JSON and as a page, byte by byte. With UPDATE_GOLDEN=1 in the
// environment they are written anew instead, for git to show what changed.

#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <ostream>
#include <random>
#include <string>

#include "golden.h"
#include "print_model.h"
#include "status/json.h"
#include "status/page.h"
#include "stories.h"

namespace corosync_exporter {
namespace {

// All addresses on UDP unicast: no links are told of, and nodes have no names.
Story udpu() {
  Story story = Story{}.connect();
  form(story, ring(1, 8), true, ids({1, 2, 3}));
  ConfigurationRead reading =
      configuration({{id(1), {.name = "10.77.0.1", .configured = true, .votes = 1}},
                     {id(2), {.name = "10.77.0.2", .configured = true, .votes = 1}},
                     {id(3), {.name = "10.77.0.3", .configured = true, .votes = 1}}});
  reading.info.transport = "udpu";
  return story.read(VotesRead{votes(3, ids({1, 2, 3}))})
      .read(reading)
      .read(LocalNodeRead{id(1)})
      .wait(1s);
}

// A big cluster, of which a part is missing.
Story many_nodes() {
  constexpr std::uint32_t count = 200;
  Story story = Story{}.connect();
  std::map<NodeId, NodeConfiguration> nodes;
  std::vector<NodeId> everybody;
  std::vector<NodeId> some;
  Votes of_all{.expected = count, .highest_expected = count, .present = 150, .required = 101};
  for (std::uint32_t i = 1; i <= count; ++i) {
    everybody.push_back(id(i));
    if (i % 4 != 0) {
      some.push_back(id(i));
    }
    nodes[id(i)] = {.name = "node" + std::to_string(i), .configured = true, .votes = 1};
    of_all.nodes[id(i)] = {.votes = 1, .qdevice = std::nullopt};
  }
  form(story, ring(1, 8), true, everybody).read(configuration(nodes)).wait(2s);
  std::vector<NodeId> left;
  std::ranges::set_difference(everybody, some, std::back_inserter(left));
  form(story, ring(1, 12), true, some, {}, left).read(VotesRead{of_all});
  return story.read(configuration(nodes)).read(LocalNodeRead{id(1)}).wait(1s);
}

// Each kind of change that the other stories have not: with names and without, of one and of many.
Story everything_happened() {
  Story story = qdevice();
  const auto reads_device = [&](bool votes, std::uint32_t expected) {
    Votes read{.expected = expected,
               .highest_expected = expected,
               .present = votes ? 3U : 2U,
               .required = 3,
               .qdevice = 1};
    for (const NodeId node : ids({1, 2})) {
      read.nodes[node] = {
          .votes = 1,
          .qdevice = Qdevice{.registered = true, .alive = votes, .casting_vote = votes}};
    }
    story.wait(1s).read(VotesRead{read});
  };
  reads_device(true, 4);
  reads_device(false, 4);
  reads_device(true, 5);

  const auto reads_links = [&](bool first, bool second) {
    const auto link = [](bool connected) {
      return LinkStatus{.enabled = true, .connected = connected, .mtu_bytes = 1397};
    };
    story.wait(1s).read(ReachabilityRead{
        {{id(2), {.reachable = first || second, .links = {{0, link(first)}, {1, link(second)}}}}}});
  };
  reads_links(true, true);
  reads_links(true, false);
  reads_links(false, false);
  reads_links(true, true);

  story.wait(1s).then(ReadingFailed{
      .source = Source::cfg, .failure = failure("corosync_cfg_local_get", "CS_ERR_TRY_AGAIN")});
  story.wait(1s).read(LocalNodeRead{id(1)});
  Totem troubled = totem();
  troubled.network_fault = true;
  troubled.last_pause = SchedulingPause{.at = story.now().system, .lasted = 1345678us};
  return story.read(TotemRead{troubled}).wait(1s);
}

// Corosync on this node dies again and again.
Story crash_loop() {
  Story story = quorate();
  for (std::uint64_t round = 0; round < 5; ++round) {
    story.wait(10s).disconnect().wait(250ms).then(ConnectFailed{{.call = "quorum_model_initialize",
                                                                 .error = "CS_ERR_LIBRARY",
                                                                 .detail = "Connection refused"}});
    story.wait(2s).connect();
    form(story, ring(1, 20 + 8 * round), false, ids({1}));
    form(story.wait(3s), ring(1, 24 + 8 * round), true, ids({1, 2, 3}), ids({2, 3}));
    read(story, votes(3, ids({1, 2, 3})));
  }
  return story.wait(1s);
}

// Each of 64 nodes has eight links, of which at each poll so many others change, or of each the
// half.
Story flapping_links(std::optional<std::uint32_t> changes_a_poll) {
  constexpr std::uint32_t all = 63 * 8;
  Story story = Story{}.connect();
  std::map<NodeId, NodeConfiguration> nodes;
  std::vector<NodeId> everybody;
  for (std::uint32_t i = 1; i <= 64; ++i) {
    everybody.push_back(id(i));
    nodes[id(i)] = {.name = "node" + std::to_string(i) + ".example.org", .configured = true};
  }
  form(story, ring(1, 8), true, everybody).read(configuration(nodes)).read(LocalNodeRead{id(1)});
  std::vector<bool> connected(all);
  std::mt19937 engine{1};
  const auto link_of = [](std::uint32_t i) {
    return LinkId{id(2 + i / 8), static_cast<LinkNumber>(i % 8)};
  };
  for (int poll = 0; poll < 260; ++poll) {
    for (std::uint32_t i = 0; i < changes_a_poll.value_or(all / 2); ++i) {
      connected[engine() % all].flip();
    }
    ReachabilityRead links;
    for (std::uint32_t i = 0; i < all; ++i) {
      const auto& [node, number] = link_of(i);
      links.nodes[node].links[number] = {
          .enabled = true, .connected = connected[i], .mtu_bytes = 1397};
    }
    story.wait(5s).read(links);
  }
  LinkStatisticsRead statistics;
  for (std::uint32_t i = 0; i < all; ++i) {
    statistics.links[link_of(i)] = {
        .latency = 12345us, .latency_max = 123456us, .downs = 500, .ups = 500};
  }
  return story.read(statistics);
}

Story failed_votes() {
  return quorate()
      .then(ReadingFailed{.source = Source::votequorum,
                          .failure = failure("votequorum_getinfo", "CS_ERR_TRY_AGAIN")})
      .wait(1s);
}

Story busy_from_the_start() {
  Story story = Story{}.connect();
  form(story, ring(1, 8), true, ids({1, 2, 3}));
  for (const Source source : {Source::votequorum, Source::cmap, Source::cfg}) {
    story.then(ReadingInterrupted{.source = source});
  }
  return story.wait(1s);
}

Story hostile_page() {
  Story story = Story{}.connect();
  story.node_list({.ring = ring(1, 8), .members = ids({1, 2, 3})}).verdict(true, ring(1, 8));
  ConfigurationRead reading = configuration({
      {id(1), {.name = "<img src=x onerror=alert(1)>", .configured = true}},
      {id(2), {.name = "</main><script>alert(2)</script>\" onload='alert(3)", .configured = true}},
      {id(3), {.name = "{{nonce}}&lt;" + std::string(300, 'x'), .configured = true}},
      {id(4), {.name = "not \xff UTF-8", .configured = true}},
  });
  reading.info = {.cluster_name = "</title><b>", .transport = "<i>", .provider = "a&b"};
  story.read(reading).read(LocalNodeRead{id(1)});
  return story.node_list({.ring = ring(1, 12), .members = ids({1}), .left = ids({2, 3})})
      .then(ReadingFailed{.source = Source::cfg,
                          .failure = {.call = "<u>", .error = "\"<s>\"", .detail = "'<q>'"}})
      .wait(1s);
}

struct GoldenStatus {
  std::string name;
  Story story;
};
void PrintTo(const GoldenStatus& row, std::ostream* out) { *out << row.name; }

Status status(const Story& story) {
  return status_of({.state = story.state(),
                    .timeline = std::make_shared<const Timeline>(story.timeline()),
                    .generation = 29},
                   story.now());
}

std::string json(const Story& story) { return status_json(status(story), "1.2.3", "abc1234"); }

std::string page(const Story& story) {
  return status_page(status(story),
                     {.nonce = "0123", .version = "1.2.3", .metrics_path = "/metrics"});
}

// What differs between pages; the shell around it is in status.html.
std::string content(const Story& story) {
  const std::string text = page(story);
  std::string main = text.substr(text.find("<main"), text.find("</main>") - text.find("<main"));
  for (const char* block : {"<section", "<tr", "<li", "</tr", "</ol", "<dl", "<rect"}) {
    for (std::size_t at = 0; (at = main.find(block, at)) != std::string::npos; at += 2) {
      main.insert(at, "\n");
    }
  }
  return main + "\n";
}

class GoldenStatusTest : public ::testing::TestWithParam<GoldenStatus> {};

TEST_P(GoldenStatusTest, TheJsonIsTheSameToTheByte) {
  expect_golden(json(GetParam().story), GetParam().name + ".json");
}

TEST_P(GoldenStatusTest, ThePageIsTheSameToTheByte) {
  expect_golden(content(GetParam().story), GetParam().name + ".html");
}

INSTANTIATE_TEST_SUITE_P(
    Statuses, GoldenStatusTest,
    ::testing::Values(
        GoldenStatus{"never_connected", never_connected()}, GoldenStatus{"quorate", quorate()},
        GoldenStatus{"links_and_totem", links_and_totem()},
        GoldenStatus{"not_quorate", not_quorate()},
        GoldenStatus{"sync_in_progress", sync_in_progress()},
        GoldenStatus{"no_provider", no_provider()}, GoldenStatus{"udpu", udpu()},
        GoldenStatus{"qdevice", qdevice()}, GoldenStatus{"waiting_for_all", waiting_for_all()},
        GoldenStatus{"tie_breaker", tie_breaker()}, GoldenStatus{"waiting_again", waiting_again()},
        GoldenStatus{"stale", stale()}, GoldenStatus{"busy", busy(20s)},
        GoldenStatus{"busy_for_a_moment", busy(5s)},
        GoldenStatus{"busy_from_the_start", busy_from_the_start()},
        GoldenStatus{"disconnected", disconnected()},
        GoldenStatus{"failed_reading", failed_reading()},
        GoldenStatus{"failed_votes", failed_votes()},
        GoldenStatus{"everything_happened", everything_happened()},
        GoldenStatus{"crash_loop", crash_loop()}, GoldenStatus{"many_nodes", many_nodes()},
        GoldenStatus{"hostile_page", hostile_page()}),
    [](const auto& row) { return row.param.name; });

// ---- What golden files could hide --------------------------------------------------------------

TEST(StatusPageTest, NamesOpenNoElementAndCloseNone) {
  const std::string text = page(hostile_page());
  for (const char* markup : {"<img", "<script>", "</main><", "</title><b", "<i>", "<u>", "<s>",
                             "<q>", "onload='", "<for", "' onload"}) {
    EXPECT_EQ(text.find(markup), std::string::npos) << markup;
  }
  EXPECT_NE(text.find("&lt;img src=x onerror=alert(1)&gt;"), std::string::npos);
  EXPECT_NE(text.find("{{nonce}}&amp;lt;xxx"), std::string::npos) << "a name is no hole";
}

TEST(StatusPageTest, NoHoleIsLeft) { EXPECT_EQ(page(quorate()).find("{{"), std::string::npos); }

TEST(StatusPageTest, TheJsonOf64NodesWithEightFlappingLinksIsNoLargerThan256KiB) {
  const auto size = [](std::optional<std::uint32_t> changes_a_poll) {
    const Story story = flapping_links(changes_a_poll);
    EXPECT_GE(story.timeline().entries().size(), 32);
    return json(story).size();
  };
  for (const std::uint32_t changes : {1, 4, 16}) {
    EXPECT_LT(size(changes), 256 * 1024) << changes;
  }
  EXPECT_LT(size(std::nullopt), 256 * 1024);
}

// Debian's civetweb gives its threads no more.
TEST(StatusPageTest, AStackOf100KiBIsEnough) {
  struct Work {
    Story story = many_nodes();
    std::string page;
    std::string json;
  } work;
  for (std::uint32_t i = 0; i < Timeline::most_entries; ++i) {
    work.story.then(VotesRead{{.expected = i}});
  }
  ASSERT_EQ(work.story.timeline().entries().size(), Timeline::most_entries);

  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  const long size =
      std::max(102400L, sysconf(_SC_THREAD_STACK_MIN));  // arm64 has a minimum of 128 KiB
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, size), 0);
  pthread_t thread{};
  const auto write = [](void* raw) -> void* {
    auto& at_work = *static_cast<Work*>(raw);
    at_work.page = page(at_work.story);
    at_work.json = json(at_work.story);
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &attributes, write, &work), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  EXPECT_NE(work.page.find("</html>"), std::string::npos);
  EXPECT_TRUE(work.json.ends_with("}\n"));
}

TEST(StatusPageTest, StyleAndScriptBearTheNonceOfThePolicy) {
  const std::string text = page(quorate());
  EXPECT_NE(text.find("<style nonce=\"0123\">"), std::string::npos);
  EXPECT_NE(text.find("<script nonce=\"0123\">"), std::string::npos);
  EXPECT_NE(content_security_policy("0123").find("script-src 'nonce-0123'"), std::string::npos);
  EXPECT_EQ(text.find(" style="), std::string::npos) << "the policy would refuse it";
}

}  // namespace
}  // namespace corosync_exporter
