// SPDX-License-Identifier: Apache-2.0
#include "web/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <exception>
#include <new>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace corosync_exporter::web {
namespace {

template <auto free>
struct Free {
  template <typename T>
  void operator()(T* object) const noexcept {
    free(object);
  }
};
template <typename T, auto free>
using Owner = std::unique_ptr<T, Free<free>>;

using BioPtr = Owner<BIO, BIO_free>;
using CertificatePtr = Owner<X509, X509_free>;
using KeyPtr = Owner<EVP_PKEY, EVP_PKEY_free>;
using NamesPtr = Owner<GENERAL_NAMES, GENERAL_NAMES_free>;
using ContextPtr = std::shared_ptr<SSL_CTX>;

// What a context's own fields cannot hold. It belongs to the context, which handshakes under way
// keep alive.
struct Details {
  bool verifies_chain = false;
  std::vector<std::string> allowed_sans;
  std::string groups;  // in OpenSSL's names; empty: its default
};

void free_details(void* /*context*/, void* details, CRYPTO_EX_DATA* /*data*/, int /*index*/,
                  long /*number*/, void* /*argument*/) noexcept {
  const std::unique_ptr<Details> freed{static_cast<Details*>(details)};
}

int details_index() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, free_details);
  return index;
}

Details& details_of(SSL_CTX* context) {
  return *static_cast<Details*>(SSL_CTX_get_ex_data(context, details_index()));
}

// --- errors ---------------------------------------------------------------------------------

// OpenSSL leaves its errors in a queue of the thread's, where the next user of it finds them.
class QueueKept {
 public:
  QueueKept() { ERR_set_mark(); }
  ~QueueKept() { ERR_pop_to_mark(); }
  QueueKept(const QueueKept&) = delete;
  QueueKept& operator=(const QueueKept&) = delete;
};

std::string reason() {
  const char* text = ERR_reason_error_string(ERR_peek_last_error());
  return text == nullptr ? "OpenSSL does not say why" : text;
}

// A setting that names a file.
struct File {
  const char* setting;
  const std::string& path;
};

[[noreturn]] void refuse(const std::string& what, const std::string& why) {
  throw TlsError(what + ": " + why);
}

[[noreturn]] void refuse(const File& file, const std::string& why) {
  refuse(std::string(file.setting) + " " + file.path, why);
}

// For what fails only when there is no memory.
template <typename T>
T check(T result) {
  if (!result) {
    throw std::bad_alloc{};
  }
  return result;
}

// --- files ----------------------------------------------------------------------------------

BioPtr open(const File& file) {
  if (file.path.empty()) {
    refuse(file.setting, "is missing");
  }
  struct stat status {};
  if (::stat(file.path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    refuse(file, "is not a regular file");  // to open a pipe may take for ever
  }
  BioPtr bio{BIO_new_file(file.path.c_str(), "re")};
  if (!bio) {
    refuse(file, std::system_category().message(errno));  // fopen's, which OpenSSL preserves
  }
  return bio;
}

// Differs once the file is another one, or has been written to. Empty: there is none.
std::string stamp(const std::string& path) {
  struct stat file {};
  if (::stat(path.c_str(), &file) != 0) {
    return "";
  }
  std::string stamp;
  for (const auto number :
       {static_cast<std::intmax_t>(file.st_dev), static_cast<std::intmax_t>(file.st_ino),
        static_cast<std::intmax_t>(file.st_size), static_cast<std::intmax_t>(file.st_mtim.tv_sec),
        static_cast<std::intmax_t>(file.st_mtim.tv_nsec),
        static_cast<std::intmax_t>(file.st_ctim.tv_sec),
        static_cast<std::intmax_t>(file.st_ctim.tv_nsec)}) {
    stamp += std::to_string(number) + " ";
  }
  return stamp;
}

std::string stamps(const TlsSettings& settings) {
  return stamp(settings.cert_file) + "," + stamp(settings.key_file) + "," +
         stamp(settings.client_ca_file);
}

std::vector<CertificatePtr> read_certificates(const File& file) {
  const BioPtr bio = open(file);
  std::vector<CertificatePtr> certificates;
  while (CertificatePtr certificate{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    certificates.push_back(std::move(certificate));
  }
  // That there is no more is an error too.
  const auto error = ERR_peek_last_error();
  if (ERR_GET_LIB(error) != ERR_LIB_PEM || ERR_GET_REASON(error) != PEM_R_NO_START_LINE) {
    refuse(file, "cannot be read: " + reason());
  }
  if (certificates.empty()) {
    refuse(file, "holds no certificate in PEM");
  }
  return certificates;
}

KeyPtr read_key(const File& file) {
  const BioPtr bio = open(file);
  bool encrypted = false;
  // Without it OpenSSL would ask on the terminal.
  const auto no_password = [](char* /*buffer*/, int /*size*/, int /*writing*/, void* asked) {
    *static_cast<bool*>(asked) = true;
    return -1;
  };
  KeyPtr key{PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, &encrypted)};
  if (encrypted) {
    refuse(file, "is encrypted, and there is nobody to ask for the password");
  }
  if (!key) {
    refuse(file, "holds no private key in PEM: " + reason());
  }
  return key;
}

// --- from settings to a context -------------------------------------------------------------

int protocol(TlsVersion version) {
  switch (version) {
    case TlsVersion::tls10:
      return TLS1_VERSION;
    case TlsVersion::tls11:
      return TLS1_1_VERSION;
    case TlsVersion::tls12:
      return TLS1_2_VERSION;
    case TlsVersion::tls13:
      break;
  }
  return TLS1_3_VERSION;
}

ContextPtr new_context() {
  ContextPtr context{check(SSL_CTX_new(TLS_server_method())), SSL_CTX_free};
  auto details = std::make_unique<Details>();
  check(SSL_CTX_set_ex_data(context.get(), details_index(), details.get()));
  (void)details.release();
  // A resumed session would carry a client past the present settings, certificate or not.
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context.get(), 0);
  SSL_CTX_set_options(context.get(),
                      SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  return context;
}

void set_versions(SSL_CTX* context, const TlsSettings& settings) {
  if (settings.min_version > settings.max_version) {
    refuse("min_version", "is above max_version");
  }
  SSL_CTX_set_min_proto_version(context, protocol(settings.min_version));
  SSL_CTX_set_max_proto_version(context, protocol(settings.max_version));
  if (settings.min_version < TlsVersion::tls12) {
    // They sign with SHA-1, which OpenSSL 3 does on this level only.
    SSL_CTX_set_security_level(context, 0);
  }
}

void set_certificate(SSL_CTX* context, const TlsSettings& settings) {
  const File cert_file{.setting = "cert_file", .path = settings.cert_file};
  const File key_file{.setting = "key_file", .path = settings.key_file};
  const auto chain = read_certificates(cert_file);
  const KeyPtr key = read_key(key_file);
  if (X509_check_private_key(chain.front().get(), key.get()) != 1) {
    refuse(key_file, "is not the key of the first certificate in " + settings.cert_file);
  }
  for (const CertificatePtr& certificate : chain) {
    const bool taken = certificate == chain.front()
                           ? SSL_CTX_use_certificate(context, certificate.get()) == 1
                           : SSL_CTX_add1_chain_cert(context, certificate.get()) == 1;
    if (!taken) {
      refuse(cert_file, reason());
    }
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    refuse(key_file, reason());
  }
}

// Those that OpenSSL has for TLS 1.2 and before, and the fixed ones of 1.3, under the names of the
// standards, which are Go's.
std::vector<std::pair<std::string_view, const SSL_CIPHER*>> known_ciphers() {
  const ContextPtr all{check(SSL_CTX_new(TLS_server_method())), SSL_CTX_free};
  SSL_CTX_set_security_level(all.get(), 0);
  check(SSL_CTX_set_cipher_list(all.get(), "ALL:!aNULL:!PSK:!SRP"));
  const STACK_OF(SSL_CIPHER)* ciphers = SSL_CTX_get_ciphers(all.get());
  std::vector<std::pair<std::string_view, const SSL_CIPHER*>> known;
  for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); ++i) {
    const SSL_CIPHER* cipher = sk_SSL_CIPHER_value(ciphers, i);
    known.emplace_back(SSL_CIPHER_standard_name(cipher), cipher);
  }
  return known;
}

void set_ciphers(SSL_CTX* context, const TlsSettings& settings) {
  if (settings.prefer_server_cipher_suites) {
    SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
  }
  if (settings.cipher_suites.empty()) {
    return;
  }
  const auto known = known_ciphers();
  std::string list;
  for (const std::string& name : settings.cipher_suites) {
    const auto found =
        std::ranges::find(known, name, &std::pair<std::string_view, const SSL_CIPHER*>::first);
    if (found == known.end()) {
      refuse("cipher_suites", "\"" + name + "\" is unknown");
    }
    if (SSL_CIPHER_get_version(found->second) != std::string_view("TLSv1.3")) {
      list += (list.empty() ? "" : ":") + std::string(SSL_CIPHER_get_name(found->second));
    }
  }
  if (!list.empty()) {
    check(SSL_CTX_set_cipher_list(context, list.c_str()));
  } else if (settings.max_version == TlsVersion::tls13) {
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);  // none is left for the others
  } else {
    refuse("cipher_suites", "are all of TLS 1.3, which is above max_version");
  }
}

void set_groups(SSL_CTX* context, const TlsSettings& settings) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> known{
      {{"CurveP256", "P-256"},
       {"CurveP384", "P-384"},
       {"CurveP521", "P-521"},
       {"X25519", "X25519"}}};
  std::string& groups = details_of(context).groups;
  for (const std::string& name : settings.curve_preferences) {
    const auto* const found =
        std::ranges::find(known, name, &std::pair<std::string_view, std::string_view>::first);
    if (found == known.end()) {
      refuse("curve_preferences", "\"" + name + "\" is unknown");
    }
    groups += (groups.empty() ? "" : ":") + std::string(found->second);
  }
}

// --- client certificates --------------------------------------------------------------------

std::string text_of(const ASN1_STRING* string) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
          static_cast<std::size_t>(ASN1_STRING_length(string))};
}

std::string address_of(const ASN1_OCTET_STRING* bytes) {
  constexpr int ipv6_length = 16;
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int length = ASN1_STRING_length(bytes);
  if (length != 4 && length != ipv6_length) {
    return "";
  }
  inet_ntop(length == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(bytes), text.data(),
            text.size());
  return text.data();
}

bool is_allowed(const X509* certificate, const std::vector<std::string>& allowed) {
  const NamesPtr names{static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr))};
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {  // -1: none
    int kind = 0;
    const void* value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &kind);
    std::string name;
    if (kind == GEN_DNS || kind == GEN_EMAIL || kind == GEN_URI) {
      name = text_of(static_cast<const ASN1_STRING*>(value));
    } else if (kind == GEN_IPADD) {
      name = address_of(static_cast<const ASN1_OCTET_STRING*>(value));
    }
    if (!name.empty() && std::ranges::find(allowed, name) != allowed.end()) {
      return true;
    }
  }
  return false;
}

// In OpenSSL's place: decides about a certificate that a client has shown.
int on_client_certificate(X509_STORE_CTX* shown, void* raw_details) noexcept {
  const auto& details = *static_cast<const Details*>(raw_details);
  try {
    if (details.verifies_chain && X509_verify_cert(shown) != 1) {
      return 0;
    }
    if (details.allowed_sans.empty() ||
        is_allowed(X509_STORE_CTX_get0_cert(shown), details.allowed_sans)) {
      return 1;
    }
  } catch (const std::exception&) {
    // Out of memory: not allowed.
  }
  X509_STORE_CTX_set_error(shown, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

void trust(SSL_CTX* context, const std::string& client_ca_file) {
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  if (client_ca_file.empty()) {
    check(SSL_CTX_set_default_verify_paths(context));  // the system's, as in Go
    return;
  }
  for (const CertificatePtr& ca :
       read_certificates({.setting = "client_ca_file", .path = client_ca_file})) {
    check(X509_STORE_add_cert(store, ca.get()));
    check(SSL_CTX_add_client_CA(context, ca.get()));  // tells clients which one to show
  }
  // What is in the file is trusted, an intermediate one too, as in Go.
  X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
}

void set_client_auth(SSL_CTX* context, const TlsSettings& settings) {
  using enum ClientAuth;
  const ClientAuth auth = settings.client_auth;
  Details& details = details_of(context);
  details.verifies_chain = auth == verify_if_given || auth == require_and_verify;
  details.allowed_sans = settings.client_allowed_sans;
  if (auth == none) {
    if (!settings.client_ca_file.empty()) {
      refuse("client_ca_file", "is of no use without a client_auth_type");
    }
    if (!settings.client_allowed_sans.empty()) {
      refuse("client_allowed_sans", "are of no use without a client_auth_type");
    }
    return;
  }
  // Who shows no certificate has no allowed name either.
  const bool required =
      auth == require_any || auth == require_and_verify || !details.allowed_sans.empty();
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                     nullptr);
  SSL_CTX_set_cert_verify_callback(context, on_client_certificate, &details);
  if (details.verifies_chain || !settings.client_ca_file.empty()) {
    trust(context, settings.client_ca_file);
  }
}

ContextPtr load(const TlsSettings& settings) {
  const QueueKept kept;
  ContextPtr context = new_context();
  set_versions(context.get(), settings);
  set_ciphers(context.get(), settings);
  set_groups(context.get(), settings);
  set_certificate(context.get(), settings);
  set_client_auth(context.get(), settings);
  return context;
}

// What all handshakes begin with: it refuses nothing yet.
ContextPtr new_base() {
  ContextPtr context = new_context();
  SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
  SSL_CTX_set_max_proto_version(context.get(), TLS1_3_VERSION);
  return context;
}

// SSL_set_SSL_CTX takes over certificate, ciphers, security level, trusted CAs and the callback
// about the client's certificate; the rest a connection has copied from its first context.
bool apply(SSL_CTX* context, SSL* connection) {
  const std::string& groups = details_of(context).groups;
  SSL_set_options(connection, SSL_CTX_get_options(context));
  SSL_set_verify(connection, SSL_CTX_get_verify_mode(context), nullptr);
  return SSL_set_SSL_CTX(connection, context) != nullptr &&
         SSL_set_min_proto_version(connection,
                                   static_cast<int>(SSL_CTX_get_min_proto_version(context))) == 1 &&
         SSL_set_max_proto_version(connection,
                                   static_cast<int>(SSL_CTX_get_max_proto_version(context))) == 1 &&
         (groups.empty() || SSL_set1_groups_list(connection, groups.c_str()) == 1);
}

}  // namespace

TlsContext::TlsContext(const TlsSettings& settings)
    : base_(new_base()),
      loaded_(settings),
      loaded_files_(stamps(settings)),
      newest_(load(settings)) {
  SSL_CTX_set_client_hello_cb(base_.get(), on_client_hello, this);
}

TlsContext::~TlsContext() = default;

bool TlsContext::reload(const TlsSettings& settings) {
  const std::lock_guard one_at_a_time{reloading_};
  // Looked at before they are read: what changes meanwhile is read again next time.
  std::string files = stamps(settings);
  if (files == loaded_files_ && settings == loaded_) {
    return false;
  }
  ContextPtr context = load(settings);
  loaded_ = settings;
  loaded_files_ = std::move(files);
  const std::lock_guard lock{mutex_};
  newest_.swap(context);
  return true;
}

int TlsContext::on_client_hello(SSL* connection, int* alert, void* self) noexcept {
  TlsContext& tls = *static_cast<TlsContext*>(self);
  ContextPtr newest;
  {
    const std::lock_guard lock{tls.mutex_};
    newest = tls.newest_;
  }
  if (!apply(newest.get(), connection)) {
    *alert = SSL_AD_INTERNAL_ERROR;
    return SSL_CLIENT_HELLO_ERROR;
  }
  return SSL_CLIENT_HELLO_SUCCESS;
}

}  // namespace corosync_exporter::web
