// SPDX-License-Identifier: Apache-2.0
#include "status/page.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "status/html.h"
#include "status/shell.h"
#include "status/words.h"

namespace corosync_exporter {
namespace {

constexpr std::size_t entries_in_sight = 12;  // of the timeline; the rest unfolds

std::int64_t milliseconds(SystemTime time) {
  return std::chrono::floor<std::chrono::milliseconds>(time).time_since_epoch().count();
}

std::string_view day_of(std::string_view rfc3339_time) {
  return rfc3339_time.substr(0, rfc3339_time.find('T'));
}

// The script shows it in the reader's own zone.
Html time_element(SystemTime time, SystemTime now) {
  const std::string exact = rfc3339(time);
  Html html;
  html << "<time datetime='" << exact << "' title='" << exact << "'>";
  if (day_of(exact) != day_of(rfc3339(now))) {
    html << day_of(exact) << " ";
  }
  html << time_of_day(time) << " UTC</time>";
  return html;
}

// How long ago; the script lets it grow.
Html age_element(SystemTime since, SystemTime now) {
  Html html;
  html << "<span class='age' data-since='" << milliseconds(since) << "'>" << age_text(now - since)
       << "</span>";
  return html;
}

Html icon(std::string_view name) {
  Html html;
  html << "<svg class='icon " << name << "' aria-hidden='true'><use href='#icon-" << name
       << "'></use></svg>";
  return html;
}

// ---- The verdict -------------------------------------------------------------------------------

struct Look {
  std::string_view words;
  std::string_view icon;
  std::string_view sign;  // for the title
  std::string_view favicon;
};

Look look_of(Standing standing) {
  switch (standing) {
    case Standing::quorate:
      return {.words = "Quorate",
              .icon = "good",
              .sign = "✓",
              .favicon =
                  "data:image/svg+xml,"
                  "%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
                  "%3Ccircle cx='8' cy='8' r='8' fill='%231a7f4b'/%3E"
                  "%3Cpath d='M4 8.5l3 3 5-6' fill='none' stroke='%23fff' "
                  "stroke-width='2'/%3E%3C/svg%3E"};
    case Standing::not_quorate:
      return {.words = "Not quorate",
              .icon = "critical",
              .sign = "✕",
              .favicon =
                  "data:image/svg+xml,"
                  "%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
                  "%3Cpath d='M5 0h6l5 5v6l-5 5H5l-5-5V5z' fill='%23c4232b'/%3E"
                  "%3Cpath d='M5 5l6 6M11 5l-6 6' stroke='%23fff' stroke-width='2'/%3E"
                  "%3C/svg%3E"};
    case Standing::unknown:
      return {.words = "Unknown",
              .icon = "unknown",
              .sign = "?",
              .favicon =
                  "data:image/svg+xml,"
                  "%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
                  "%3Cpath d='M8 0l8 8-8 8-8-8z' fill='%2357606a'/%3E"
                  "%3Cpath d='M6 6.5a2 2 0 1 1 2 2v1M8 11v1.4' fill='none' "
                  "stroke='%23fff' stroke-width='1.5'/%3E%3C/svg%3E"};
  }
  return {};
}

std::string speaker(const Status& status) {
  return status.local_node ? label_of(status, *status.local_node) : "this node";
}

std::string title(const Status& status) {
  std::string text =
      std::string{look_of(status.verdict).sign} + " " + std::string{look_of(status.verdict).words};
  if (status.local_node) {
    text += " · " + speaker(status);
  }
  if (status.info) {
    text += " · " + status.info->cluster_name;
  }
  return text + " · Corosync";
}

Html since(const Status& status) {
  Html html;
  if (!status.since) {
    return html;
  }
  html << "<p class='since'>" << (status.since->exact ? "since " : "at least since ")
       << time_element(status.since->at, status.now.system) << ", for "
       << age_element(status.since->at, status.now.system) << "</p>";
  return html;
}

bool is_missing(const NodeView& node) { return node.member == false && node.configured; }

// Who is not there, by name as far as there is room for them.
Html membership(const Status& status) {
  constexpr std::size_t most = 8;
  std::vector<std::string> names;
  std::size_t missing = 0;
  std::size_t configured = 0;
  for (const NodeView& node : status.nodes) {
    configured += node.configured ? 1 : 0;
    missing += is_missing(node) ? 1 : 0;
    if (is_missing(node) && names.size() < most) {
      names.push_back(node.name);
    }
  }
  Html html;
  if (missing != 0) {
    html << "<p class='absent'>" << icon("critical") << "<span>" << listed(names, missing)
         << (missing == 1 ? " is" : " are") << " missing</span></p>";
  } else if (status.members && configured != 0) {
    html << "<p>" << (configured == 1 ? "The only node is a member" : "All ");
    if (configured != 1) {
      html << configured << " nodes are members";
    }
    html << "</p>";
  }
  return html;
}

Html verdict(const Status& status) {
  const Look look = look_of(status.verdict);
  Html html;
  html << "<section class='verdict card' aria-label='Quorum'>" << icon(look.icon)
       << "<div><p class='speaker'><b>" << speaker(status) << "</b>";
  if (status.info) {
    html << " in cluster <b>" << status.info->cluster_name << "</b>";
  }
  html << "</p><h1 aria-live='polite'>" << look.words << "</h1>" << since(status);
  if (!status.reason.empty()) {
    html << "<p class='reason'>" << status.reason << "</p>";
  }
  if (!status.up && status.last_verdict) {
    html << "<p>When last heard of, it was " << (*status.last_verdict ? "quorate" : "not quorate")
         << ".</p>";
  }
  html << membership(status) << "</div></section>";
  return html;
}

// ---- The votes ---------------------------------------------------------------------------------

// A share of the picture's width.
class Share {
 public:
  Share(double part, double whole) {
    constexpr double all = 100;
    length_ = std::snprintf(text_.data(), text_.size(), "%.3f%%",  // NOLINT(*-vararg)
                            whole > 0 ? part * all / whole : 0);
  }
  [[nodiscard]] std::string_view text() const {
    return {text_.data(), static_cast<std::size_t>(length_)};
  }

 private:
  static constexpr std::size_t most = 32;
  std::array<char, most> text_{};
  int length_;
};

// Boxes in a row: votes of nodes, of the quorum device, and those that are not there.
struct Boxes {
  std::uint64_t of_nodes = 0;
  std::uint64_t of_device = 0;
  std::uint64_t absent = 0;
  [[nodiscard]] std::uint64_t all() const { return of_nodes + of_device + absent; }
};

Boxes boxes(const VotesView& view) {
  const Votes& votes = view.votes;
  const std::uint64_t of_device = view.device_cast.value_or(0);
  return {.of_nodes = votes.present - of_device,
          .of_device = of_device,
          .absent = std::max({votes.expected, votes.present, votes.required}) - votes.present};
}

void box(Html& html, std::string_view kind, std::uint64_t first, std::uint64_t count,
         std::uint64_t all) {
  if (count == 0) {
    return;
  }
  constexpr double gap = 0.16;  // of a box
  const double space = std::min(gap, 0.006 * static_cast<double>(all));
  const auto whole = static_cast<double>(all);
  html << "<rect class='" << kind << "' x='"
       << Share{static_cast<double>(first) + space / 2, whole}.text() << "' y='1' width='"
       << Share{static_cast<double>(count) - space, whole}.text() << "' height='30' rx='3'></rect>";
  if (kind == "device") {
    html << "<circle class='dot' cx='"
         << Share{static_cast<double>(first) + static_cast<double>(count) / 2, whole}.text()
         << "' cy='16' r='" << (count == 1 && all > 40 ? 2 : 4) << "'></circle>";
  }
}

// One box a vote while they can be told apart; else one for all of a kind.
void row(Html& html, const Boxes& boxes) {
  constexpr std::uint64_t most = 64;
  std::uint64_t first = 0;
  const auto add = [&](std::string_view kind, std::uint64_t count) {
    const std::uint64_t step = boxes.all() <= most ? 1 : std::max<std::uint64_t>(count, 1);
    for (std::uint64_t i = 0; i < count; i += step) {
      box(html, kind, first + i, step, boxes.all());
    }
    first += count;
  };
  add("in", boxes.of_nodes);
  add("device", boxes.of_device);
  add("out", boxes.absent);
}

std::string_view anchor(std::uint64_t position, std::uint64_t all) {
  if (position * 4 < all) {
    return "start";
  }
  return position * 4 > all * 3 ? "end" : "middle";
}

Html picture(const Status& status) {
  const Boxes shown = boxes(*status.votes);
  const std::uint64_t required = status.votes->votes.required;
  const Share threshold{static_cast<double>(required), static_cast<double>(shown.all())};
  Html html;
  html << "<svg class='boxes' width='100%' height='58' role='img' aria-label='"
       << votes_in_words(*status.votes, status.verdict == Standing::quorate) << "'>";
  row(html, shown);
  html << "<line class='threshold' x1='" << threshold.text() << "' x2='" << threshold.text()
       << "' y1='0' y2='38'></line><text class='threshold' x='" << threshold.text()
       << "' y='53' text-anchor='" << anchor(required, shown.all()) << "'>" << required
       << " needed</text></svg>";
  return html;
}

void figure(Html& html, std::string_view name, std::string_view value, std::string_view kind = "") {
  html << "<div class='" << kind << "'><dt>" << name << "</dt><dd>" << value << "</dd></div>";
}

std::string flags(const Votes& votes) {
  std::string text;
  const auto add = [&](bool set, const char* name) {
    if (set) {
      text += (text.empty() ? "" : ", ") + std::string{name};
    }
  };
  add(votes.two_node, "two_node");
  add(votes.wait_for_all, "wait_for_all");
  add(votes.last_man_standing, "last_man_standing");
  add(votes.auto_tie_breaker, "auto_tie_breaker");
  add(votes.allow_downscale, "allow_downscale");
  return text;
}

const SourceView* votequorum_of(const Status& status) {
  const auto found = std::ranges::find(status.sources, Source::votequorum, &SourceView::source);
  return found != status.sources.end() ? &*found : nullptr;
}

// "last read 23 s ago"
Html last_read(const Status& status, std::optional<Duration> age) {
  Html html;
  if (!age) {
    html << "not read yet";
    return html;
  }
  const SystemTime at = status.now.system - std::chrono::duration_cast<SystemTime::duration>(*age);
  html << "last read " << age_element(at, status.now.system) << " ago";
  return html;
}

// Empty if there is nothing to say of them.
Html note_on_votes(const Status& status) {
  const SourceView* const votequorum = votequorum_of(status);
  Html note;
  if (status.up && votequorum != nullptr && votequorum->interrupted) {
    note << "Corosync is busy; votes were " << last_read(status, votequorum->age) << ".";
  } else if (status.votes) {
    return note;
  } else if (!status.up) {
    note << "Unknown while corosync is not heard.";
  } else if (status.ring && !status.syncing) {
    note << "None: corosync has no quorum provider.";
  } else if (votequorum != nullptr && votequorum->failure) {
    note << "They cannot be read; the warning says why.";
  } else {
    note << "Not read yet.";
  }
  Html html;
  html << "<p class='nothing'>" << note << "</p>";
  return html;
}

Html votes(const Status& status) {
  Html html;
  html << "<section class='votes card'><h2>Votes</h2>";
  const Html note = note_on_votes(status);
  if (!status.votes) {
    html << note << "</section>";
    return html;
  }
  const Votes& votes = status.votes->votes;
  html << "<p class='words'>" << votes_in_words(*status.votes, status.verdict == Standing::quorate)
       << "</p>" << note << picture(status) << "<dl class='figures'>";
  figure(html, "Present", std::to_string(votes.present));
  figure(html, "Needed", std::to_string(votes.required));
  figure(html, "Expected", std::to_string(votes.expected));
  // Where something else keeps quorum, votes that are lacking are not needed.
  const std::int64_t margin = status.verdict == Standing::quorate
                                  ? std::max<std::int64_t>(status.votes->margin, 0)
                                  : status.votes->margin;
  figure(html, "To spare", (margin < 0 ? "−" : "") + std::to_string(std::abs(margin)),
         margin <= 0 && votes.expected > votes.required ? "short" : "");
  if (votes.qdevice) {
    figure(html, "Quorum device",
           status.votes->device_cast == std::uint32_t{0} ? "0 of " + std::to_string(*votes.qdevice)
                                                         : std::to_string(*votes.qdevice));
  }
  html << "</dl>";
  if (const std::string set = flags(votes); !set.empty()) {
    html << "<p class='flags'>" << set << "</p>";
  }
  html << "</section>";
  return html;
}

// ---- Warnings ----------------------------------------------------------------------------------

// Who is missing stands above already.
Html warnings(const Status& status) {
  Html items;
  for (const Warning& warning : status.warnings) {
    if (warning.kind != WarningKind::node_missing) {
      items << "<li>" << icon("warning") << "<span>" << warning.message << "</span></li>";
    }
  }
  Html html;
  if (!items.markup().empty()) {
    html << "<section class='warnings card'><h2>Needs a look</h2><ul>" << items
         << "</ul></section>";
  }
  return html;
}

// ---- Nodes -------------------------------------------------------------------------------------

Html state_of(const NodeView& node, const Status& status) {
  Html html;
  if (!node.member) {
    html << "<span class='state'>" << icon("unknown") << "unknown</span>";
    return html;
  }
  html << "<span class='state'>"
       << icon(*node.member       ? "good"
               : is_missing(node) ? "critical"
                                  : "info")
       << (*node.member       ? "member"
           : is_missing(node) ? "missing"
                              : "not configured")
       << "</span>";
  if (!*node.member && node.left_at) {
    html << "<span class='more'>left " << time_element(*node.left_at, status.now.system) << ", "
         << age_element(*node.left_at, status.now.system) << " ago</span>";
  } else if (*node.member && node.joined_at) {
    html << "<span class='more'>joined " << time_element(*node.joined_at, status.now.system)
         << "</span>";
  }
  if (node.reachable && *node.reachable != *node.member) {
    html << "<span class='more'>"
         << (*node.reachable ? "can be reached, though" : "cannot be reached") << "</span>";
  }
  return html;
}

Html link_of(const LinkView& link) {
  const bool down = link.connected == false && link.enabled != false;
  const std::string_view look = link.connected == true ? "good" : down ? "critical" : "unknown";
  Html html;
  html << "<li class='link " << look << "'>" << icon(look) << "<span class='number'>link "
       << static_cast<int>(link.number) << "</span> ";
  if (link.connected == false) {
    html << (down ? "down" : "disabled");
  } else if (link.latency) {
    html << duration_text(*link.latency);
  } else if (link.connected == true) {
    html << "up";
  }
  std::string more;
  if (link.latency_max && link.connected == true) {
    more = "max " + duration_text(*link.latency_max);
  }
  // knet counts a link's state at the start as once down.
  if (link.downs.value_or(0) > 1) {
    more += (more.empty() ? "went down " : ", went down ") + std::to_string(*link.downs - 1) + "×";
  }
  if (!more.empty()) {
    html << " <span class='more'>" << more << "</span>";
  }
  html << "</li>";
  return html;
}

Html links_of(const NodeView& node) {
  Html html;
  if (node.links.empty()) {
    html << "<span class='more'>–</span>";
    return html;
  }
  html << "<ul class='links'>";
  for (const LinkView& link : node.links) {
    html << link_of(link);
  }
  html << "</ul>";
  return html;
}

Html device_of(const NodeView& node) {
  Html html;
  if (!node.qdevice || !node.qdevice->registered) {
    html << "<span class='more'>–</span>";
    return html;
  }
  html << "<span class='state'>" << icon(node.qdevice->casting_vote ? "good" : "warning")
       << (node.qdevice->casting_vote ? "votes" : "no vote") << "</span><span class='more'>"
       << (node.qdevice->alive ? "alive" : "not alive")
       << (node.qdevice->master_wins ? ", master wins" : "") << "</span>";
  return html;
}

struct Columns {
  bool links = false;
  bool device = false;
};

Html node_row(const NodeView& node, const Status& status, const Columns& columns) {
  Html html;
  html << "<tr role='row' class='" << (is_missing(node) ? "missing" : "")
       << "'><th role='rowheader' scope='row'><span class='name'>" << node.name
       << "</span><span class='more'>id " << static_cast<std::uint32_t>(node.id)
       << (node.local ? ", this node" : "") << "</span></th><td role='cell' data-label='State'>"
       << state_of(node, status) << "</td><td role='cell' data-label='Votes' class='count'>";
  if (node.votes) {
    html << *node.votes;
  } else {
    html << "<span class='more'>?</span>";
  }
  html << "</td>";
  if (columns.links) {
    html << "<td role='cell' data-label='Links'>" << links_of(node) << "</td>";
  }
  if (columns.device) {
    html << "<td role='cell' data-label='Quorum device'>" << device_of(node) << "</td>";
  }
  html << "<td role='cell' data-label='Joined / left' class='count'>" << node.joins << " / "
       << node.leaves << "</td></tr>";
  return html;
}

// Who is missing comes first, who is not configured last.
std::vector<const NodeView*> in_order(const std::vector<NodeView>& nodes) {
  std::vector<const NodeView*> order(nodes.size());
  std::ranges::transform(nodes, order.begin(), [](const NodeView& node) { return &node; });
  std::ranges::stable_sort(order, {}, [](const NodeView* node) {
    return is_missing(*node) ? 0 : node->member == false ? 2 : 1;
  });
  return order;
}

Html nodes(const Status& status) {
  Html html;
  html << "<section class='nodes card'><div class='head'><h2>Nodes</h2>";
  if (status.nodes.empty()) {
    html << "<p class='summary'>none known yet</p></div></section>";
    return html;
  }
  if (status.members) {
    const auto configured = std::ranges::count_if(status.nodes, &NodeView::configured);
    html << "<p class='summary'>" << counted(static_cast<std::int64_t>(*status.members), "member")
         << ", " << configured << " configured</p>";
  }
  const Columns columns{.links = std::ranges::any_of(
                            status.nodes, [](const NodeView& node) { return !node.links.empty(); }),
                        .device = std::ranges::any_of(status.nodes, [](const NodeView& node) {
                          return node.qdevice && node.qdevice->registered;
                        })};
  html << "</div><table role='table'><thead role='rowgroup'><tr role='row'>"
          "<th role='columnheader' scope='col'>Node</th>"
          "<th role='columnheader' scope='col'>State</th>"
          "<th role='columnheader' scope='col' class='count'>Votes</th>";
  if (columns.links) {
    html << "<th role='columnheader' scope='col'>Links</th>";
  }
  if (columns.device) {
    html << "<th role='columnheader' scope='col'>Quorum device</th>";
  }
  html << "<th role='columnheader' scope='col' class='count'>Joined / left</th></tr></thead>"
          "<tbody role='rowgroup'>";
  for (const NodeView* node : in_order(status.nodes)) {
    html << node_row(*node, status, columns);
  }
  html << "</tbody></table></section>";
  return html;
}

// ---- The timeline ------------------------------------------------------------------------------

Html timeline_entry(const TimelineEntry& entry, const Status& status,
                    std::optional<Duration> loss_so_far) {
  const Told& first = headline(entry);
  const SystemTime at = entry.count > 1 ? first.last : first.at;
  const std::string_view weight = name_of(weight_of(entry));
  Html html;
  html << "<li class='" << weight << "'>" << time_element(first.at, status.now.system)
       << icon(weight) << "<span class='what'>" << sentence(entry) << "</span><span class='ago'>";
  if (loss_so_far) {
    html << "for "
         << age_element(status.now.system - std::chrono::floor<SystemTime::duration>(*loss_so_far),
                        status.now.system)
         << " so far";
  } else if (entry.count > 1) {
    html << "last " << time_element(at, status.now.system) << ", "
         << age_element(at, status.now.system) << " ago";
  } else {
    html << age_element(at, status.now.system) << " ago";
  }
  html << "</span></li>";
  return html;
}

Html timeline(const Status& status) {
  std::size_t count = 0;
  Html newest;
  Html older;
  for_each_newest_first(
      status, [&](const TimelineEntry& entry, std::optional<Duration> loss_so_far) {
        (count < entries_in_sight ? newest : older) << timeline_entry(entry, status, loss_so_far);
        ++count;
      });
  Html html;
  html << "<section class='timeline card'><h2>What happened</h2><ol>" << newest << "</ol>";
  if (count > entries_in_sight) {
    html << "<details id='older'><summary>" << count - entries_in_sight << " earlier</summary><ol>"
         << older << "</ol></details>";
  }
  html << "<p class='begun'>" << (status.timeline->entries().empty() ? "Nothing yet. " : "")
       << "Watching since " << time_element(status.timeline->begun(), status.now.system)
       << "</p></section>";
  return html;
}

// ---- The rest ----------------------------------------------------------------------------------

Html readings(const Status& status) {
  std::string waiting;
  std::optional<Duration> oldest{};
  std::string silent;
  const auto append = [](std::string& names, Source source) {
    names += (names.empty() ? "" : ", ") + std::string{name_of(source)};
  };
  for (const SourceView& source : status.sources) {
    if (status.up && source.interrupted && !source.failure) {
      append(waiting, source.source);
      oldest = std::max(oldest, source.age);  // one that was not read yet has none
    } else if (!source.up) {
      append(silent, source.source);
    }
  }
  Html html;
  html << "<div class='" << (silent.empty() ? "" : "short") << "'><dt>Readings</dt><dd>";
  if (!waiting.empty()) {
    html << "corosync is busy; " << waiting << " " << last_read(status, oldest);
  }
  if (!silent.empty()) {
    html << (waiting.empty() ? "" : "; ") << "none from " << silent;
  } else if (waiting.empty()) {
    html << "all work";
  }
  html << "</dd></div>";
  return html;
}

Html facts(const Status& status) {
  Html html;
  html << "<section class='facts card'><h2>Cluster</h2><dl>";
  if (status.info) {
    figure(html, "Transport", status.info->transport);
    figure(html, "Quorum provider",
           status.info->provider.empty() ? "none" : status.info->provider.c_str());
  }
  if (status.ring) {
    figure(html, "Ring",
           std::to_string(static_cast<std::uint32_t>(status.ring->leader)) + "." +
               std::to_string(status.ring->sequence));
  }
  figure(html, "Quorum losses seen", std::to_string(status.quorum_losses));
  figure(html, "Time without quorum", duration_text(status.without_quorum));
  if (!status.sources.empty()) {
    html << readings(status);
  }
  html << "</dl></section>";
  return html;
}

Html content(const Status& status, const PageFrame& frame) {
  Html html;
  // Tells this rendering from any other, also from one of a program started since.
  html << "<main id='status' class='" << name_of(status.verdict) << "' data-shows='"
       << rfc3339(status.timeline->begun()) << "/" << status.generation << "' data-now='"
       << milliseconds(status.now.system) << "' data-version='" << frame.version << "' data-title='"
       << title(status) << "' data-icon='" << look_of(status.verdict).favicon << "'>"
       << verdict(status) << votes(status) << warnings(status) << nodes(status) << timeline(status)
       << facts(status) << "</main>";
  return html;
}

// Relative, so that the page also works below a path of a reverse proxy. The dot keeps a path that
// begins with two slashes from naming a host.
Html links(const PageFrame& frame) {
  Html html;
  html << "<a href='." << frame.metrics_path
       << "'>Metrics</a> <a href='api/v1/status'>JSON</a> <a href='-/healthy'>Health</a> "
          "<a href='-/ready'>Readiness</a>";
  return html;
}

std::string escaped(std::string_view text) {
  Html html;
  html << text;
  return html.markup();
}

}  // namespace

std::string status_page(const Status& status, const PageFrame& frame) {
  return fill_holes(page_shell(), [&](std::string_view hole) -> std::string {
    if (hole == "nonce") {
      return escaped(frame.nonce);
    }
    if (hole == "title") {
      return escaped(title(status));
    }
    if (hole == "icon") {
      return escaped(look_of(status.verdict).favicon);
    }
    if (hole == "main") {
      return content(status, frame).markup();
    }
    if (hole == "version") {
      return escaped(frame.version);
    }
    return links(frame).markup();
  });
}

std::string content_security_policy(const std::string& nonce) {
  return "default-src 'none'; script-src 'nonce-" + nonce + "'; style-src 'nonce-" + nonce +
         "'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
         "frame-ancestors 'none'";
}

}  // namespace corosync_exporter
