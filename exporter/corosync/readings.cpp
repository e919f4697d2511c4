// SPDX-License-Identifier: Apache-2.0
#include "corosync/readings.h"

#include <cstddef>
#include <exception>
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

void Readings::read(const Request& request, SteadyTime now, const Report& report) {
  interrupted_ = false;
  afresh_.clear();
  const SteadyTime until = current_moment().steady + timing_.links_wait_after;
  if (request.has_provider && is_asked(Source::votequorum, request, now) &&
      try_source(Source::votequorum, now, report,
                 [&] { report(connected(votequorum_).votes(request.voters)); })) {
    succeed(Source::votequorum, now, report);
  }
  if (request.syncing) {
    return;
  }
  const bool asks_cmap = is_asked(Source::cmap, request, now);
  // What was put off is read in full.
  const bool all_of_cmap = request.statistics || attempts(Source::cmap).due();
  bool cmap =
      asks_cmap && try_source(Source::cmap, now, report, [&] { read_cmap(request, report); });
  if (is_asked(Source::cfg, request, now) &&
      try_source(Source::cfg, now, report, [&] { read_cfg(report); })) {
    succeed(Source::cfg, now, report);
  }
  if (cmap && all_of_cmap && (groups_.totem || has_links_)) {
    cmap = try_source(Source::cmap, now, report, [&] { read_statistics(until, report); });
  }
  if (cmap) {
    succeed(Source::cmap, now, report);
  }
}

void Readings::prove_life(const Report& report) {
  const SteadyTime begin = current_moment().steady;
  try {
    static_cast<void>(connected(cfg_).local_node());
  } catch (const CallTakenBack& taken_back) {
    give_up(Source::cfg, Drain::EndedBy::us);
    report(CallCancelled{.call = taken_back.call()});
  } catch (const CorosyncError& error) {
    // One that corosync answered with is as good.
  }
  give_up(Source::cfg);
  report_answer(begin, report);
}

void Readings::report_answer(SteadyTime since, const Report& report) const {
  if (const auto answered = calls_.answered(); answered && *answered >= since) {
    report(Answered{.at = *answered});
  }
}

std::optional<SteadyTime> Readings::due() const {
  std::optional<SteadyTime> first;
  for (const auto& [source, attempts] : attempts_) {
    if (const auto due = attempts.due(); due && (!first || *due < *first)) {
      first = due;
    }
  }
  return first;
}

void Readings::disconnect() {
  give_up(Source::votequorum);
  give_up(Source::cmap);
  give_up(Source::cfg);
  attempts_.clear();
}

bool Readings::is_asked(Source source, const Request& request, SteadyTime now) {
  const auto found = attempts_.find(source);
  if (found == attempts_.end()) {
    return !request.only_due;
  }
  return found->second.may_try(now, request.urgent) &&
         (!request.only_due || found->second.due().has_value());
}

bool Readings::try_source(Source source, SteadyTime now, const Report& report, const Read& read) {
  if (interrupted_) {
    interrupt(source, now, report);
    return false;
  }
  Outcome outcome = attempt(source, now, report, read);
  if (outcome == Outcome::put_off) {
    // Corosync controls the flow of the connections that it had when it began to, and answers on
    // one made since (libqb's qb_ipcs_request_rate_limit).
    afresh_.insert(source);
    outcome = attempt(source, now, report, read);
  }
  if (outcome == Outcome::put_off || outcome == Outcome::taken_back) {
    interrupted_ = true;
    interrupt(source, now, report);
  }
  return outcome == Outcome::read;
}

Readings::Outcome Readings::attempt(Source source, SteadyTime now, const Report& report,
                                    const Read& read) {
  const SteadyTime begin = current_moment().steady;
  try {
    read();
    return Outcome::read;
  } catch (const CallTakenBack& taken_back) {
    give_up(source, Drain::EndedBy::us);
    report_answer(begin, report);
    report(CallCancelled{.call = taken_back.call()});
    return Outcome::taken_back;
  } catch (const CorosyncError& error) {
    give_up(source);
    report_answer(begin, report);
    if (error.code() == CS_ERR_TRY_AGAIN) {
      return Outcome::put_off;
    }
    if (error.is_refusal()) {
      attempts(source).refused(now);
    } else {
      attempts(source).failed(now);
    }
    report(ReadingFailed{.source = source, .failure = error.failure()});
  } catch (const std::exception& error) {  // no memory, above all
    give_up(source);
    attempts(source).refused(now);
    report(ReadingFailed{.source = source, .failure = own_failure(error)});
  }
  return Outcome::failed;
}

void Readings::succeed(Source source, SteadyTime now, const Report& report) {
  attempts(source).succeeded(
      now, afresh_.contains(source) ? Attempts::Cost::connection : Attempts::Cost::little);
  report(SourceRead{source});
}

// Its own connection would do no better than the one that the reading was interrupted on.
void Readings::interrupt(Source source, SteadyTime now, const Report& report) {
  attempts(source).interrupted(now);
  report(ReadingInterrupted{.source = source});
  give_up(source);  // last: it may wait for the other collector, which connects
}

Attempts& Readings::attempts(Source source) {
  return attempts_.try_emplace(source, timing_).first->second;
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

void Readings::give_up(Source source, Drain::EndedBy ended_by) {
  switch (source) {
    case Source::votequorum:
      drain(votequorum_, ended_by);
      break;
    case Source::cmap:
      drain(configuration_, ended_by);
      drain(statistics_, ended_by);
      break;
    case Source::cfg:
      drain(cfg_, ended_by);
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
void Readings::drain(std::unique_ptr<Reader>& reader, Drain::EndedBy ended_by) {
  if (reader) {
    const int descriptor = reader->descriptor();
    drain_.add(std::move(reader), {descriptor}, current_moment().steady, ended_by);
  }
}

}  // namespace corosync_exporter
