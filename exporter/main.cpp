// SPDX-License-Identifier: Apache-2.0
// corosync-exporter: subscribes to corosync's quorum and serves what it learns to Prometheus.

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "clock.h"
#include "corosync/event_loop.h"
#include "corosync/watcher.h"
#include "endpoints.h"
#include "exposition/page.h"
#include "log.h"
#include "model/snapshot_cell.h"
#include "model/timeline.h"
#include "options.h"
#include "service_manager.h"
#include "status/words.h"
#include "version.h"
#include "watchdog.h"
#include "web/live_config.h"
#include "web/server.h"
#include "web/web_config.h"

namespace corosync_exporter {
namespace {

constexpr int exit_failure = 1;  // cannot listen, above all
constexpr int exit_usage = 2;
constexpr int exit_not_connected = 3;

// SIGTERM is obeyed within a second, whatever corosync does.
constexpr std::chrono::milliseconds patience{500};

// HTTP handlers take a millisecond: one that takes so long hangs.
constexpr std::chrono::seconds handler_patience{30};

Timing timing(const Options& options) {
  return {.poll_interval = options.poll_interval, .stale_after = options.stale_after};
}

Groups groups(const Options& options) { return {.links = options.links, .totem = options.totem}; }

constexpr std::array stop_signals{SIGTERM, SIGINT};

// While the loop does not run yet: to look up a host name may take its time. Nothing has been begun
// that had to be ended in good order.
void exit_on_signals() {
  for (const int signal : stop_signals) {
    std::signal(signal, [](int) { _exit(EXIT_SUCCESS); });
  }
}

void stop_on_signals(EventLoop& loop) {
  for (const int signal : stop_signals) {
    loop.on_signal(signal, [&loop] { loop.stop(); });
  }
}

// Or glibc gives the HTTP server's threads up to eight arenas a processor, and each keeps what the
// largest page once took. And libqb has a buffer of 1 MiB for each connection, of which it uses
// little: mapped, as it is at first, the rest takes no memory; but after the first that is freed,
// glibc takes such sizes from the heap, where calloc touches all of it.
void spare_memory() {
  constexpr int arenas = 2;
  constexpr int mapped_from = 128 * 1024;  // glibc's own default, but fixed
  // There is no other thread yet.
  mallopt(M_ARENA_MAX, arenas);            // NOLINT(concurrency-mt-unsafe)
  mallopt(M_MMAP_THRESHOLD, mapped_from);  // NOLINT(concurrency-mt-unsafe)
}

void complain(const std::exception& error) {
  std::cerr << "corosync-exporter: " << error.what() << '\n';
}

// The collector's thread may wait for corosync, perhaps for ever: then it is left behind.
void end(Watcher& watcher, int status) {
  if (!watcher.stop(patience)) {
    _exit(status);
  }
}

// Runs until a signal, and ends in good order even where the loop breaks.
int run(EventLoop& loop, Watcher& watcher, const ServiceManager& manager) {
  int status = EXIT_SUCCESS;
  try {
    loop.run();
  } catch (const std::exception& error) {
    complain(error);
    status = exit_failure;
  }
  manager.stopping();
  end(watcher, status);
  return status;
}

bool answers(const web::Server& server) {
  const auto since = server.handling_since();
  return !since || current_moment().steady - *since < handler_patience;
}

Build build() { return {.version = std::string{version()}, .revision = std::string{revision()}}; }

int serve(const Options& options, const Logger& log) {
  // Not secure_getenv: a program with capabilities of its file, or in an SELinux domain of its own,
  // it may tell nothing, and systemd would wait for READY=1 in vain.
  // NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread yet
  const ServiceManager manager{[](const char* name) { return std::getenv(name); }};
  exit_on_signals();
  std::signal(SIGHUP, SIG_IGN);  // what is about to be read need not be reread
  web::LiveConfig web_config{options.web_config_file, log};
  SnapshotCell<Snapshot> newest{
      {.state = {.stale_after = options.stale_after},
       .timeline = std::make_shared<const Timeline>(current_moment().system)}};
  EventLoop loop;
  loop.on_signal(SIGHUP, [&web_config] { web_config.reread(); });
  std::string told;
  Watcher watcher{
      loop, timing(options), groups(options), CS_TRACK_CHANGES, log, [&](Snapshot fresh) {
        if (auto brief = in_brief(fresh.state, current_moment().steady); brief != told) {
          manager.describe(brief);
          told = std::move(brief);
        }
        newest.publish(std::move(fresh));
      }};

  web::RequestCounter requests;
  const Facts facts{.newest = newest,
                    .requests = requests,
                    .web_config = web_config,
                    .waiting_since = [&watcher] {
                      const auto waiting = watcher.waiting();
                      return waiting ? std::optional{waiting->since} : std::nullopt;
                    }};
  const web::Server server{options.listen_addresses,
                           endpoints(options, facts, std::make_shared<Page>(build())), web_config,
                           requests, log};

  stop_on_signals(loop);
  const Watchdog watchdog{loop, manager, [&server] { return answers(server); }};
  manager.ready();
  watcher.start();
  return run(loop, watcher, manager);
}

// A full disk does not pass for success.
bool print(std::string_view text) {
  std::cout << text << std::flush;
  if (!std::cout.good()) {
    std::cerr << "corosync-exporter: cannot write to stdout\n";
  }
  return std::cout.good();
}

int print_once(const Options& options, const Logger& log) {
  ClusterState state;
  EventLoop loop;
  stop_on_signals(loop);
  Watcher watcher{
      loop, timing(options), groups(options), CS_TRACK_CURRENT, log, [&](Snapshot fresh) {
        state = std::move(fresh.state);
        if (watcher.is_settled()) {
          loop.stop();
        }
      }};
  Timer limit{loop, [&] {
                log.warn("corosync does not answer");
                loop.stop();
              }};
  limit.start(options.stale_after);
  watcher.start();
  loop.run();

  const auto now = current_moment().steady;
  int status = is_up(state, now) ? EXIT_SUCCESS : exit_not_connected;
  if (!print(glance(state, now, build()))) {
    status = exit_failure;
  }
  end(watcher, status);
  return status;
}

}  // namespace
}  // namespace corosync_exporter

int main(int argc, char** argv) {
  using namespace corosync_exporter;
  spare_memory();
  std::signal(SIGPIPE, SIG_IGN);  // who stops reading our log or our answers does not end us
  try {
    const auto wish = parse(argc, argv);
    if (const auto* information = std::get_if<Information>(&wish)) {
      return print(information->text) ? EXIT_SUCCESS : exit_failure;
    }
    const auto& options = std::get<Options>(wish);
    if (options.once) {
      return print_once(options,
                        Logger{std::max(options.log_level, LogLevel::warn), options.log_format});
    }
    return serve(options, Logger{options.log_level, options.log_format});
  } catch (const UsageError& error) {
    complain(error);
    return exit_usage;
  } catch (const web::WebConfigError& error) {
    complain(error);
    return exit_usage;
  } catch (const std::exception& error) {
    complain(error);
    return exit_failure;
  }
}
