// SPDX-License-Identifier: Apache-2.0
#include "web/web_config.h"

#include <utf8cpp/utf8.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <fstream>
#include <functional>
#include <initializer_list>
#include <limits>
#include <system_error>

#include "web/bcrypt.h"
#include "web/strict_yaml.h"

namespace corosync_exporter::web {
namespace {

using Kind = YamlNode::Kind;

constexpr std::size_t largest_file = std::size_t{1} << 20U;

// A check of cost 14 takes a second, of 18 some 15, as long as any scrape waits.
constexpr int slow_cost = 15;
constexpr int highest_usable_cost = 18;

// ---- Values ------------------------------------------------------------------------------------

// A value and where it stands.
struct Field {
  const YamlNode& node;
  std::string path;

  [[noreturn]] void refuse(const std::string& complaint) const {
    throw YamlError(node.line, path, complaint);
  }
};

template <typename Value>
struct Named {
  std::string_view name;
  Value value;
};

template <typename Value, std::size_t count>
std::string names_of(const std::array<Named<Value>, count>& choices) {
  std::string names;
  for (const Named<Value>& choice : choices) {
    names += (names.empty() ? "" : ", ") + std::string{choice.name};
  }
  return names;
}

// Numbers and words like yes are texts where a text is asked for. Empty where there is no value.
std::string text_of(const Field& field) {
  if (field.node.kind == Kind::list || field.node.kind == Kind::mapping) {
    field.refuse("is to be a text");
  }
  return field.node.text;
}

template <typename Value, std::size_t count>
Value choice_of(const Field& field, const std::array<Named<Value>, count>& choices) {
  const std::string text = text_of(field);
  const auto* const found = std::ranges::find(choices, text, &Named<Value>::name);
  if (found == choices.end()) {
    field.refuse("is to be one of " + names_of(choices));
  }
  return found->value;
}

// The words are YAML 1.1's, which the toolkit reads. In quotes they are texts.
bool bool_of(const Field& field) {
  const auto is = [&](std::initializer_list<std::string_view> words) {
    return std::ranges::find(words, field.node.text) != words.end();
  };
  if (field.node.kind == Kind::plain) {
    if (is({"true", "True", "TRUE", "yes", "Yes", "YES", "y", "Y", "on", "On", "ON"})) {
      return true;
    }
    if (is({"false", "False", "FALSE", "no", "No", "NO", "n", "N", "off", "Off", "OFF"})) {
      return false;
    }
  }
  field.refuse("is to be true or false");
}

// Decimal only: 010 is 8 to one reader and 10 to another.
unsigned count_of(const Field& field) {
  const std::string_view text = field.node.text;
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_octal = text.size() > 1 && text.starts_with('0');
  if (field.node.kind != Kind::plain || error != std::errc{} || end != text.data() + text.size() ||
      is_octal) {
    field.refuse("is to be a whole number from 0 to " +
                 std::to_string(std::numeric_limits<unsigned>::max()));
  }
  return number;
}

std::vector<std::string> texts_of(const Field& field) {
  if (field.node.kind == Kind::null) {
    return {};
  }
  if (field.node.kind != Kind::list) {
    field.refuse("is to be a list");
  }
  std::vector<std::string> texts;
  for (const YamlNode& item : field.node.children) {
    const Field entry{.node = item, .path = field.path};
    texts.push_back(text_of(entry));
    if (texts.back().empty()) {
      entry.refuse("has an empty entry");
    }
  }
  return texts;
}

// Go's notation: 1h30m, 0.5s, 100ms. A bare number other than 0 would be nanoseconds.
std::chrono::nanoseconds duration_of(const Field& field) {
  constexpr std::array units{Named<double>{"ns", 1.},       Named<double>{"us", 1e3},
                             Named<double>{"\u00b5s", 1e3}, Named<double>{"\u03bcs", 1e3},
                             Named<double>{"ms", 1e6},      Named<double>{"s", 1e9},
                             Named<double>{"m", 60 * 1e9},  Named<double>{"h", 3600 * 1e9}};
  constexpr double longest = 100. * 365 * 24 * 3600 * 1e9;
  const std::string text = text_of(field);
  std::string_view rest = text;
  if (rest == "0") {
    return {};
  }
  if (rest.starts_with('+')) {
    rest.remove_prefix(1);
  }
  const auto refuse = [&] { field.refuse("is to be a time such as 5s, 100ms or 1m30s, or 0"); };
  double sum = 0;
  do {
    const std::string_view number = rest.substr(0, rest.find_first_not_of("0123456789."));
    rest.remove_prefix(number.size());
    const std::string_view unit = rest.substr(0, rest.find_first_of("0123456789."));
    rest.remove_prefix(unit.size());
    double value = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value,
                                              std::chars_format::fixed);
    const auto* const known = std::ranges::find(units, unit, &Named<double>::name);
    if (error != std::errc{} || end != number.data() + number.size() || known == units.end()) {
      refuse();
    }
    sum += value * known->value;
  } while (!rest.empty());
  if (sum > longest) {
    field.refuse("is longer than a hundred years");
  }
  return std::chrono::nanoseconds{std::llround(sum)};
}

// ---- Sections ----------------------------------------------------------------------------------

struct Known {
  std::string_view key;
  std::function<void(const Field&)> read;
};

// True where there is anything in it.
bool is_section(const Field& field) {
  if (field.node.kind != Kind::mapping && field.node.kind != Kind::null) {
    field.refuse("is to hold keys and values");
  }
  return !field.node.children.empty();
}

std::vector<Field> fields_of(const Field& section) {
  std::vector<Field> fields;
  for (const YamlNode& node : section.node.children) {
    fields.push_back({.node = node, .path = dotted(section.path, node.key)});
  }
  return fields;
}

void read_section(const Field& section, const std::vector<Known>& known) {
  for (const Field& field : fields_of(section)) {
    const auto found = std::ranges::find(known, field.node.key, &Known::key);
    if (found == known.end()) {
      field.refuse("is not known");
    }
    found->read(field);
  }
}

// The section's key, or where it would stand.
Field key_in(const Field& section, const std::string& key) {
  const auto found = std::ranges::find(section.node.children, key, &YamlNode::key);
  return {.node = found == section.node.children.end() ? section.node : *found,
          .path = dotted(section.path, key)};
}

constexpr std::array tls_versions{
    Named<TlsVersion>{"TLS10", TlsVersion::tls10}, Named<TlsVersion>{"TLS11", TlsVersion::tls11},
    Named<TlsVersion>{"TLS12", TlsVersion::tls12}, Named<TlsVersion>{"TLS13", TlsVersion::tls13}};

constexpr std::array client_auths{
    Named<ClientAuth>{"NoClientCert", ClientAuth::none},
    Named<ClientAuth>{"RequestClientCert", ClientAuth::request},
    Named<ClientAuth>{"RequireAnyClientCert", ClientAuth::require_any},
    Named<ClientAuth>{"RequireClientCert", ClientAuth::require_any},  // the toolkit's older name
    Named<ClientAuth>{"VerifyClientCertIfGiven", ClientAuth::verify_if_given},
    Named<ClientAuth>{"RequireAndVerifyClientCert", ClientAuth::require_and_verify}};

ClientAuth client_auth_of(const Field& field) {
  return text_of(field).empty() ? ClientAuth::none : choice_of(field, client_auths);
}

// To leave them out would mean to serve without them.
void refuse_inline(const Field& field) {
  if (!text_of(field).empty()) {
    field.refuse("inline is not supported: put it into a file, and its name at " + field.node.key +
                 "_file");
  }
}

struct ConfigurableHeader {
  std::string_view name;
  std::array<std::string_view, 2> values{};  // the only ones; none: any
};

constexpr std::array configurable_headers{
    ConfigurableHeader{"Content-Security-Policy"}, ConfigurableHeader{"Strict-Transport-Security"},
    ConfigurableHeader{"X-XSS-Protection"},
    ConfigurableHeader{"X-Content-Type-Options", {"nosniff"}},
    ConfigurableHeader{"X-Frame-Options", {"deny", "sameorigin"}}};

// A value over several lines is one, as Go sends it.
std::string header_value_of(const Field& field) {
  std::string value = text_of(field);
  std::ranges::replace_if(
      value, [](char c) { return c == '\n' || c == '\r'; }, ' ');
  const auto first = value.find_first_not_of(" \t");
  const auto last = value.find_last_not_of(" \t");
  return first == std::string::npos ? "" : value.substr(first, last - first + 1);
}

// One line whatever a key holds, and not a long one.
std::string printable(std::string key) {
  constexpr std::size_t longest = 100;
  std::ranges::replace_if(
      key, [](unsigned char c) { return c < ' '; }, '?');
  if (key.size() > longest) {
    key.resize(longest);
    key.erase(utf8::find_invalid(key.begin(), key.end()), key.end());
    key += "...";
  }
  return key;
}

class Reader {
 public:
  explicit Reader(std::filesystem::path directory) : directory_(std::move(directory)) {}

  WebConfig read(const YamlNode& root) {
    const Field file{.node = root, .path = ""};
    if (is_section(file)) {
      read_section(file, {{"tls_server_config", [&](const Field& field) { read_tls(field); }},
                          {"http_server_config", [&](const Field& field) { read_http(field); }},
                          {"basic_auth_users", [&](const Field& field) { read_users(field); }},
                          {"rate_limit", [&](const Field& field) { read_rate_limit(field); }}});
    }
    if (!config_.users.empty() && !config_.tls) {
      remark("basic_auth_users", "without tls_server_config passwords cross the network in clear");
    }
    return std::move(config_);
  }

 private:
  void remark(const std::string& key, const std::string& sentence) {
    config_.remarks.push_back(printable(key) + ": " + sentence);
  }

  [[nodiscard]] std::string path_of(const Field& field) const {
    const std::string path = text_of(field);
    return path.empty() ? path : (directory_ / path).string();
  }

  void read_tls(const Field& section) {
    is_section(section);  // an empty one lacks its certificate: no TLS can hardly be meant
    TlsSettings tls{};
    const auto into = [](auto& value, auto read_value) {
      return [&value, read_value](const Field& field) { value = read_value(field); };
    };
    const auto path = [&](const Field& field) { return path_of(field); };
    const auto version = [](const Field& field) { return choice_of(field, tls_versions); };
    read_section(section,
                 {{"cert_file", into(tls.cert_file, path)},
                  {"key_file", into(tls.key_file, path)},
                  {"client_ca_file", into(tls.client_ca_file, path)},
                  {"cert", refuse_inline},
                  {"key", refuse_inline},
                  {"client_ca", refuse_inline},
                  {"client_auth_type", into(tls.client_auth, client_auth_of)},
                  {"client_allowed_sans", into(tls.client_allowed_sans, texts_of)},
                  {"min_version", into(tls.min_version, version)},
                  {"max_version", into(tls.max_version, version)},
                  {"cipher_suites", into(tls.cipher_suites, texts_of)},
                  {"curve_preferences", into(tls.curve_preferences, texts_of)},
                  {"prefer_server_cipher_suites", into(tls.prefer_server_cipher_suites, bool_of)}});
    check_tls(section, tls);
    config_.tls = std::move(tls);
    config_.tls_line = {section.node.line};
  }

  void check_tls(const Field& section, const TlsSettings& tls) {
    if (tls.cert_file.empty()) {
      key_in(section, "cert_file").refuse("is missing");
    }
    if (tls.key_file.empty()) {
      key_in(section, "key_file").refuse("is missing");
    }
    if (tls.min_version > tls.max_version) {
      key_in(section, "max_version").refuse("is below min_version");
    }
    check_client_auth(section, tls);
  }

  void check_client_auth(const Field& section, const TlsSettings& tls) {
    const Field type = key_in(section, "client_auth_type");
    const Field sans = key_in(section, "client_allowed_sans");
    if (sans.node.kind == Kind::list && tls.client_allowed_sans.empty()) {
      sans.refuse("is empty, so that no certificate would do");
    }
    if (!tls.client_allowed_sans.empty() && tls.client_auth != ClientAuth::require_and_verify) {
      sans.refuse("needs client_auth_type RequireAndVerifyClientCert");
    }
    switch (tls.client_auth) {
      case ClientAuth::none:
        if (!tls.client_ca_file.empty()) {
          key_in(section, "client_ca_file").refuse("needs a client_auth_type");
        }
        break;
      case ClientAuth::request:
      case ClientAuth::require_any:
        remark(type.path, "verifies no certificate and keeps nobody out");
        break;
      case ClientAuth::verify_if_given:
      case ClientAuth::require_and_verify:
        if (tls.client_ca_file.empty()) {
          remark(type.path, "trusts all CAs of this system, for want of a client_ca_file");
        }
        if (tls.client_auth == ClientAuth::verify_if_given) {
          remark(type.path, "lets in who shows no certificate");
        }
        break;
    }
  }

  void read_http(const Field& section) {
    if (is_section(section)) {
      read_section(section, {{"http2",
                              [&](const Field& field) {
                                if (bool_of(field)) {
                                  remark(field.path, "answers are HTTP/1.1 all the same");
                                }
                              }},
                             {"headers", [&](const Field& field) { read_headers(field); }}});
    }
  }

  void read_headers(const Field& section) {
    if (!is_section(section)) {
      return;
    }
    for (const Field& field : fields_of(section)) {
      const auto* const known =
          std::ranges::find(configurable_headers, field.node.key, &ConfigurableHeader::name);
      if (known == configurable_headers.end()) {
        field.refuse("is a header that cannot be configured");
      }
      std::string value = header_value_of(field);
      if (value.empty()) {
        continue;
      }
      const auto& values = known->values;
      if (!values[0].empty() && std::ranges::find(values, value) == values.end()) {
        field.refuse("is to be " + std::string{values[0]} +
                     (values[1].empty() ? "" : " or " + std::string{values[1]}));
      }
      config_.headers.emplace_back(field.node.key, std::move(value));
    }
  }

  void read_users(const Field& section) {
    if (!is_section(section)) {
      remark(section.path, "is empty, so no password is asked for");
      return;
    }
    for (const Field& field : fields_of(section)) {
      if (field.node.key.find(':') != std::string::npos) {
        field.refuse("is a name with a colon, which basic authentication cannot express");
      }
      const std::string hash = text_of(field);
      const std::optional<int> cost = bcrypt_cost(hash);
      if (!cost) {
        field.refuse("is to be a bcrypt hash, as htpasswd -nBC 10 makes it");
      }
      if (*cost > highest_usable_cost) {
        field.refuse("is a hash of cost " + std::to_string(*cost) +
                     ", which takes longer than a scrape waits: 18 is the most");
      }
      if (*cost >= slow_cost) {
        remark(field.path, "is a hash of cost " + std::to_string(*cost) +
                               ", which takes seconds of CPU each time that a password is new");
      }
      config_.users.emplace(field.node.key, hash);
    }
  }

  void read_rate_limit(const Field& section) {
    if (!is_section(section)) {
      return;
    }
    RateLimit limit;
    read_section(section,
                 {{"interval", [&](const Field& field) { limit.interval = duration_of(field); }},
                  {"burst", [&](const Field& field) { limit.burst = count_of(field); }}});
    if (limit.interval == std::chrono::nanoseconds::zero()) {
      if (limit.burst > 0) {
        remark(section.path, "has no interval, so there is no limit");
      }
      return;
    }
    if (limit.burst == 0) {
      remark(section.path, "has a burst of 0, so every request is refused");
    }
    config_.rate_limit = limit;
  }

  std::filesystem::path directory_;
  WebConfig config_;
};

// ---- The file ----------------------------------------------------------------------------------

std::string message(const std::filesystem::path& file, const YamlError& error) {
  return file.string() + ":" + std::to_string(error.line()) + ": " +
         (error.key().empty() ? "" : printable(error.key()) + ": ") + error.what();
}

[[noreturn]] void refuse_file(const std::filesystem::path& file, const std::string& complaint) {
  throw WebConfigError(file.string() + ": " + complaint);
}

}  // namespace

WebConfig parse_web_config(std::string_view text, const std::filesystem::path& file) {
  try {
    return Reader{file.parent_path()}.read(parse_strict_yaml(text));
  } catch (const YamlError& error) {
    throw WebConfigError(message(file, error));
  }
}

WebConfig read_web_config(const std::filesystem::path& file) {
  std::error_code error;
  const auto status = std::filesystem::status(file, error);
  if (error) {
    refuse_file(file, error.message());
  }
  if (!std::filesystem::is_regular_file(status)) {
    refuse_file(file, "is not a regular file");
  }
  std::ifstream stream{file, std::ios::binary};
  if (!stream) {
    refuse_file(file, std::system_category().message(errno));
  }
  const auto size = std::filesystem::file_size(file, error);
  if (error) {
    refuse_file(file, error.message());
  }
  if (size > largest_file) {
    refuse_file(file, "is larger than 1 MiB");
  }
  std::string text(size, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad()) {
    refuse_file(file, "cannot be read");
  }
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return parse_web_config(text, file);
}

}  // namespace corosync_exporter::web
