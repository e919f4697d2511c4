// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <sstream>
#include <string_view>
#include <utility>

#include "version.h"

namespace corosync_exporter {
namespace {

using std::chrono::milliseconds;

constexpr const char* poll_interval_flag = "--corosync.poll-interval";
constexpr const char* stale_after_flag = "--corosync.stale-after";
constexpr milliseconds shortest_poll{100};
constexpr milliseconds longest = std::chrono::days{365};

// Paths that answer something else.
constexpr std::array<std::string_view, 4> taken_paths{"/", "/-/healthy", "/-/ready",
                                                      "/api/v1/status"};

struct Unit {
  std::string_view name;
  std::int64_t in_milliseconds;
};
// In the order in which Prometheus wants them written.
constexpr std::array<Unit, 7> units{{
    {"y", 31'536'000'000},
    {"w", 604'800'000},
    {"d", 86'400'000},
    {"h", 3'600'000},
    {"m", 60'000},
    {"s", 1'000},
    {"ms", 1},
}};

[[noreturn]] void refuse(const std::string& value, const std::string& complaint) {
  throw std::invalid_argument("\"" + value + "\" " + complaint);
}

// Prometheus's grammar: whole numbers with units, from the greatest unit down, each at most once;
// or 0.
milliseconds parse_duration(const std::string& text) {
  if (text == "0") {
    return milliseconds{0};
  }
  std::int64_t total = 0;
  std::span<const Unit> units_allowed = units;
  std::string_view rest = text;
  do {
    const std::string_view digits = rest.substr(0, rest.find_first_not_of("0123456789"));
    rest.remove_prefix(digits.size());
    const std::string_view name = rest.substr(0, rest.find_first_of("0123456789"));
    rest.remove_prefix(name.size());
    const auto unit = std::ranges::find(units_allowed, name, &Unit::name);
    if (digits.empty() || unit == units_allowed.end()) {
      refuse(text, "is not a duration such as 500ms, 5s or 1m30s");
    }
    std::int64_t count = 0;
    const auto error = std::from_chars(digits.data(), digits.data() + digits.size(), count).ec;
    if (error != std::errc{} || count > (longest.count() - total) / unit->in_milliseconds) {
      refuse(text, "is longer than a year");
    }
    total += count * unit->in_milliseconds;
    units_allowed = {std::next(unit), units_allowed.end()};
  } while (!rest.empty());
  return milliseconds{total};
}

std::string spell(milliseconds duration) {
  std::string text;
  for (const Unit& unit : units) {
    if (const auto count = duration.count() / unit.in_milliseconds; count > 0) {
      text += std::to_string(count);
      text += unit.name;
      duration -= milliseconds{count * unit.in_milliseconds};
    }
  }
  return text.empty() ? "0" : text;
}

milliseconds parse_poll_interval(const std::string& text) {
  const milliseconds interval = parse_duration(text);
  if (interval < shortest_poll) {
    refuse(text, "is shorter than " + spell(shortest_poll));
  }
  return interval;
}

std::string parse_telemetry_path(const std::string& text) {
  constexpr std::string_view allowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
  if (!text.starts_with('/')) {
    refuse(text, "does not begin with a slash");
  }
  if (text.find_first_not_of(allowed) != std::string::npos) {
    refuse(text, "is not a plain path: letters, digits and -._~/ are");
  }
  if (std::ranges::find(taken_paths, text) != taken_paths.end()) {
    refuse(text, "is taken: something else answers there");
  }
  return text;
}

LogLevel parse_level(const std::string& text) {
  const auto level = level_from(text);
  if (!level) {
    refuse(text, "is none of debug, info, warn and error");
  }
  return *level;
}

LogFormat parse_format(const std::string& text) {
  const auto format = format_from(text);
  if (!format) {
    refuse(text, "is neither logfmt nor json");
  }
  return *format;
}

void check_agreement(const Options& options) {
  const milliseconds least = 2 * options.poll_interval;
  if (options.stale_after < least) {
    throw UsageError(std::string(stale_after_flag) + ": " + spell(options.stale_after) +
                     " is less than twice " + poll_interval_flag + " (" +
                     spell(options.poll_interval) + "), so it must be at least " + spell(least));
  }
}

// What a shell passes may hold anything; the complaint about it is one printable line.
std::string one_line(std::string text) {
  std::ranges::replace_if(
      text, [](unsigned char c) { return std::iscntrl(c) != 0; }, '?');
  return text;
}

class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() { column_width(first_column); }

  // A flag and its opposite as --[no-]flag.
  std::string make_option_name(const CLI::Option* option, bool is_positional) const override {
    return option->get_fnames().empty() ? Formatter::make_option_name(option, is_positional)
                                        : "--[no-]" + option->get_lnames().front();
  }

  std::string make_option_desc(const CLI::Option* option) const override {
    std::istringstream words{option->get_description()};
    std::string text;
    std::size_t column = 0;
    for (std::string word; words >> word; column += word.size()) {
      const bool fits = column + 1 + word.size() <= columns - first_column;
      text += column == 0 ? "" : fits ? " " : "\n";
      column = column == 0 || !fits ? 0 : column + 1;
      text += word;
    }
    return text;
  }

 private:
  static constexpr std::size_t columns = 80;
  static constexpr std::size_t first_column = 36;
};

enum class Repeat { refused, allowed };

// `take` throws std::invalid_argument for a value that it refuses.
void add(CLI::App& app, const std::string& flag, const std::string& value_name,
         const std::string& help, const std::function<void(const std::string&)>& take,
         Repeat repeat = Repeat::refused) {
  const auto take_all = [=](const std::vector<std::string>& values) {
    try {
      if (repeat == Repeat::refused && values.size() > 1) {
        refuse(values.back(), "is one value too many: the flag may be given once");
      }
      std::ranges::for_each(values, take);
    } catch (const std::invalid_argument& error) {
      throw UsageError(one_line(flag + ": " + error.what()));
    }
    return true;
  };
  app.add_option(flag, take_all, help)->type_name(value_name)->take_all()->allow_extra_args(false);
}

void add_switch(CLI::App& app, const std::string& name, const std::string& help, bool& target) {
  app.add_flag("--" + name + ",!--no-" + name, target, help);
}

void describe(CLI::App& app, Options& options) {
  app.formatter(std::make_shared<HelpFormatter>());
  app.set_help_flag("-h,--help", "Show this help and exit.");
  app.set_version_flag("--version",
                       "corosync-exporter, version " + std::string(version()) + " (revision " +
                           std::string(revision()) + ")\n",
                       "Show the version and exit.");
  add(
      app, "--web.listen-address", "ADDRESS",
      "Where to serve: host:port, :port for all addresses, [::1]:port. May be repeated. "
      "Default: :10056",
      [&](const auto& value) {
        options.listen_addresses.push_back(web::parse_listen_address(value));
      },
      Repeat::allowed);
  add(app, "--web.telemetry-path", "PATH", "Path of the metrics. Default: /metrics",
      [&](const auto& value) { options.telemetry_path = parse_telemetry_path(value); });
  add(app, "--web.config.file", "FILE",
      "TLS, passwords, headers and a rate limit, as the Prometheus exporter-toolkit has them; "
      "reread as it changes, and at once on SIGHUP. Default: none",
      [&](const auto& value) { options.web_config_file = value; });
  add_switch(app, "collector.links", "Metrics of the links to the other nodes. Default: on",
             options.links);
  add_switch(app, "collector.totem", "Metrics of the totem protocol. Default: on", options.totem);
  add_switch(app, "collector.process", "Metrics of the exporter's own process. Default: on",
             options.process);
  add(app, poll_interval_flag, "DURATION",
      "How often facts are read that corosync announces to nobody. Default: 5s",
      [&](const auto& value) { options.poll_interval = parse_poll_interval(value); });
  add(app, stale_after_flag, "DURATION",
      "With no word from corosync for so long, its facts count as unknown. Default: 15s",
      [&](const auto& value) { options.stale_after = parse_duration(value); });
  add(app, "--log.level", "LEVEL", "debug, info, warn or error. Default: info",
      [&](const auto& value) { options.log_level = parse_level(value); });
  add(app, "--log.format", "FORMAT", "logfmt or json. Default: logfmt",
      [&](const auto& value) { options.log_format = parse_format(value); });
  app.add_flag("--once", options.once,
               "Connect, print the metrics to stdout and exit: 0 connected, 3 not connected.");
  app.footer("A DURATION is written as in Prometheus: 500ms, 5s, 1m30s.");
}

// CLI11 takes the next argument for the value of a flag that ends in an equals sign.
void refuse_empty_values(std::span<const char* const> arguments) {
  for (const std::string_view argument : arguments) {
    if (argument.starts_with("--") && argument.find('=') == argument.size() - 1) {
      throw UsageError(one_line(std::string(argument) + " has no value"));
    }
  }
}

}  // namespace

std::variant<Options, Information> parse(int argc, const char* const* argv) {
  refuse_empty_values({argv, static_cast<std::size_t>(argc)});
  Options options;
  const auto default_addresses = std::exchange(options.listen_addresses, {});
  CLI::App app{"Prometheus exporter for Corosync's quorum.", "corosync-exporter"};
  describe(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return Information{app.help()};
  } catch (const CLI::CallForVersion& version_text) {
    return Information{version_text.what()};
  } catch (const CLI::ParseError& error) {
    throw UsageError(one_line(error.what()));
  }
  if (options.listen_addresses.empty()) {
    options.listen_addresses = default_addresses;
  }
  check_agreement(options);
  return options;
}

}  // namespace corosync_exporter
