// SPDX-License-Identifier: Apache-2.0
// What the program takes from corosync's word to the page, on a fake corosync. Prints lines of
// "name value" for tests/benchmark/*.py; times in microseconds.
#include <malloc.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "clock.h"
#include "exposition/page.h"
#include "program.h"

namespace corosync_exporter {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t three = 3;
constexpr std::uint64_t first_ring = 8;

// Until readings, which follow each event, are over; else they are what the next event waits for.
constexpr auto between_events = 5ms;

double microseconds(BenchClock::duration duration) {
  return std::chrono::duration<double, std::micro>{duration}.count();
}

void say(const std::string& name, double value) { std::printf("%s %.3f\n", name.c_str(), value); }

using Times = std::vector<double>;

double percentile(Times times, double part) {
  std::ranges::sort(times);
  const auto count = static_cast<double>(times.size());
  return times.at(std::min(times.size() - 1, static_cast<std::size_t>(count * part)));
}

void say(const std::string& name, const Times& times) {
  constexpr double median = 0.5;
  constexpr double most = 0.99;
  say(name + ".p50", percentile(times, median));
  say(name + ".p99", percentile(times, most));
  say(name + ".max", percentile(times, 1));
}

double timed(const std::function<void()>& action) {
  const auto start = BenchClock::now();
  action();
  return microseconds(BenchClock::now() - start);
}

std::string line_of_ring(std::uint64_t ring) {
  return "\ncorosync_ring_sequence " + std::to_string(ring) + "\n";
}

// The value of the one series; the whole line up to it has to be given.
double value_of(const std::string& page, std::string_view series) {
  const auto found = page.find("\n" + std::string{series} + " ");
  return found == std::string::npos ? -1 : std::stod(page.substr(found + series.size() + 2));
}

double notifications_on(const std::string& page) {
  double sum = 0;
  for (const char* service : {"quorum", "votequorum"}) {
    for (const char* kind : {"nodelist", "quorum"}) {
      sum += value_of(page, "corosync_exporter_notifications_total{service=\"" +
                                std::string{service} + "\",kind=\"" + kind + "\"}");
    }
  }
  return sum;
}

// From the callback until its state is published, which is when a scrape that comes only then shows
// it; and until the end of the first scrape that shows it, when somebody asks again and again, with
// `pause` in between. Without `pause` nobody asks.
void callback(const std::string& name, int count, std::optional<std::chrono::microseconds> pause) {
  const Program program{cluster_of(three, 1)};
  Times shown;
  Times published;
  std::uint64_t ring = first_ring;
  for (int i = 0; i < count; ++i, ring += 4) {
    const std::string wanted = line_of_ring(ring);
    const auto start = BenchClock::now();
    form(ring, i % 2 == 0 ? 2 : three, true);
    while (pause && program.scrape().find(wanted) == std::string::npos) {
      std::this_thread::sleep_for(*pause);
    }
    if (pause) {
      shown.push_back(microseconds(BenchClock::now() - start));
    }
    std::this_thread::sleep_for(between_events);
    published.push_back(microseconds(program.published(ring) - start));
  }
  say(name + ".published", published);
  if (pause) {
    say(name + ".shown", shown);
  }
}

void callback(int count) {
  callback("unasked", count, std::nullopt);
  callback("asked", count, 200us);
  callback("pressed", count, 0us);
}

// Scrapes one after the other, until told to end.
class Scraping {
 public:
  explicit Scraping(const Program& program)
      : thread_{[this, &program](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
            times_.push_back(timed([&] { (void)program.scrape(); }));
            std::this_thread::sleep_for(1ms);
          }
        }} {}
  Times end() {
    thread_.request_stop();
    thread_.join();
    return times_;
  }

 private:
  Times times_;
  std::jthread thread_;
};

// `count` callbacks in rings of four, with a verdict that changes each time: as fast as corosync's
// queue takes them, which holds `queue` here, as libqb's event ring does with its 1 MiB.
void storm(int count) {
  constexpr int callbacks_of_a_ring = 4;
  constexpr int queue = 1'024;
  Program program{cluster_of(three, 1)};
  Scraping before{program};
  std::this_thread::sleep_for(1s);
  say("scrape.before", before.end());
  const double told = notifications_on(program.scrape());
  (void)program.longest_delay();

  Scraping meanwhile{program};
  const auto start = BenchClock::now();
  std::uint64_t ring = first_ring;
  const int rings = count / callbacks_of_a_ring;
  double behind = 0;
  for (int i = 0; i < rings; ++i, ring += 4) {
    form(ring, i % 2 == 0 ? 2 : three, i % 2 != 0);
    if (i % (queue / callbacks_of_a_ring) == 0) {
      const auto now = BenchClock::now();
      behind = std::max(behind, microseconds(program.published(ring) - now));
    }
  }
  const auto end = program.published(ring - 4);
  say("scrape.during", meanwhile.end());
  say("seconds", microseconds(end - start) / 1e6);
  say("behind", behind);
  say("loop.longest", microseconds(program.longest_delay()));
  const std::string page = program.scrape();
  say("callbacks", static_cast<double>(rings) * callbacks_of_a_ring);
  say("counted", notifications_on(page) - told);
  say("changes", value_of(page, "corosync_quorum_changes_total"));
  say("rings", rings);
}

std::ptrdiff_t series_of(const std::string& page) {
  std::istringstream lines{page};
  std::ptrdiff_t count = 0;
  for (std::string line; std::getline(lines, line);) {
    count += line.starts_with('#') ? 0 : 1;
  }
  return count;
}

// One size of a cluster.
void growth(std::uint32_t nodes, std::uint32_t links, int count) {
  const Program program{cluster_of(nodes, links)};
  Page page{Build{.version = "1", .revision = "1"}};
  Times render;
  Times first_scrape;
  Times next_scrape;
  Times event;
  std::uint64_t ring = first_ring;
  for (int i = 0; i < count; ++i, ring += 4) {
    const auto start = BenchClock::now();
    form(ring, i % 2 == 0 ? nodes - 1 : nodes, true);
    event.push_back(microseconds(program.published(ring) - start));
    std::this_thread::sleep_for(between_events + 20us * nodes);
    first_scrape.push_back(timed([&] { (void)program.scrape(); }));
    next_scrape.push_back(timed([&] { (void)program.scrape(); }));
    const auto newest = program.newest();
    const std::shared_ptr<const ClusterState> state{newest, &newest->state};
    render.push_back(timed([&] { (void)page.text(state, current_moment().steady, Self{}, ""); }));
  }
  const auto newest = program.newest();
  const std::shared_ptr<const ClusterState> state{newest, &newest->state};
  const std::string text = page.text(state, current_moment().steady, Self{}, "");
  say("bytes", static_cast<double>(text.size()));
  say("series", static_cast<double>(series_of(text)));
  say("render", render);
  say("scrape.first", first_scrape);
  say("scrape.next", next_scrape);
  say("event", event);
}

// An exporter for somebody else to scrape, with so many events a second. Says where it listens, and
// each second how many events there were and what the heap holds, until nobody reads that. `leak`:
// bytes that each event leaves behind, to see whether that is noticed.
[[noreturn]] void serve(double events_a_second, std::size_t leak) {
  const Program program{cluster_of(three, 1)};
  say("port", program.port());
  std::vector<std::unique_ptr<char[]>> left_behind;  // NOLINT: bytes, nothing else
  constexpr std::size_t enough = 10'000'000;
  left_behind.reserve(leak > 0 ? enough : 0);
  std::uint64_t ring = first_ring;
  const auto change = [&ring](std::uint64_t number) {
    form(ring, number % 2 == 0 ? 2 : three, number % 4 < 2);
  };
  // The timeline fills up, and each HTTP thread has its first request, which is no leak.
  for (std::size_t i = 0; i < 4 * Timeline::most_entries; ++i, ring += 4) {
    change(i);
    (void)program.published(ring);
    (void)program.get(std::array{"/metrics", "/", "/api/v1/status"}.at(i % 3));
  }
  double events = 0;
  const auto start = BenchClock::now();
  auto told = start;
  for (;; ++events, ring += 4) {
    std::this_thread::sleep_until(start +
                                  std::chrono::duration_cast<BenchClock::duration>(
                                      std::chrono::duration<double>{events / events_a_second}));
    change(static_cast<std::uint64_t>(events));
    if (leak > 0) {
      left_behind.push_back(std::make_unique<char[]>(leak));  // NOLINT
    }
    if (BenchClock::now() - told >= 1s) {
      told = BenchClock::now();
      say("events", events + 1);
      say("heap", static_cast<double>(mallinfo2().uordblks));
      if (std::fflush(stdout) != 0) {
        throw std::runtime_error{"nobody listens any more"};
      }
    }
  }
}

int run(const std::vector<std::string>& words) {
  const auto number = [&](std::size_t place) { return std::stoi(words.at(place)); };
  const std::string& what = words.at(0);
  if (what == "callback") {
    callback(number(1));
  } else if (what == "storm") {
    storm(number(1));
  } else if (what == "growth") {
    growth(static_cast<std::uint32_t>(number(1)), static_cast<std::uint32_t>(number(2)), number(3));
  } else if (what == "serve") {
    serve(std::stod(words.at(1)), static_cast<std::size_t>(number(2)));
  } else {
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace corosync_exporter

int main(int argc, char** argv) {
  constexpr int arenas = 2;  // as in main.cpp
  mallopt(M_ARENA_MAX, arenas);
  try {
    if (corosync_exporter::run({argv + 1, argv + argc}) == EXIT_SUCCESS) {
      return EXIT_SUCCESS;
    }
  } catch (const std::out_of_range&) {
  } catch (const std::exception& error) {
    std::fprintf(stderr, "in_process: %s\n", error.what());
    return EXIT_FAILURE;
  }
  std::fputs(
      "Usage: in_process callback EVENTS | storm CALLBACKS | growth NODES LINKS EVENTS |"
      " serve EVENTS_A_SECOND LEAKED_BYTES\n",
      stderr);
  return 2;
}
