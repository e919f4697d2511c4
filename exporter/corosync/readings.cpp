// SPDX-License-Identifier: Apache-2.0
#include "corosync/readings.h"

#include <utility>

#include "clock.h"

namespace corosync_exporter {

void Readings::read(const Request& request, const Report& report) {
  if (request.has_provider) {
    read_source(Source::votequorum, report,
                [&] { report(connected(votequorum_).votes(request.voters)); });
  }
  if (request.syncing) {
    return;
  }
  read_source(Source::cmap, report, [&] { read_cmap(request, report); });
  read_source(Source::cfg, report, [&] { read_cfg(report); });
  const bool wanted = request.statistics && (groups_.totem || has_links_);
  if (wanted && configuration_) {  // else cmap has failed already
    read_source(Source::cmap, report, [&] { read_statistics(report); });
  }
}

void Readings::disconnect() {
  give_up(Source::votequorum);
  give_up(Source::cmap);
  give_up(Source::cfg);
  not_before_.clear();
}

template <class Read>
void Readings::read_source(Source source, const Report& report, Read read) {
  if (const auto found = not_before_.find(source);
      found != not_before_.end() && current_moment().steady < found->second) {
    return;
  }
  try {
    read();
  } catch (const CorosyncError& error) {
    give_up(source);
    if (error.is_refusal()) {
      not_before_[source] = current_moment().steady + refused_retry_;
    }
    report(ReadingFailed{.source = source, .failure = error.failure()});
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
  links_.clear();
  if (!has_links_) {
    return;
  }
  ReachabilityRead reading;
  for (const NodeId id : configured_) {
    if (id == self) {
      continue;
    }
    const auto node = reading.nodes.emplace(id, cfg.reachability(id)).first;
    for (const auto& [number, link] : node->second.links) {
      links_.emplace_back(id, number);
    }
  }
  report(reading);
}

void Readings::read_statistics(const Report& report) {
  StatisticsReader& statistics = connected(statistics_);
  if (groups_.totem) {
    Totem totem = statistics.totem();
    connected(configuration_).add_settings(totem);
    report(TotemRead{.totem = std::move(totem)});
  }
  if (has_links_) {
    report(LinkStatisticsRead{.links = statistics.links(links_)});
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
      links_.clear();
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
