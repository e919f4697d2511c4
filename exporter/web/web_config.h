// SPDX-License-Identifier: Apache-2.0
// What the exporter-toolkit's web configuration says about TLS.
#pragma once

#include <string>
#include <vector>

namespace corosync_exporter {

// The toolkit's NoClientCert, RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven and
// RequireAndVerifyClientCert.
enum class ClientAuth { none, request, require_any, verify_if_given, require_and_verify };

enum class TlsVersion { tls10, tls11, tls12, tls13 };

struct TlsSettings {
  std::string cert_file;  // the paths are resolved already
  std::string key_file;
  std::string client_ca_file{};  // empty: none
  ClientAuth client_auth = ClientAuth::none;
  std::vector<std::string> client_allowed_sans{};  // DNS names, addresses, e-mail, URIs
  TlsVersion min_version = TlsVersion::tls12;
  TlsVersion max_version = TlsVersion::tls13;
  std::vector<std::string> cipher_suites{};      // Go's names; empty: OpenSSL's default
  std::vector<std::string> curve_preferences{};  // CurveP256, CurveP384, CurveP521, X25519
  bool prefer_server_cipher_suites = true;

  bool operator==(const TlsSettings&) const = default;
};

}  // namespace corosync_exporter
