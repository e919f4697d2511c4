// SPDX-License-Identifier: Apache-2.0
// Whatever the configuration file holds: one line that says what is wrong, or a configuration that
// keeps its promises.
#include <algorithm>
#include <string>

#include "fuzz.h"
#include "web/bcrypt.h"
#include "web/web_config.h"

namespace corosync_exporter::web {
namespace {

bool is_one_line(std::string_view text) {
  return std::ranges::none_of(text, [](unsigned char c) { return c < ' '; });
}

void check_tls(const TlsSettings& tls) {
  require(!tls.cert_file.empty() && !tls.key_file.empty(), "TLS has a certificate and a key");
  require(tls.min_version <= tls.max_version, "TLS has a version");
  require(tls.client_auth != ClientAuth::none || tls.client_ca_file.empty(),
          "who has a CA asks for certificates");
  require(tls.client_allowed_sans.empty() || tls.client_auth == ClientAuth::require_and_verify,
          "names count where certificates are verified");
  for (const std::string& path : {tls.cert_file, tls.key_file, tls.client_ca_file}) {
    require(path.find('\0') == std::string::npos, "a path has no NUL");
  }
  for (const auto* list : {&tls.client_allowed_sans, &tls.cipher_suites, &tls.curve_preferences}) {
    require(std::ranges::find(*list, "") == list->end(), "a list has no empty entry");
  }
}

void check_config(const WebConfig& config) {
  if (config.tls) {
    check_tls(*config.tls);
  }
  for (const auto& [name, value] : config.headers) {
    require(name.starts_with("X-") || name == "Content-Security-Policy" ||
                name == "Strict-Transport-Security",
            "only some headers are configured");
    require(!value.empty() && value.find_first_of("\r\n") == std::string::npos &&
                value.find('\0') == std::string::npos,
            "a header is one line");
  }
  for (const auto& [name, hash] : config.users) {
    require(name.find(':') == std::string::npos, "a name has no colon");
    require(bcrypt_cost(hash).has_value(), "a hash is bcrypt's");
  }
  require(!config.rate_limit || config.rate_limit->interval.count() > 0, "a limit has an interval");
  require(std::ranges::all_of(config.remarks, is_one_line), "a remark is one line");
}

}  // namespace
}  // namespace corosync_exporter::web

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace corosync_exporter;
  using namespace corosync_exporter::web;
  try {
    check_config(parse_web_config(text_of(data, size), "/etc/web.yml"));
  } catch (const WebConfigError& error) {
    const std::string_view line = error.what();
    constexpr std::string_view place = "/etc/web.yml:";
    require(line.starts_with(place) && is_one_line(line), "an error is one line, with its place");
    const int number = std::stoi(std::string{line.substr(place.size())});
    const auto lines = 1 + std::ranges::count(text_of(data, size), '\n');
    require(number >= 1 && number <= lines, "an error is in one of the file's lines");
  }
  return 0;
}
