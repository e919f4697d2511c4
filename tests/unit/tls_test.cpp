// SPDX-License-Identifier: Apache-2.0
#include "web/tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "temporary.h"

namespace corosync_exporter::web {
namespace {

using testing::EndsWith;
using testing::StartsWith;

template <auto free>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    free(object);
  }
};
using CertificatePtr = std::shared_ptr<X509>;
using KeyPtr = std::shared_ptr<EVP_PKEY>;
using ContextPtr = std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>>;
using ConnectionPtr = std::unique_ptr<SSL, Free<SSL_free>>;
using BioPtr = std::unique_ptr<BIO, Free<BIO_free>>;

// --- certificates ---------------------------------------------------------------------------

struct Identity {
  CertificatePtr certificate;
  KeyPtr key;
};

// As openssl.cnf writes them, such as "DNS:a,IP:127.0.0.1"; empty: without.
struct Extensions {
  std::string basic_constraints{};
  std::string subject_alt_name{};
  std::string extended_key_usage{};
};

void add_extension(X509* certificate, int kind, const std::string& value) {
  if (!value.empty()) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
    ASSERT_NE(extension, nullptr) << value;
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }
}

Identity make_identity(const std::string& name, const Identity* issuer,
                       const Extensions& extensions, const KeyPtr& key) {
  static std::atomic<int> serial = 0;
  const CertificatePtr certificate{X509_new(), X509_free};
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), issuer == nullptr
                                              ? subject
                                              : X509_get_subject_name(issuer->certificate.get()));
  add_extension(certificate.get(), NID_basic_constraints, extensions.basic_constraints);
  add_extension(certificate.get(), NID_subject_alt_name, extensions.subject_alt_name);
  add_extension(certificate.get(), NID_ext_key_usage, extensions.extended_key_usage);
  EVP_PKEY* signer = issuer == nullptr ? key.get() : issuer->key.get();
  EXPECT_GT(X509_sign(certificate.get(), signer, EVP_sha256()), 0);
  return {.certificate = certificate, .key = key};
}

KeyPtr make_key() { return {EVP_EC_gen("P-256"), EVP_PKEY_free}; }

Identity make_ca(const std::string& name, const Identity* issuer = nullptr) {
  return make_identity(name, issuer, {.basic_constraints = "critical,CA:TRUE"}, make_key());
}

Identity make_leaf(const std::string& name, const Identity& issuer,
                   const Extensions& extensions = {}) {
  return make_identity(name, &issuer, extensions, make_key());
}

std::string text_of(const BioPtr& memory) {
  char* begin = nullptr;
  const long length = BIO_get_mem_data(memory.get(), &begin);
  return {begin, static_cast<std::size_t>(length)};
}

std::string pem(const CertificatePtr& certificate) {
  const BioPtr memory{BIO_new(BIO_s_mem())};
  PEM_write_bio_X509(memory.get(), certificate.get());
  return text_of(memory);
}

std::string pem(const KeyPtr& key, const EVP_CIPHER* encryption = nullptr) {
  const BioPtr memory{BIO_new(BIO_s_mem())};
  const std::string password = "secret";
  PEM_write_bio_PrivateKey(memory.get(), key.get(), encryption,
                           reinterpret_cast<const unsigned char*>(password.data()),
                           static_cast<int>(password.size()), nullptr, nullptr);
  return text_of(memory);
}

std::string common_name(const X509* certificate) {
  if (certificate == nullptr) {
    return "";
  }
  std::string name(64, '\0');
  const int length = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName,
                                               name.data(), static_cast<int>(name.size()));
  name.resize(static_cast<std::size_t>(length));
  return name;
}

// --- clients --------------------------------------------------------------------------------

struct Client {
  int min_version = 0;
  int max_version = 0;
  std::optional<Identity> identity{};
  std::string ciphers{};  // for TLS 1.2 and before
  std::string groups{};
};

// Both ends of a connection without a network.
class Connection {
 public:
  Connection(SSL_CTX* server, const Client& client) : client_context_(SSL_CTX_new(TLS_method())) {
    SSL_CTX* context = client_context_.get();
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_min_proto_version(context, client.min_version);
    SSL_CTX_set_max_proto_version(context, client.max_version);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT);
    if (client.identity) {
      SSL_CTX_use_certificate(context, client.identity->certificate.get());
      SSL_CTX_use_PrivateKey(context, client.identity->key.get());
    }
    if (!client.ciphers.empty()) {
      EXPECT_EQ(SSL_CTX_set_cipher_list(context, client.ciphers.c_str()), 1);
    }
    if (!client.groups.empty()) {
      EXPECT_EQ(SSL_CTX_set1_groups_list(context, client.groups.c_str()), 1);
    }
    client_.reset(SSL_new(context));
    server_.reset(SSL_new(server));
    SSL_set_connect_state(client_.get());
    SSL_set_accept_state(server_.get());
    BIO* near = nullptr;
    BIO* far = nullptr;
    BIO_new_bio_pair(&near, 0, &far, 0);
    SSL_set_bio(client_.get(), near, near);
    SSL_set_bio(server_.get(), far, far);
  }

  // One turn of an end; false: it has failed.
  [[nodiscard]] static bool proceed(const ConnectionPtr& end) {
    ERR_clear_error();
    const int result = SSL_do_handshake(end.get());
    return result == 1 || SSL_get_error(end.get(), result) == SSL_ERROR_WANT_READ;
  }

  // Whether the server has agreed.
  bool handshake() {
    for (int turn = 0; turn < 10; ++turn) {
      const bool client_goes_on = proceed(client_);
      if (!proceed(server_) || !client_goes_on) {
        return false;
      }
    }
    return SSL_is_init_finished(server_.get()) == 1 && SSL_is_init_finished(client_.get()) == 1;
  }

  // What the server says comes in; a TLS 1.3 server sends tickets after the handshake.
  void listen() const {
    char byte = 0;
    (void)SSL_read(client_.get(), &byte, 1);
  }

  [[nodiscard]] SSL* client() const { return client_.get(); }
  [[nodiscard]] SSL* server() const { return server_.get(); }
  [[nodiscard]] std::string version() const { return SSL_get_version(client_.get()); }
  [[nodiscard]] std::string cipher() const {
    return SSL_CIPHER_standard_name(SSL_get_current_cipher(client_.get()));
  }
  [[nodiscard]] std::string served() const {
    return common_name(SSL_get0_peer_certificate(client_.get()));
  }

 private:
  ContextPtr client_context_;
  ConnectionPtr client_;
  ConnectionPtr server_;
};

bool agrees(const TlsContext& tls, const Client& client = {}) {
  return Connection{tls.get(), client}.handshake();
}

std::string served_by(const TlsContext& tls) {
  Connection connection{tls.get(), {}};
  return connection.handshake() ? connection.served() : "a failed handshake";
}

// --- tests ----------------------------------------------------------------------------------

class TlsTest : public testing::Test {
 protected:
  TlsTest() {
    write("cert", pem(server_.certificate));
    write("key", pem(server_.key));
    write("ca", pem(ca_.certificate));
  }

  [[nodiscard]] std::string path(const std::string& name) const { return directory_.path() / name; }

  // As certificates are renewed: a file of its own, then put in the former one's place.
  void write(const std::string& name, const std::string& content) const {
    std::ofstream{path("new")} << content;
    std::filesystem::rename(path("new"), path(name));
  }

  [[nodiscard]] TlsSettings settings() const {
    return {.cert_file = path("cert"), .key_file = path("key")};
  }

  [[nodiscard]] TlsSettings settings(ClientAuth auth) const {
    return {.cert_file = path("cert"),
            .key_file = path("key"),
            .client_ca_file =
                auth == ClientAuth::verify_if_given || auth == ClientAuth::require_and_verify
                    ? path("ca")
                    : "",
            .client_auth = auth};
  }

  static std::string complaint(const TlsSettings& settings) {
    try {
      const TlsContext tls{settings};
    } catch (const TlsError& error) {
      return error.what();
    }
    return "none";
  }

  static std::string complaint(TlsContext& tls, const TlsSettings& settings) {
    try {
      (void)tls.reload(settings);
    } catch (const TlsError& error) {
      return error.what();
    }
    return "none";
  }

  const TemporaryDirectory directory_;
  const Identity ca_ = make_ca("ca");
  const Identity server_ = make_leaf("server", ca_);
};

TEST_F(TlsTest, ShowsItsCertificateAndTheChainBesideIt) {
  const Identity intermediate = make_ca("intermediate", &ca_);
  const Identity leaf = make_leaf("leaf", intermediate);
  write("cert", pem(leaf.certificate) + pem(intermediate.certificate));
  write("key", pem(leaf.key));
  const TlsContext tls{settings()};
  Connection connection{tls.get(), {}};
  ASSERT_TRUE(connection.handshake());
  const STACK_OF(X509)* chain = SSL_get_peer_cert_chain(connection.client());
  ASSERT_EQ(sk_X509_num(chain), 2);
  EXPECT_EQ(common_name(sk_X509_value(chain, 0)), "leaf");
  EXPECT_EQ(common_name(sk_X509_value(chain, 1)), "intermediate");
}

TEST_F(TlsTest, CertificateAndKeyMayShareAFile) {
  write("both", pem(server_.key) + pem(server_.certificate));
  const TlsContext tls{{.cert_file = path("both"), .key_file = path("both")}};
  EXPECT_EQ(served_by(tls), "server");
}

TEST_F(TlsTest, AnRsaKeyServesToo) {
  const KeyPtr key{EVP_RSA_gen(2048), EVP_PKEY_free};
  write("cert", pem(make_identity("rsa", &ca_, {}, key).certificate));
  write("key", pem(key));
  EXPECT_EQ(served_by(TlsContext{settings()}), "rsa");
}

struct Versions {
  TlsVersion min;
  TlsVersion max;
  int client;
  bool agreed;
};
void PrintTo(const Versions& row, std::ostream* out) {
  *out << "1." << static_cast<int>(row.min) << " to 1." << static_cast<int>(row.max)
       << ", client 1." << row.client - TLS1_VERSION;
}

class TlsVersionTest : public TlsTest, public testing::WithParamInterface<Versions> {};

TEST_P(TlsVersionTest, IsAgreedOnWithinTheLimitsOnly) {
  const Versions& row = GetParam();
  TlsSettings limited = settings();
  limited.min_version = row.min;
  limited.max_version = row.max;
  const TlsContext tls{limited};
  EXPECT_EQ(agrees(tls, {.min_version = row.client, .max_version = row.client}), row.agreed);
}

using enum TlsVersion;
INSTANTIATE_TEST_SUITE_P(, TlsVersionTest,
                         testing::Values(Versions{tls12, tls13, TLS1_VERSION, false},
                                         Versions{tls12, tls13, TLS1_1_VERSION, false},
                                         Versions{tls12, tls13, TLS1_2_VERSION, true},
                                         Versions{tls12, tls13, TLS1_3_VERSION, true},
                                         Versions{tls13, tls13, TLS1_2_VERSION, false},
                                         Versions{tls13, tls13, TLS1_3_VERSION, true},
                                         Versions{tls12, tls12, TLS1_3_VERSION, false},
                                         Versions{tls10, tls13, TLS1_VERSION, true},
                                         Versions{tls10, tls13, TLS1_1_VERSION, true},
                                         Versions{tls11, tls12, TLS1_VERSION, false},
                                         Versions{tls11, tls12, TLS1_1_VERSION, true},
                                         Versions{tls10, tls11, TLS1_2_VERSION, false}));

TEST_F(TlsTest, TheHighestCommonVersionIsTaken) {
  const TlsContext tls{settings()};
  Connection connection{tls.get(), {}};
  ASSERT_TRUE(connection.handshake());
  EXPECT_EQ(connection.version(), "TLSv1.3");
}

enum class Shown { nothing, self_signed, of_other_ca, for_servers, expected };

struct Auth {
  ClientAuth auth;
  Shown shown;
  bool agreed;
};
void PrintTo(const Auth& row, std::ostream* out) {
  constexpr std::array auths{"none", "request", "require_any", "verify_if_given",
                             "require_and_verify"};
  constexpr std::array shown{"nothing", "self_signed", "of_other_ca", "for_servers", "expected"};
  *out << auths.at(static_cast<std::size_t>(row.auth)) << ", shown "
       << shown.at(static_cast<std::size_t>(row.shown));
}

class TlsClientAuthTest : public TlsTest, public testing::WithParamInterface<Auth> {
 protected:
  [[nodiscard]] std::optional<Identity> identity(Shown shown) const {
    switch (shown) {
      case Shown::nothing:
        return std::nullopt;
      case Shown::self_signed:
        return make_ca("self-signed");
      case Shown::of_other_ca:
        return make_leaf("client", make_ca("ca"));
      case Shown::for_servers:
        return make_leaf("client", ca_, {.extended_key_usage = "serverAuth"});
      case Shown::expected:
        break;
    }
    return make_leaf("client", ca_, {.extended_key_usage = "clientAuth"});
  }
};

TEST_P(TlsClientAuthTest, LetsInWhomItShould) {
  const TlsContext tls{settings(GetParam().auth)};
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    EXPECT_EQ(agrees(tls, {.min_version = version,
                           .max_version = version,
                           .identity = identity(GetParam().shown)}),
              GetParam().agreed)
        << version;
  }
}

INSTANTIATE_TEST_SUITE_P(
    , TlsClientAuthTest,
    testing::Values(Auth{ClientAuth::none, Shown::nothing, true},
                    Auth{ClientAuth::none, Shown::self_signed, true},
                    Auth{ClientAuth::request, Shown::nothing, true},
                    Auth{ClientAuth::request, Shown::self_signed, true},
                    Auth{ClientAuth::require_any, Shown::nothing, false},
                    Auth{ClientAuth::require_any, Shown::self_signed, true},
                    Auth{ClientAuth::verify_if_given, Shown::nothing, true},
                    Auth{ClientAuth::verify_if_given, Shown::self_signed, false},
                    Auth{ClientAuth::verify_if_given, Shown::of_other_ca, false},
                    Auth{ClientAuth::verify_if_given, Shown::expected, true},
                    Auth{ClientAuth::require_and_verify, Shown::nothing, false},
                    Auth{ClientAuth::require_and_verify, Shown::self_signed, false},
                    Auth{ClientAuth::require_and_verify, Shown::of_other_ca, false},
                    Auth{ClientAuth::require_and_verify, Shown::for_servers, false},
                    Auth{ClientAuth::require_and_verify, Shown::expected, true}));

TEST_F(TlsTest, AnIntermediateCaMayBeTheOneThatIsTrusted) {
  const Identity intermediate = make_ca("intermediate", &ca_);
  write("ca", pem(intermediate.certificate));
  const TlsContext tls{settings(ClientAuth::require_and_verify)};
  EXPECT_TRUE(agrees(tls, {.identity = make_leaf("client", intermediate)}));
  EXPECT_FALSE(agrees(tls, {.identity = make_leaf("client", ca_)}));
}

TEST_F(TlsTest, EveryCaInTheFileIsTrustedAndNamedToClients) {
  const Identity other = make_ca("other");
  write("ca", pem(ca_.certificate) + pem(other.certificate));
  const TlsContext tls{settings(ClientAuth::require_and_verify)};
  EXPECT_TRUE(agrees(tls, {.identity = make_leaf("client", ca_)}));
  Connection connection{tls.get(), {.identity = make_leaf("client", other)}};
  EXPECT_TRUE(connection.handshake());
  EXPECT_EQ(sk_X509_NAME_num(SSL_get0_peer_CA_list(connection.client())), 2);
}

TEST_F(TlsTest, WithoutAFileTheSystemsCasAreTrusted) {
  TlsSettings system = settings(ClientAuth::require_and_verify);
  system.client_ca_file = "";
  ASSERT_EQ(setenv("SSL_CERT_FILE", path("ca").c_str(), 1), 0);  // OpenSSL's own way to name them
  const TlsContext tls{system};
  unsetenv("SSL_CERT_FILE");
  EXPECT_TRUE(agrees(tls, {.identity = make_leaf("client", ca_)}));
  EXPECT_FALSE(agrees(tls, {.identity = make_leaf("client", make_ca("ca"))}));
}

struct San {
  std::string in_certificate;
  std::string allowed;
  bool agreed;
};
void PrintTo(const San& row, std::ostream* out) {
  *out << row.in_certificate << " for " << row.allowed;
}

class TlsSanTest : public TlsTest, public testing::WithParamInterface<San> {};

TEST_P(TlsSanTest, AClientNeedsAnAllowedName) {
  TlsSettings some = settings(ClientAuth::require_and_verify);
  some.client_allowed_sans = {"another", GetParam().allowed};
  const TlsContext tls{some};
  EXPECT_EQ(agrees(tls, {.identity = make_leaf("client", ca_,
                                               {.subject_alt_name = GetParam().in_certificate})}),
            GetParam().agreed);
}

INSTANTIATE_TEST_SUITE_P(
    , TlsSanTest,
    testing::Values(San{"DNS:prometheus.example", "prometheus.example", true},
                    San{"DNS:x,DNS:prometheus.example", "prometheus.example", true},
                    San{"DNS:prometheus.example.evil", "prometheus.example", false},
                    San{"DNS:prometheus", "prometheus.example", false},
                    San{"DNS:*.example", "prometheus.example", false},
                    San{"IP:192.0.2.7", "192.0.2.7", true}, San{"IP:192.0.2.7", "192.0.2.8", false},
                    San{"IP:2001:db8::7", "2001:db8::7", true},
                    San{"email:me@example", "me@example", true},
                    San{"URI:spiffe://example/me", "spiffe://example/me", true},
                    San{"RID:1.2.3.4", "1.2.3.4", false}, San{"", "client", false}));

TEST_F(TlsTest, AllowedNamesAreAskedOfEveryClientWhateverTheMode) {
  using enum ClientAuth;
  for (const ClientAuth auth : {request, require_any, verify_if_given, require_and_verify}) {
    SCOPED_TRACE(static_cast<int>(auth));
    TlsSettings some = settings(auth);
    some.client_allowed_sans = {"me"};
    const TlsContext tls{some};
    EXPECT_FALSE(agrees(tls));
    EXPECT_FALSE(agrees(tls, {.identity = make_leaf("c", ca_, {.subject_alt_name = "DNS:you"})}));
    EXPECT_TRUE(agrees(tls, {.identity = make_leaf("c", ca_, {.subject_alt_name = "DNS:me"})}));
  }
}

TEST_F(TlsTest, AnAllowedNameDoesNotReplaceTheChain) {
  TlsSettings some = settings(ClientAuth::require_and_verify);
  some.client_allowed_sans = {"me"};
  const TlsContext tls{some};
  EXPECT_FALSE(
      agrees(tls, {.identity = make_leaf("c", make_ca("ca"), {.subject_alt_name = "DNS:me"})}));
}

TEST_F(TlsTest, OnlyTheCipherSuitesThatAreListedAreTaken) {
  TlsSettings some = settings();
  some.cipher_suites = {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256"};
  const TlsContext tls{some};
  Connection connection{tls.get(), {.max_version = TLS1_2_VERSION}};
  ASSERT_TRUE(connection.handshake());
  EXPECT_EQ(connection.cipher(), "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384");
  EXPECT_FALSE(
      agrees(tls, {.max_version = TLS1_2_VERSION, .ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256"}));
  EXPECT_TRUE(agrees(tls, {.min_version = TLS1_3_VERSION}));
}

TEST_F(TlsTest, WhereAllListedCipherSuitesAreOfTls13NothingElseIsAgreedOn) {
  TlsSettings some = settings();
  some.cipher_suites = {"TLS_AES_128_GCM_SHA256"};
  const TlsContext tls{some};
  EXPECT_FALSE(agrees(tls, {.max_version = TLS1_2_VERSION}));
  EXPECT_TRUE(agrees(tls));
}

TEST_F(TlsTest, TheServersOrWhereAskedTheClientsOrderOfCipherSuitesCounts) {
  TlsSettings some = settings();
  some.cipher_suites = {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
                        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"};
  const Client client{.max_version = TLS1_2_VERSION,
                      .ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"};
  TlsContext tls{some};
  Connection first{tls.get(), client};
  ASSERT_TRUE(first.handshake());
  EXPECT_EQ(first.cipher(), "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384");
  some.prefer_server_cipher_suites = false;
  EXPECT_TRUE(tls.reload(some));
  Connection second{tls.get(), client};
  ASSERT_TRUE(second.handshake());
  EXPECT_EQ(second.cipher(), "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
}

struct Curve {
  const char* setting;
  const char* client;  // all that it offers
  bool agreed;
};
void PrintTo(const Curve& row, std::ostream* out) { *out << row.setting << ", " << row.client; }

class TlsCurveTest : public TlsTest, public testing::WithParamInterface<Curve> {};

TEST_P(TlsCurveTest, OnlyThoseThatAreListedAreTaken) {
  TlsSettings some = settings();
  some.curve_preferences = {GetParam().setting};
  const TlsContext tls{some};
  EXPECT_EQ(agrees(tls, {.groups = GetParam().client}), GetParam().agreed);
}

INSTANTIATE_TEST_SUITE_P(, TlsCurveTest,
                         testing::Values(Curve{"CurveP256", "P-256", true},
                                         Curve{"CurveP384", "P-384", true},
                                         Curve{"CurveP521", "P-521", true},
                                         Curve{"X25519", "X25519", true},
                                         // Here the server asks for a second hello.
                                         Curve{"CurveP384", "X25519:P-384", true},
                                         Curve{"CurveP256", "X25519:P-384", false}));

// Or a session of before could pass by what is asked of clients now.
TEST_F(TlsTest, NoSessionIsResumed) {
  const TlsContext tls{settings(ClientAuth::request)};
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Connection first{tls.get(), {.min_version = version, .max_version = version}};
    ASSERT_TRUE(first.handshake());
    first.listen();
    SSL_SESSION* session = SSL_get1_session(first.client());
    EXPECT_EQ(SSL_SESSION_is_resumable(session), 0) << version;
    Connection second{tls.get(), {.min_version = version, .max_version = version}};
    SSL_set_session(second.client(), session);
    EXPECT_TRUE(second.handshake());
    EXPECT_EQ(SSL_session_reused(second.server()), 0) << version;
    SSL_SESSION_free(session);
  }
}

TEST_F(TlsTest, NothingIsRenegotiatedOrCompressed) {
  const TlsContext tls{settings()};
  Connection connection{tls.get(), {.max_version = TLS1_2_VERSION}};
  ASSERT_TRUE(connection.handshake());
  EXPECT_EQ(SSL_get_current_compression(connection.client()), nullptr);
  ASSERT_EQ(SSL_renegotiate(connection.client()), 1);
  EXPECT_LE(SSL_do_handshake(connection.client()), 0);
  char byte = 0;
  EXPECT_LE(SSL_read(connection.server(), &byte, 1), 0);
  EXPECT_LE(SSL_do_handshake(connection.client()), 0);
  EXPECT_EQ(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_NO_RENEGOTIATION);
}

// --- reload ---------------------------------------------------------------------------------

TEST_F(TlsTest, ARenewedCertificateIsShownFromThenOn) {
  TlsContext tls{settings()};
  SSL_CTX* const before = tls.get();
  EXPECT_FALSE(tls.reload(settings()));
  const Identity renewed = make_leaf("renewed", ca_);
  write("cert", pem(renewed.certificate));
  write("key", pem(renewed.key));
  EXPECT_EQ(served_by(tls), "server");
  EXPECT_TRUE(tls.reload(settings()));
  EXPECT_EQ(served_by(tls), "renewed");
  EXPECT_EQ(tls.get(), before);
  EXPECT_FALSE(tls.reload(settings()));
}

TEST_F(TlsTest, WhatIsAskedOfClientsChangesWithTheSettingsAndTheirFile) {
  const Identity other = make_ca("other");
  const Client ours{.identity = make_leaf("client", ca_)};
  const Client others{.identity = make_leaf("client", other)};
  TlsContext tls{settings()};
  EXPECT_TRUE(agrees(tls));
  EXPECT_TRUE(tls.reload(settings(ClientAuth::require_and_verify)));
  EXPECT_FALSE(agrees(tls));
  EXPECT_TRUE(agrees(tls, ours));
  EXPECT_FALSE(agrees(tls, others));
  write("ca", pem(other.certificate));
  EXPECT_TRUE(tls.reload(settings(ClientAuth::require_and_verify)));
  EXPECT_FALSE(agrees(tls, ours));
  EXPECT_TRUE(agrees(tls, others));
  EXPECT_TRUE(tls.reload(settings()));
  EXPECT_TRUE(agrees(tls));
}

TEST_F(TlsTest, VersionsCurvesAndCiphersChangeWithTheSettings) {
  TlsContext tls{settings()};
  TlsSettings narrow = settings();
  narrow.max_version = TlsVersion::tls12;
  narrow.curve_preferences = {"CurveP384"};
  narrow.cipher_suites = {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"};
  EXPECT_TRUE(tls.reload(narrow));
  Connection connection{tls.get(), {}};
  ASSERT_TRUE(connection.handshake());
  EXPECT_EQ(connection.version(), "TLSv1.2");
  EXPECT_EQ(connection.cipher(), "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256");
  EXPECT_EQ(SSL_get_negotiated_group(connection.client()), NID_secp384r1);
  EXPECT_TRUE(tls.reload(settings()));
  EXPECT_TRUE(agrees(tls, {.min_version = TLS1_3_VERSION, .groups = "X25519"}));
}

TEST_F(TlsTest, ThePastVersionsComeAndGoWithTheSettings) {
  const Client old{.min_version = TLS1_1_VERSION, .max_version = TLS1_1_VERSION};
  TlsContext tls{settings()};
  EXPECT_FALSE(agrees(tls, old));
  TlsSettings lenient = settings();
  lenient.min_version = TlsVersion::tls11;
  EXPECT_TRUE(tls.reload(lenient));
  EXPECT_TRUE(agrees(tls, old));
  EXPECT_TRUE(tls.reload(settings()));
  EXPECT_FALSE(agrees(tls, old));
}

TEST_F(TlsTest, AFailedReloadKeepsWhatWas) {
  TlsContext tls{settings()};
  const Identity renewed = make_leaf("renewed", ca_);
  write("cert", pem(renewed.certificate));  // and the key has yet to follow
  const std::string mismatch =
      "key_file " + path("key") + ": is not the key of the first certificate in " + path("cert");
  EXPECT_EQ(complaint(tls, settings()), mismatch);
  EXPECT_EQ(served_by(tls), "server");
  std::filesystem::remove(path("key"));
  const std::string missing =
      "key_file " + path("key") + ": " + std::generic_category().message(ENOENT);
  EXPECT_EQ(complaint(tls, settings()), missing);
  write("key", pem(renewed.key));
  EXPECT_TRUE(tls.reload(settings()));
  EXPECT_EQ(served_by(tls), "renewed");
}

TEST_F(TlsTest, AHandshakeUnderWayEndsAsItBegan) {
  TlsSettings first = settings(ClientAuth::require_and_verify);
  first.client_allowed_sans = {"me"};
  TlsContext tls{first};
  Connection connection{tls.get(),
                        {.identity = make_leaf("client", ca_, {.subject_alt_name = "DNS:me"})}};
  ASSERT_TRUE(SSL_do_handshake(connection.client()) < 0);
  ASSERT_TRUE(SSL_do_handshake(connection.server()) < 0);  // has answered, waits for the client
  write("ca", pem(make_ca("other").certificate));
  TlsSettings second = settings(ClientAuth::require_and_verify);
  second.client_allowed_sans = {"you"};
  EXPECT_TRUE(tls.reload(second));
  EXPECT_TRUE(connection.handshake());
  EXPECT_EQ(connection.served(), "server");
}

TEST_F(TlsTest, HandshakesAndReloadsMayMeetOnAnyThreads) {
  const Identity ours = make_leaf("client", ca_, {.subject_alt_name = "DNS:me"});
  TlsSettings strict = settings(ClientAuth::require_and_verify);
  strict.client_allowed_sans = {"me"};
  TlsContext tls{settings()};
  std::atomic<int> agreed = 0;
  std::atomic<int> reloaded = 0;
  constexpr int times = 20;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&] {
        for (int n = 0; n < times; ++n) {
          agreed += agrees(tls, {.identity = ours}) ? 1 : 0;
        }
      });
    }
    for (int i = 0; i < 2; ++i) {
      threads.emplace_back([&] {
        for (int n = 0; n < times; ++n) {
          reloaded += tls.reload(n % 2 == 0 ? strict : settings()) ? 1 : 0;
        }
      });
    }
  }
  EXPECT_EQ(agreed, 3 * times);
  EXPECT_GT(reloaded, 0);
}

// The server's threads have little more.
TEST_F(TlsTest, AStackOf100KiBIsEnough) {
  struct Work {
    TlsSettings settings;
    Client client;
    bool agreed = false;
  } work;
  const KeyPtr key{EVP_RSA_gen(4096), EVP_PKEY_free};
  write("cert", pem(make_identity("rsa", &ca_, {}, key).certificate));
  write("key", pem(key));
  work.settings = settings(ClientAuth::require_and_verify);
  work.settings.client_allowed_sans = {"me"};
  work.client.identity = make_identity("client", &ca_, {.subject_alt_name = "DNS:me"}, key);

  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  const long size =
      std::max(102400L, sysconf(_SC_THREAD_STACK_MIN));  // arm64 has a minimum of 128 KiB
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, size), 0);
  pthread_t thread{};
  const auto handshake = [](void* raw) -> void* {
    auto& at_work = *static_cast<Work*>(raw);
    TlsContext tls{at_work.settings};
    (void)tls.reload(at_work.settings);
    at_work.agreed = agrees(tls, at_work.client);
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &attributes, handshake, &work), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  EXPECT_TRUE(work.agreed);
}

// --- what cannot be had ---------------------------------------------------------------------

TEST_F(TlsTest, AFileThatCannotBeReadIsNamedWithItsSetting) {
  const std::string missing = ": " + std::generic_category().message(ENOENT);
  TlsSettings some = settings(ClientAuth::require_and_verify);
  some.cert_file = path("nowhere");
  EXPECT_EQ(complaint(some), "cert_file " + path("nowhere") + missing);
  some = settings(ClientAuth::require_and_verify);
  some.key_file = path("nowhere");
  EXPECT_EQ(complaint(some), "key_file " + path("nowhere") + missing);
  some = settings(ClientAuth::require_and_verify);
  some.client_ca_file = path("nowhere");
  EXPECT_EQ(complaint(some), "client_ca_file " + path("nowhere") + missing);
  some.cert_file = "";
  EXPECT_EQ(complaint(some), "cert_file: is missing");
}

TEST_F(TlsTest, NobodyIsWaitedForWhoMightWriteIntoAPipe) {
  TlsSettings some = settings();
  some.cert_file = path("pipe");
  ASSERT_EQ(mkfifo(some.cert_file.c_str(), S_IRUSR | S_IWUSR), 0);
  EXPECT_EQ(complaint(some), "cert_file " + path("pipe") + ": is not a regular file");
}

TEST_F(TlsTest, AFileWithoutWhatItShouldHoldIsNamed) {
  TlsSettings some = settings(ClientAuth::require_and_verify);
  some.cert_file = path("key");
  EXPECT_EQ(complaint(some), "cert_file " + path("key") + ": holds no certificate in PEM");
  some = settings(ClientAuth::require_and_verify);
  some.key_file = path("cert");
  EXPECT_THAT(complaint(some),
              StartsWith("key_file " + path("cert") + ": holds no private key in PEM"));
  some = settings(ClientAuth::require_and_verify);
  write("ca", "");
  EXPECT_EQ(complaint(some), "client_ca_file " + path("ca") + ": holds no certificate in PEM");
  std::string broken = pem(ca_.certificate);
  broken.resize(broken.size() / 2);
  write("ca", pem(ca_.certificate) + broken);
  EXPECT_THAT(complaint(some), StartsWith("client_ca_file " + path("ca") + ": cannot be read: "));
}

TEST_F(TlsTest, AKeyThatIsAnothersIsNamed) {
  const KeyPtr rsa{EVP_RSA_gen(2048), EVP_PKEY_free};
  for (const KeyPtr& key : {make_key(), rsa}) {
    write("key", pem(key));
    EXPECT_EQ(
        complaint(settings()),
        "key_file " + path("key") + ": is not the key of the first certificate in " + path("cert"));
  }
}

TEST_F(TlsTest, AnEncryptedKeyIsRefusedWithoutAsking) {
  write("key", pem(server_.key, EVP_aes_128_cbc()));
  EXPECT_EQ(
      complaint(settings()),
      "key_file " + path("key") + ": is encrypted, and there is nobody to ask for the password");
}

TEST_F(TlsTest, AKeyTooWeakForOpenSslIsRefusedWithItsReason) {
  const KeyPtr key{EVP_RSA_gen(512), EVP_PKEY_free};
  write("cert", pem(make_identity("weak", &ca_, {}, key).certificate));
  write("key", pem(key));
  EXPECT_EQ(complaint(settings()), "cert_file " + path("cert") + ": ee key too small");
}

TEST_F(TlsTest, ASettingThatMakesNoSenseIsNamed) {
  TlsSettings some = settings();
  some.min_version = TlsVersion::tls13;
  some.max_version = TlsVersion::tls12;
  EXPECT_EQ(complaint(some), "min_version: is above max_version");
  some = settings();
  some.cipher_suites = {"TLS_AES_128_GCM_SHA256", "TLS_NULL"};
  EXPECT_EQ(complaint(some), "cipher_suites: \"TLS_NULL\" is unknown");
  some.cipher_suites = {"TLS_DH_anon_WITH_AES_128_CBC_SHA"};
  EXPECT_THAT(complaint(some), EndsWith("is unknown")) << "it knows no server";
  some.cipher_suites = {"TLS_AES_128_GCM_SHA256"};
  some.max_version = TlsVersion::tls12;
  EXPECT_EQ(complaint(some), "cipher_suites: are all of TLS 1.3, which is above max_version");
  some = settings();
  some.curve_preferences = {"X25519", "P-256"};
  EXPECT_EQ(complaint(some), "curve_preferences: \"P-256\" is unknown");
  some = settings();
  some.client_ca_file = path("ca");
  EXPECT_EQ(complaint(some), "client_ca_file: is of no use without a client_auth_type");
  some = settings();
  some.client_allowed_sans = {"me"};
  EXPECT_EQ(complaint(some), "client_allowed_sans: are of no use without a client_auth_type");
}

TEST_F(TlsTest, OpenSslsErrorQueueIsLeftAsItWas) {
  constexpr int others = 4711;
  ERR_clear_error();
  ERR_raise(ERR_LIB_USER, others);
  TlsContext tls{settings()};
  write("cert", "");
  EXPECT_NE(complaint(tls, settings()), "none");
  EXPECT_EQ(ERR_GET_REASON(ERR_peek_last_error()), others);
  EXPECT_EQ(ERR_GET_REASON(ERR_get_error()), others);
  EXPECT_EQ(ERR_get_error(), 0);
}

}  // namespace
}  // namespace corosync_exporter::web
