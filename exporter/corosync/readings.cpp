// SPDX-License-Identifier: Apache-2.0
#include "corosync/readings.h"

#include <chrono>
#include <cstddef>
#include <utility>

#include "clock.h"

namespace corosync_exporter {
namespace {

// How many links a reading asks for, however long it takes: all where there are few, and of many so
// many that none waits for longer than a minute at the default interval.
std::size_t least_of(std::size_t links) {
  constexpr std::size_t few = 8;
  constexpr std::size_t readings = 12;
  return links <= few ? links : (links + readings - 1) / readings;
}

}  // namespace

void Readings::read(const Request& request, const Report& report) {
  cut_short_ = false;
  const SteadyTime until = current_moment().steady + links_wait_after_;
  if (request.has_provider && try_source(Source::votequorum, report, [&] {
        report(connected(votequorum_).votes(request.voters));
      })) {
    report(SourceRead{Source::votequorum});
  }
  if (request.syncing) {
    return;
  }
  bool cmap = try_source(Source::cmap, report, [&] { read_cmap(request, report); });
  if (try_source(Source::cfg, report, [&] { read_cfg(report); })) {
    report(SourceRead{Source::cfg});
  }
  if (cmap && request.statistics && (groups_.totem || has_links_)) {
    cmap = try_source(Source::cmap, report, [&] { read_statistics(until, report); });
  }
  if (cmap) {
    report(SourceRead{Source::cmap});
  }
}

void Readings::disconnect() {
  give_up(Source::votequorum);
  give_up(Source::cmap);
  give_up(Source::cfg);
  not_before_.clear();
}

template <class Read>
bool Readings::try_source(Source source, const Report& report, Read read) {
  const auto found = not_before_.find(source);
  const bool refused = found != not_before_.end() && current_moment().steady < found->second;
  if (cut_short_ || refused) {
    return false;
  }
  try {
    read();
    return true;
  } catch (const CorosyncError& error) {
    give_up(source);
    // Who cut this call short would have to do the same to the next one.
    cut_short_ = calls_.was_cancelled();
    if (error.is_refusal()) {
      not_before_[source] = current_moment().steady + refused_retry_;
    }
    report(ReadingFailed{.source = source, .failure = error.failure()});
    return false;
  }
}

void Readings::read_cmap(const Request& request, const Report& report) {
  const ConfigurationRead reading = connected(configuration_).cluster(request.nodes);
  has_links_ = groups_.links && reading.info.transport == "knet";
  configured_.clear();
  for (const auto& [id, node] : reading.nodes) {
    if (node.configured) {
      configured_.push_back(id);
    }
  }
  report(reading);
}

void Readings::read_cfg(const Report& report) {
  CfgReader& cfg = connected(cfg_);
  const NodeId self = cfg.local_node();
  report(LocalNodeRead{.id = self});
  std::vector<LinkId> links;
  if (has_links_) {
    ReachabilityRead reading;
    for (const NodeId id : configured_) {
      if (id == self) {
        continue;
      }
      if (const auto reachability = cfg.reachability(id)) {
        for (const auto& [number, link] : reachability->links) {
          links.emplace_back(id, number);
        }
        reading.nodes.emplace(id, *reachability);
      }
    }
    report(reading);
  }
  links_ = std::move(links);
}

void Readings::read_statistics(SteadyTime until, const Report& report) {
  StatisticsReader& statistics = connected(statistics_);
  if (groups_.totem) {
    Totem totem = statistics.totem();
    connected(configuration_).add_settings(totem);
    report(TotemRead{.totem = std::move(totem)});
  }
  if (has_links_) {
    report(LinkStatisticsRead{.links = statistics.links(links_, least_of(links_.size()), until)});
  }
}

void Readings::give_up(Source source) {
  switch (source) {
    case Source::votequorum:
      drain(votequorum_);
      break;
    case Source::cmap:
      drain(configuration_);
      drain(statistics_);
      break;
    case Source::cfg:
      drain(cfg_);
      break;
  }
}

template <class Reader>
Reader& Readings::connected(std::unique_ptr<Reader>& reader) {
  if (!reader) {
    reader = std::make_unique<Reader>(calls_);
  }
  return *reader;
}

template <class Reader>
void Readings::drain(std::unique_ptr<Reader>& reader) {
  if (reader) {
    const int descriptor = reader->descriptor();
    drain_.add(std::move(reader), {descriptor}, current_moment().steady);
  }
}

}  // namespace corosync_exporter
