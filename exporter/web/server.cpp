// SPDX-License-Identifier: Apache-2.0
#include "web/server.h"

#include <civetweb.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <ctime>
#include <exception>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

namespace corosync_exporter {
namespace {

// A client that has connected and says nothing stays in the kernel for so long, and costs no
// thread.
constexpr int defer_seconds = 3600;

// What civetweb keeps saying need not be said more often.
constexpr std::chrono::seconds between_warnings{10};

// At the end, for what is being answered.
constexpr std::chrono::milliseconds last_answers{20};

constexpr int not_found = 404;
constexpr int method_not_allowed = 405;
constexpr int internal_error = 500;

[[noreturn]] void refuse(const ListenAddress& address, const std::string& reason) {
  throw CannotListen("cannot listen on " + to_string(address) + ": " + reason);
}

std::string system_error(int number) { return std::system_category().message(number); }

// One address as the kernel takes it.
struct Endpoint {
  ListenAddress asked;
  sockaddr_storage address{};
  socklen_t length = 0;
  bool both_families = false;  // IPv4 too, on an IPv6 socket

  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};

class Descriptor {
 public:
  explicit Descriptor(int raw) : raw_(raw) {}
  ~Descriptor() {
    if (raw_ >= 0) {
      ::close(raw_);
    }
  }
  Descriptor(Descriptor&& other) noexcept : raw_(std::exchange(other.raw_, -1)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor& operator=(Descriptor&&) = delete;

  [[nodiscard]] int get() const { return raw_; }

 private:
  int raw_;
};

Descriptor open_socket(int family) {
  return Descriptor{::socket(family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP)};
}

bool civetweb_has_ipv6() { return mg_check_feature(MG_FEATURES_IPV6) != 0; }

bool kernel_has_ipv6() { return open_socket(AF_INET6).get() >= 0; }

// A name stands for its first IPv4 address, or else for its first one.
Endpoint resolve(const ListenAddress& asked) {
  const bool both_families = asked.host.empty() && civetweb_has_ipv6() && kernel_has_ipv6();
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  if (asked.host.empty()) {
    hints.ai_family = both_families ? AF_INET6 : AF_INET;
  }
  addrinfo* raw = nullptr;
  const int failed = getaddrinfo(asked.host.empty() ? nullptr : asked.host.c_str(),
                                 std::to_string(asked.port).c_str(), &hints, &raw);
  if (failed != 0) {
    refuse(asked, failed == EAI_SYSTEM ? system_error(errno) : gai_strerror(failed));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> found{raw, freeaddrinfo};
  const addrinfo* chosen = found.get();
  while (chosen != nullptr && chosen->ai_family != AF_INET) {
    chosen = chosen->ai_next;
  }
  if (chosen == nullptr) {
    chosen = found.get();
  }
  if (chosen->ai_family == AF_INET6 && !civetweb_has_ipv6()) {
    refuse(asked, "the HTTP library of this build has no IPv6");
  }
  Endpoint endpoint{.asked = asked, .length = chosen->ai_addrlen, .both_families = both_families};
  std::memcpy(&endpoint.address, chosen->ai_addr, chosen->ai_addrlen);
  return endpoint;
}

std::vector<Endpoint> resolve_all(std::span<const ListenAddress> addresses) {
  std::vector<Endpoint> endpoints;
  std::ranges::transform(addresses, std::back_inserter(endpoints), resolve);
  return endpoints;
}

// The endpoint in civetweb's spelling.
std::string port_option(const Endpoint& endpoint) {
  const std::string port = std::to_string(endpoint.asked.port);
  if (endpoint.both_families) {
    return "+" + port;
  }
  std::array<char, NI_MAXHOST> host{};
  const int failed = getnameinfo(endpoint.get(), endpoint.length, host.data(), host.size(), nullptr,
                                 0, NI_NUMERICHOST);
  if (failed != 0) {
    refuse(endpoint.asked, gai_strerror(failed));
  }
  return to_string(ListenAddress{.host = host.data(), .port = endpoint.asked.port});
}

std::string port_options(const std::vector<Endpoint>& endpoints) {
  std::string options;
  for (const Endpoint& endpoint : endpoints) {
    options += (options.empty() ? "" : ",") + port_option(endpoint);
  }
  return options;
}

// civetweb says why it cannot listen only in a log text: do as it did, and throw what the kernel
// says.
void try_to_listen(const std::vector<Endpoint>& endpoints) {
  std::vector<Descriptor> kept;  // for an address that is asked for twice
  for (const Endpoint& endpoint : endpoints) {
    kept.push_back(open_socket(endpoint.address.ss_family));
    const int descriptor = kept.back().get();
    const int on = 1;
    const int ipv6_only = endpoint.both_families ? 0 : 1;
    const bool listens =
        descriptor >= 0 && setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        (endpoint.address.ss_family != AF_INET6 ||
         setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &ipv6_only, sizeof(ipv6_only)) == 0) &&
        bind(descriptor, endpoint.get(), endpoint.length) == 0 && listen(descriptor, 1) == 0;
    if (!listens) {
      refuse(endpoint.asked, system_error(errno));
    }
  }
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

std::optional<std::uint16_t> local_port(int descriptor) {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  if (getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    return std::nullopt;
  }
  switch (address.ss_family) {
    case AF_INET:
      return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
    case AF_INET6:
      return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
    default:
      return std::nullopt;
  }
}

enum class SocketKind { listener, connection };

// civetweb hands its sockets to nobody, so they are known by their ports. None where there is no
// /proc.
std::vector<int> sockets(SocketKind kind, const std::vector<std::uint16_t>& ports) {
  std::vector<int> found;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", ignored)) {
    const int descriptor = std::stoi(entry.path().filename());
    const auto port = local_port(descriptor);
    int listens = 0;
    socklen_t length = sizeof(listens);
    if (port && std::ranges::find(ports, *port) != ports.end() &&
        getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 &&
        (kind == SocketKind::listener) == (listens != 0)) {
      found.push_back(descriptor);
    }
  }
  return found;
}

// civetweb's threads look up from a silent client every two seconds only, unless the client goes:
// to them, all go now. Meanwhile a descriptor found
// here may be closed and taken again, by another socket of a program that is about to end: no harm.
void part_with_clients(const mg_context* context, int how) {
  const auto ports = ports_of(context);
  for (const SocketKind kind : {SocketKind::listener, SocketKind::connection}) {
    for (const int descriptor : sockets(kind, ports)) {
      ::shutdown(descriptor, how);
    }
  }
}

struct StopServer {
  void operator()(mg_context* context) const noexcept {
    try {
      part_with_clients(context, SHUT_RD);
      std::this_thread::sleep_for(last_answers);
      // Also those accepted while the others were looked for, and those who do not read their
      // answer.
      part_with_clients(context, SHUT_RDWR);
    } catch (const std::exception&) {
      // Out of memory or of descriptors: it stops all the same, only later.
    }
    mg_stop(context);
  }
};
using ContextPtr = std::unique_ptr<mg_context, StopServer>;

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
  Library() { mg_init_library(MG_FEATURES_DEFAULT); }
  ~Library() { mg_exit_library(); }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
};

std::string date() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::array<char, sizeof("Thu, 01 Jan 1970 00:00:00 GMT")> text{};
  const std::size_t length =
      std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &utc);
  return {text.data(), length};
}

Response plain(const mg_connection* connection, int status) {
  return {
      .status = status,
      .body = std::to_string(status) + " " + mg_get_response_code_text(connection, status) + "\n"};
}

void send(mg_connection* connection, const Response& response) {
  std::string message;
  constexpr std::size_t head_size = 512;  // more than enough
  message.reserve(head_size + response.body.size());
  message += "HTTP/1.1 " + std::to_string(response.status) + " ";
  message += mg_get_response_code_text(connection, response.status);
  message += "\r\nDate: " + date();
  message += "\r\nContent-Type: " + response.content_type;
  message += "\r\nContent-Length: " + std::to_string(response.body.size());
  message += "\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n";
  for (const auto& [name, value] : response.headers) {
    message += name + ": " + value + "\r\n";
  }
  message += "\r\n";
  const char* method = mg_get_request_info(connection)->request_method;  // null: not understood
  if (method == nullptr || std::string_view(method) != "HEAD") {
    message += response.body;
  }
  // One write: the client never waits for the rest. A client that has gone needs no answer.
  mg_write(connection, message.data(), message.size());
}

}  // namespace

void RequestCounter::count(int status) {
  const std::lock_guard lock{mutex_};
  ++answered_[status];
}

std::map<int, std::uint64_t> RequestCounter::answered() const {
  const std::lock_guard lock{mutex_};
  return answered_;
}

// civetweb, and what its callbacks get as their context.
class Server::Core {
 public:
  Core(std::span<const ListenAddress> addresses, std::vector<Route> routes, RequestCounter& counter,
       const Logger& logger)
      : routes_(std::move(routes)), counter_(counter), logger_(logger) {
    const std::vector<Endpoint> endpoints = resolve_all(addresses);
    context_ = start(port_options(endpoints));
    const auto messages = end_of_start();
    if (!context_) {
      try_to_listen(endpoints);
      throw CannotListen("cannot serve HTTP: " + (messages.empty() ? "" : messages.front()));
    }
    for (const std::string& message : messages) {
      logger_.warn("HTTP server", {{"message", message}});
    }
    for (const int descriptor : sockets(SocketKind::listener, ports())) {
      setsockopt(descriptor, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer_seconds, sizeof(defer_seconds));
    }
  }

  [[nodiscard]] std::vector<std::uint16_t> ports() const { return ports_of(context_.get()); }

 private:
  ContextPtr start(const std::string& ports) {
    mg_callbacks callbacks{};
    callbacks.begin_request = on_request;
    callbacks.http_error = on_error;
    callbacks.log_message = on_message;
    std::array options{
        // A thread serves one connection: so many clients may dawdle before others have to wait.
        "num_threads", "64", "request_timeout_ms", "2000", "max_request_size", "8192",
        "listen_backlog", "4096", "listening_ports", ports.c_str(), "tcp_nodelay", "1",
        "enable_keep_alive", "no",
        // Or /metrics%00x would read as /metrics.
        "decode_url", "no",
        // Or http://host:port/metrics would get no answer.
        "enable_auth_domain_check", "no", "access_control_allow_origin", "",
        "enable_directory_listing", "no", static_cast<const char*>(nullptr)};
    const SignalsBlocked blocked;
    return ContextPtr{mg_start(&callbacks, this, options.data())};
  }

  std::vector<std::string> end_of_start() {
    const std::lock_guard lock{mutex_};
    serves_ = true;
    return std::exchange(start_messages_, {});
  }

  [[nodiscard]] Response answer(const mg_connection* connection) const {
    const mg_request_info& request = *mg_get_request_info(connection);
    const std::string_view method = request.request_method;
    const auto route = std::ranges::find(routes_, request.local_uri_raw, &Route::path);
    if (route == routes_.end()) {
      return plain(connection, not_found);
    }
    if (method != "GET" && method != "HEAD") {
      Response response = plain(connection, method_not_allowed);
      response.headers = {{"Allow", "GET, HEAD"}};
      return response;
    }
    try {
      return route->handler();
    } catch (const std::exception& error) {
      logger_.error("cannot answer", {{"path", route->path}, {"error", error.what()}});
      return plain(connection, internal_error);
    }
  }

  void hear(bool of_client, const char* message) {
    const std::lock_guard lock{mutex_};
    if (!serves_) {
      start_messages_.emplace_back(message);
    } else if (of_client) {
      logger_.debug("HTTP client", {{"message", message}});
    } else if (const auto now = std::chrono::steady_clock::now(); now >= next_warning_) {
      next_warning_ = now + between_warnings;
      logger_.warn("HTTP server", {{"message", message}});
    }
  }

  // civetweb's callbacks, called on its threads. No exception may cross the C frames below them.

  static Core& of(const mg_connection* connection) {
    return *static_cast<Core*>(mg_get_user_data(mg_get_context(connection)));
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
      send(connection, plain(connection, status));
    } catch (...) {
      // As above.
    }
    return 0;  // handled
  }

  static int on_message(const mg_connection* connection, const char* message) noexcept {
    try {
      of(connection).hear(mg_get_request_info(connection) != nullptr, message);
    } catch (...) {
      // Out of memory: one message less.
    }
    return 1;  // handled
  }

  const Library library_;
  const std::vector<Route> routes_;
  RequestCounter& counter_;
  const Logger& logger_;

  std::mutex mutex_;
  bool serves_ = false;
  std::vector<std::string> start_messages_;
  std::chrono::steady_clock::time_point next_warning_;

  ContextPtr context_;  // last, so that its threads end first
};

Server::Server(std::span<const ListenAddress> addresses, std::vector<Route> routes,
               RequestCounter& counter, const Logger& logger)
    : core_(std::make_unique<Core>(addresses, std::move(routes), counter, logger)) {
  const auto actual_ports = ports();
  for (std::size_t i = 0; i < actual_ports.size(); ++i) {
    ListenAddress address{.host = addresses[i].host, .port = actual_ports[i]};
    if (address.host.empty() && !civetweb_has_ipv6()) {
      address.host = "0.0.0.0";  // not all addresses: say so
    }
    logger.info("listening", {{"address", to_string(address)}});
  }
}

Server::~Server() = default;

std::vector<std::uint16_t> Server::ports() const { return core_->ports(); }

}  // namespace corosync_exporter
