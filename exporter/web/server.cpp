// SPDX-License-Identifier: Apache-2.0
#include "web/server.h"

#include <civetweb.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <exception>
#include <future>
#include <mutex>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "web/answers.h"
#include "web/connections.h"
#include "web/gate.h"
#include "web/hooks.h"

namespace corosync_exporter::web {
namespace {

// What civetweb keeps saying need not be said more often.
constexpr std::chrono::seconds between_warnings{10};

// At the end, for what is being answered.
constexpr std::chrono::milliseconds last_answers{20};

// A thread serves one connection: so many clients may dawdle before others have to wait. An address
// has a third of them at most. More threads would take more memory: some 75 KiB each, once all have
// had their turn. tests/benchmark/static_answer.cpp has as many.
constexpr const char* threads = "24";
constexpr int connections_of_one_address = 8;

// For its thread that accepts connections to begin.
constexpr std::chrono::seconds patience{10};

bool civetweb_has_ipv6() { return mg_check_feature(MG_FEATURES_IPV6) != 0; }

std::string port_options(const std::vector<SocketAddress>& addresses, bool with_tls) {
  std::string options;
  for (const SocketAddress& address : addresses) {
    options += options.empty() ? "" : ",";
    options += numeric(address);
    options += with_tls ? "s" : "";
  }
  return options;
}

std::vector<std::uint16_t> ports_of(const mg_context* context) {
  constexpr std::size_t most = 64;
  std::array<mg_server_port, most> raw{};
  const int count = mg_get_server_ports(context, static_cast<int>(raw.size()), raw.data());
  std::vector<std::uint16_t> ports;
  for (const mg_server_port& port :
       std::span(raw).first(static_cast<std::size_t>(std::max(count, 0)))) {
    ports.push_back(static_cast<std::uint16_t>(port.port));
  }
  return ports;
}

using ContextPtr = std::unique_ptr<mg_context, decltype(&mg_stop)>;

// Threads started meanwhile take no signal: these are for the thread that waits for them.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

// Without it mg_start would guess from the ports whether to load OpenSSL.
class Library {
 public:
  explicit Library(bool with_tls) {
    mg_init_library(with_tls ? MG_FEATURES_TLS : MG_FEATURES_DEFAULT);
  }
  ~Library() { mg_exit_library(); }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
};

void send(mg_connection* connection, const Response& response) {
  const char* method = mg_get_request_info(connection)->request_method;  // null: not understood
  const std::string message =
      message_of(response, method == nullptr ? "" : method, std::chrono::system_clock::now());
  // One write: the client never waits for the rest. A client that has gone needs no answer.
  mg_write(connection, message.data(), message.size());
}

// A handshake that fails, too: civetweb has no request then.
bool is_about_client(const mg_connection* connection, std::string_view message) {
  return mg_get_request_info(connection) != nullptr || message.starts_with("sslize error") ||
         message.starts_with("SSL syscall error");
}

// What keeps happening need not be said each time.
class Seldom {
 public:
  [[nodiscard]] bool is_due() {
    const auto now = std::chrono::steady_clock::now();
    const std::lock_guard lock{mutex_};
    if (now < next_) {
      return false;
    }
    next_ = now + between_warnings;
    return true;
  }

 private:
  std::mutex mutex_;
  std::chrono::steady_clock::time_point next_;
};

}  // namespace

// civetweb, and what its callbacks get as their context.
class Server::Core {
 public:
  Core(std::span<const ListenAddress> addresses, std::vector<Route> routes,
       const LiveConfig& config, RequestCounter& counter, const Logger& logger)
      : library_(config.tls() != nullptr),
        routes_(std::move(routes), config, logger),
        config_(config),
        counter_(counter),
        logger_(logger),
        gate_(connections_,
              {.refused = [this](int descriptor,
                                 const std::string& address) { refuse(descriptor, address); },
               .exhausted = [this](int error) { exhausted(error); },
               .not_deferred = [this](int error) { not_deferred(error); }}) {
    const std::vector<SocketAddress> resolved = resolve_all(addresses, civetweb_has_ipv6());
    context_ = start(port_options(resolved, config.tls() != nullptr));
    const auto messages = end_of_start();
    if (!context_) {
      try_to_listen(resolved);  // civetweb says why it cannot only in a log text
      throw CannotListen("cannot serve HTTP: " + (messages.empty() ? "" : messages.front()));
    }
    for (const std::string& message : messages) {
      logger_.warn("HTTP server", {{"message", message}});
    }
    // Started last, after the threads that answer; civetweb does not look whether it was.
    if (accepts_.get_future().wait_for(patience) != std::future_status::ready) {
      (void)context_.release();  // to stop it would be to wait for that thread
      throw CannotListen("cannot serve HTTP: no thread for accepting connections can be started");
    }
  }

  // civetweb's threads look up from a silent client every two seconds only, unless the client goes:
  // to them, all go now.
  ~Core() {
    config_.rules()->access->end();  // nobody's password is worth waiting for
    gate_.stop_listening();
    connections_.shut_down(SHUT_RD);  // who has asked gets an answer
    connections_.wait_until_none(last_answers);
    connections_.shut_down(SHUT_RDWR);  // also those who do not read theirs
  }
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  [[nodiscard]] std::vector<std::uint16_t> ports() const { return ports_of(context_.get()); }

  [[nodiscard]] std::optional<Running::Time> handling_since() const {
    return routes_.handling_since();
  }

 private:
  ContextPtr start(const std::string& ports) {
    mg_callbacks callbacks{};
    callbacks.init_thread = on_thread;
    callbacks.external_ssl_ctx = on_tls;
    callbacks.begin_request = on_request;
    callbacks.http_error = on_error;
    callbacks.log_message = on_message;
    std::array options{"num_threads", threads, "request_timeout_ms", "2000", "max_request_size",
                       "8192", "listen_backlog", "4096", "listening_ports", ports.c_str(),
                       "tcp_nodelay", "1", "enable_keep_alive", "no",
                       // Or /metrics%00x would read as /metrics.
                       "decode_url", "no",
                       // Or http://host:port/metrics would get no answer.
                       "enable_auth_domain_check", "no", "access_control_allow_origin", "",
                       "enable_directory_listing", "no", static_cast<const char*>(nullptr)};
    const SignalsBlocked blocked;
    use_gate(&gate_);
    ContextPtr context{mg_start(&callbacks, this, options.data()), mg_stop};
    use_gate(nullptr);
    return context;
  }

  std::vector<std::string> end_of_start() {
    const std::lock_guard lock{start_mutex_};
    serves_ = true;
    return std::exchange(start_messages_, {});
  }

  [[nodiscard]] Response answer(const mg_connection* connection) {
    const mg_request_info& request = *mg_get_request_info(connection);
    const char* authorization = mg_get_header(connection, "Authorization");
    return routes_.answer({.method = request.request_method,
                           .path = request.local_uri_raw,
                           .authorization = authorization == nullptr ? "" : authorization,
                           .address = request.remote_addr},
                          std::chrono::steady_clock::now());
  }

  void refuse(int descriptor, const std::string& address) {
    counter_.count(too_many_requests);
    if (refusals_.is_due()) {
      logger_.warn("too many connections of one address",
                   {{"address", address}, {"limit", connections_of_one_address}});
    }
    if (config_.tls() != nullptr) {
      return;  // nothing to be understood before a handshake
    }
    const std::string message =
        message_of(error_response(too_many_requests), "", std::chrono::system_clock::now());
    ::send(descriptor, message.data(), message.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  void exhausted(int error) {
    if (exhaustions_.is_due()) {
      logger_.error("cannot accept connections",
                    {{"reason", std::system_category().message(error)}});
    }
  }

  void not_deferred(int error) {
    logger_.warn("silent connections cost threads",
                 {{"reason", std::system_category().message(error)}});
  }

  void hear(bool of_client, const char* message) {
    if (is_of_start(message)) {
      return;
    }
    if (of_client) {
      logger_.debug("HTTP client", {{"message", message}});
    } else if (messages_.is_due()) {
      logger_.warn("HTTP server", {{"message", message}});
    }
  }

  // Then it is kept until the end of the start, which knows what to make of it.
  bool is_of_start(const char* message) {
    const std::lock_guard lock{start_mutex_};
    if (!serves_) {
      start_messages_.emplace_back(message);
    }
    return !serves_;
  }

  // civetweb's callbacks, called on its threads. No exception may cross the C frames below them.

  static Core& of(const mg_connection* connection) {
    return *static_cast<Core*>(mg_get_user_data(mg_get_context(connection)));
  }

  static void* on_thread(const mg_context* context, int type) noexcept {
    constexpr int accepting = 0;
    Core& core = *static_cast<Core*>(mg_get_user_data(context));
    use_gate(&core.gate_);
    if (type == accepting) {
      core.accepts_.set_value();
    }
    return nullptr;
  }

  static int on_tls(void** context, void* self) noexcept {
    *context = static_cast<Core*>(self)->config_.tls();
    return 1;  // all is set up, and nothing to be freed
  }

  static int on_request(mg_connection* connection) noexcept {
    int status = internal_error;
    try {
      // Or civetweb would read the rest of the request, however long it is.
      mg_disable_connection_keep_alive(connection);
      const Response response = of(connection).answer(connection);
      status = response.status;
      of(connection).counter_.count(status);
      send(connection, response);
    } catch (...) {
      // Out of memory: the connection closes without an answer.
    }
    return status;
  }

  // What civetweb itself refuses, before it asks for an answer.
  static int on_error(mg_connection* connection, int status, const char* /*message*/) noexcept {
    try {
      of(connection).counter_.count(status);
      send(connection, error_response(status));
    } catch (...) {
      // As above.
    }
    return 0;  // handled
  }

  static int on_message(const mg_connection* connection, const char* message) noexcept {
    try {
      of(connection).hear(is_about_client(connection, message), message);
    } catch (...) {
      // Out of memory: one message less.
    }
    return 1;  // handled
  }

  const Library library_;
  Routes routes_;
  const LiveConfig& config_;
  RequestCounter& counter_;
  const Logger& logger_;

  std::mutex start_mutex_;  // of the two below
  bool serves_ = false;
  std::vector<std::string> start_messages_;

  std::promise<void> accepts_;
  Seldom messages_;
  Seldom refusals_;
  Seldom exhaustions_;
  Connections connections_{connections_of_one_address};
  Gate gate_;

  ContextPtr context_{nullptr, mg_stop};  // last, so that its threads end first
};

Server::Server(std::span<const ListenAddress> addresses, std::vector<Route> routes,
               const LiveConfig& config, RequestCounter& counter, const Logger& logger)
    : core_(std::make_unique<Core>(addresses, std::move(routes), config, counter, logger)) {
  const auto actual_ports = ports();
  for (std::size_t i = 0; i < actual_ports.size(); ++i) {
    ListenAddress address{.host = addresses[i].host, .port = actual_ports[i]};
    if (address.host.empty() && !civetweb_has_ipv6()) {
      address.host = "0.0.0.0";  // not all addresses: say so
    }
    logger.info("listening", {{"address", to_string(address)}, {"tls", config.tls() != nullptr}});
  }
}

Server::~Server() = default;

std::vector<std::uint16_t> Server::ports() const { return core_->ports(); }

std::optional<Running::Time> Server::handling_since() const { return core_->handling_since(); }

}  // namespace corosync_exporter::web
