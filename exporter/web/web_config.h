// SPDX-License-Identifier: Apache-2.0
// --web.config.file: the exporter-toolkit's web configuration, read strictly.
//
// What is wrong in the file is an error, never a weaker configuration. What the toolkit refuses is
// refused here; besides, here are refused: a tls_server_config that would end in plain HTTP,
// certificates inline, and what web/strict_yaml.h leaves out of YAML. Certificates, keys and the
// names of ciphers and curves are for who makes use of them to check.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace corosync_exporter::web {

enum class ClientAuth {
  none,                // NoClientCert
  request,             // RequestClientCert
  require_any,         // RequireAnyClientCert
  verify_if_given,     // VerifyClientCertIfGiven
  require_and_verify,  // RequireAndVerifyClientCert
};

enum class TlsVersion { tls10, tls11, tls12, tls13 };

// Relative paths have become relative to the configuration file's directory.
struct TlsSettings {
  std::string cert_file;
  std::string key_file;
  std::string client_ca_file{};  // empty: none
  ClientAuth client_auth = ClientAuth::none;
  std::vector<std::string> client_allowed_sans{};  // empty: any
  TlsVersion min_version = TlsVersion::tls12;
  TlsVersion max_version = TlsVersion::tls13;
  std::vector<std::string> cipher_suites{};  // Go's names; empty: the default
  std::vector<std::string> curve_preferences{};
  bool prefer_server_cipher_suites = true;

  bool operator==(const TlsSettings&) const = default;
};

// A request each interval, and `burst` at once; with a burst of 0 none at all.
struct RateLimit {
  std::chrono::nanoseconds interval{};  // above 0
  unsigned burst = 0;

  bool operator==(const RateLimit&) const = default;
};

// Where something stands in the file, for messages. To stand elsewhere is no difference.
struct Line {
  int number = 0;

  bool operator==(const Line& /*other*/) const { return true; }
};

struct WebConfig {
  std::optional<TlsSettings> tls{};  // none: plain HTTP
  Line tls_line{};
  std::vector<std::pair<std::string, std::string>>
      headers{};                               // in the file's order, no line breaks
  std::map<std::string, std::string> users{};  // bcrypt hashes by name; none: no password is asked
  std::optional<RateLimit> rate_limit{};
  std::vector<std::string> remarks{};  // a line each, on what is hardly meant as it stands

  bool operator==(const WebConfig&) const = default;
};

// One line: "FILE:LINE: KEY: what is wrong", as far as there are a line and a key.
class WebConfigError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// `file` is for messages, and for what relative paths are relative to; it is not read.
// Throws WebConfigError.
[[nodiscard]] WebConfig parse_web_config(std::string_view text, const std::filesystem::path& file);

// Of a regular file of up to 1 MiB. Throws WebConfigError.
[[nodiscard]] WebConfig read_web_config(const std::filesystem::path& file);

}  // namespace corosync_exporter::web
