// SPDX-License-Identifier: Apache-2.0
#include "web/server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <iostream>
#include <iterator>
#include <memory>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "web/live_config.h"

namespace corosync_exporter::web {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// Far beyond what anything here takes, so that only a test that fails waits for it.
constexpr auto patience = 20s;

// As many connections of one address as the server admits. Each holds a thread, and it has three
// times as many.
constexpr int most_of_one_address = 8;
// civetweb's threads look up every 2 s only, unless they are told to.
constexpr auto at_once = 1500ms;

class Client {
 public:
  // `from`: its own IPv4 address; empty: the kernel's choice.
  explicit Client(std::uint16_t port, const char* address = "127.0.0.1",
                  const std::string& from = "") {
    addrinfo hints{};
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    EXPECT_EQ(getaddrinfo(address, std::to_string(port).c_str(), &hints, &found), 0);
    socket_ = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (!from.empty()) {
      sockaddr_in own{};
      own.sin_family = AF_INET;
      EXPECT_EQ(inet_pton(AF_INET, from.c_str(), &own.sin_addr), 1);
      EXPECT_EQ(bind(socket_, reinterpret_cast<const sockaddr*>(&own), sizeof(own)), 0);
    }
    connected_ = ::connect(socket_, found->ai_addr, found->ai_addrlen) == 0;
    freeaddrinfo(found);
  }
  ~Client() { close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  [[nodiscard]] bool is_connected() const { return connected_; }

  void send(std::string_view text) const {
    EXPECT_EQ(::send(socket_, text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }

  // Everything until the server closes.
  [[nodiscard]] std::string receive() const {
    std::string received;
    const auto deadline = Clock::now() + patience;
    while (wait_for_input(deadline)) {
      std::array<char, 4096> chunk{};
      const auto length = recv(socket_, chunk.data(), chunk.size(), 0);
      if (length <= 0) {
        return received;
      }
      received.append(chunk.data(), static_cast<std::size_t>(length));
    }
    ADD_FAILURE() << "the server keeps the connection open after: " << received;
    return received;
  }

 private:
  [[nodiscard]] bool wait_for_input(Clock::time_point deadline) const {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd input{.fd = socket_, .events = POLLIN, .revents = 0};
    return poll(&input, 1, std::max(0, static_cast<int>(left.count()))) == 1;
  }

  int socket_ = -1;
  bool connected_ = false;
};

struct Reply {
  std::string status;                // "200 OK"
  std::vector<std::string> headers;  // in their order
  std::string body;

  [[nodiscard]] bool has(const std::string& header) const {
    return std::ranges::find(headers, header) != headers.end();
  }
};

Reply parse_reply(const std::string& text) {
  Reply reply;
  const auto head_end = text.find("\r\n\r\n");
  if (!text.starts_with("HTTP/1.1 ") || head_end == std::string::npos) {
    return {.status = "no HTTP: " + text, .headers = {}, .body = ""};
  }
  for (std::size_t begin = 0; begin < head_end;) {
    const auto end = text.find("\r\n", begin);
    reply.headers.push_back(text.substr(begin, end - begin));
    begin = end + 2;
  }
  reply.status = reply.headers.front().substr(std::string_view("HTTP/1.1 ").size());
  reply.headers.erase(reply.headers.begin());
  reply.body = text.substr(head_end + 4);
  return reply;
}

class ServerTest : public testing::Test {
 protected:
  static constexpr const char* body_text = "corosync_up 1\n";
  static constexpr std::size_t big_size = 8 * 1024 * 1024;  // more than a socket's buffers take

  ServerTest() { start({{"127.0.0.1", 0}}); }

  void start(const std::vector<ListenAddress>& addresses) {
    server_.reset();
    server_ = std::make_unique<Server>(
        addresses,
        std::vector<Route>{
            {.path = "/metrics",
             .handler = [] { return Response{.content_type = "text/x", .body = body_text}; }},
            {.path = "/big",
             .handler = [] { return Response{.body = std::string(big_size, 'x')}; }},
            {.path = "/unready",
             .handler = [] { return Response{.status = 503, .body = "not yet\n"}; }},
            {.path = "/broken",
             .handler = []() -> Response { throw std::runtime_error("a secret"); }}},
        config_, counter_, log_);
  }

  [[nodiscard]] std::uint16_t port() const { return server_->ports().at(0); }

  [[nodiscard]] std::string exchange(std::string_view request) const {
    const Client client{port()};
    client.send(request);
    return client.receive();
  }

  [[nodiscard]] Reply request(const std::string& method, const std::string& target) const {
    return parse_reply(exchange(method + " " + target + " HTTP/1.1\r\nHost: x\r\n\r\n"));
  }

  [[nodiscard]] Reply get(const std::string& target) const { return request("GET", target); }

  // How long the end of the server takes.
  Clock::duration stop() {
    const auto begin = Clock::now();
    server_.reset();
    return Clock::now() - begin;
  }

  RequestCounter counter_;
  const Logger log_{LogLevel::error, LogFormat::logfmt, -1};
  const LiveConfig config_{std::nullopt, log_};
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, AnswersWithTheHandlersBodyAndFixedHeaders) {
  Reply reply = get("/metrics");
  EXPECT_EQ(reply.status, "200 OK");
  EXPECT_EQ(reply.body, body_text);
  ASSERT_TRUE(reply.headers.at(0).starts_with("Date: ")) << reply.headers.at(0);
  EXPECT_TRUE(reply.headers.at(0).ends_with(" GMT")) << reply.headers.at(0);
  reply.headers.erase(reply.headers.begin());
  EXPECT_EQ(reply.headers,
            (std::vector<std::string>{"Content-Type: text/x", "Content-Length: 14",
                                      "X-Content-Type-Options: nosniff", "Connection: close"}));
}

TEST_F(ServerTest, HeadHasTheHeadersOfGetAndNoBody) {
  Reply head = request("HEAD", "/metrics");
  Reply whole = get("/metrics");
  EXPECT_EQ(head.body, "");
  head.headers.at(0) = whole.headers.at(0) = "Date";
  EXPECT_EQ(head.status, whole.status);
  EXPECT_EQ(head.headers, whole.headers);
}

TEST_F(ServerTest, TheHandlerChoosesTheStatus) {
  const Reply reply = get("/unready");
  EXPECT_EQ(reply.status, "503 Service Unavailable");
  EXPECT_EQ(reply.body, "not yet\n");
}

TEST_F(ServerTest, AHandlersExceptionIsA500ThatDoesNotTellIt) {
  const Reply reply = get("/broken");
  EXPECT_EQ(reply.status, "500 Internal Server Error");
  EXPECT_EQ(reply.body, "500 Internal Server Error\n");
  EXPECT_EQ(get("/metrics").status, "200 OK");
}

TEST_F(ServerTest, KnowsSinceWhenAHandlerHasBeenRunning) {
  std::promise<void> hang;
  const Server server{std::vector<ListenAddress>{{"127.0.0.1", 0}},
                      {{.path = "/slow",
                        .handler =
                            [over = hang.get_future().share()] {
                              over.wait();
                              return Response{};
                            }},
                       {.path = "/", .handler = [] { return Response{}; }}},
                      config_,
                      counter_,
                      log_};
  EXPECT_EQ(server.handling_since(), std::nullopt);
  const auto before = Clock::now();
  const Client slow{server.ports().at(0)};
  slow.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  while (!server.handling_since() && Clock::now() < before + patience) {
    std::this_thread::yield();
  }
  const auto since = server.handling_since();
  EXPECT_GE(since, before);
  const Client quick{server.ports().at(0)};
  quick.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(parse_reply(quick.receive()).status, "200 OK");
  EXPECT_EQ(server.handling_since(), since) << "the other one came later";
  hang.set_value();
  EXPECT_EQ(parse_reply(slow.receive()).status, "200 OK");
  EXPECT_EQ(server.handling_since(), std::nullopt);
}

TEST_F(ServerTest, ABodyLargerThanTheSocketsBuffersArrivesWhole) {
  EXPECT_EQ(get("/big").body.size(), big_size);
}

TEST_F(ServerTest, OtherOriginsAreNotInvited) {
  const std::string reply =
      exchange("GET /metrics HTTP/1.1\r\nHost: x\r\nOrigin: http://other\r\n\r\n");
  EXPECT_EQ(reply.find("Access-Control"), std::string::npos) << reply;
}

TEST_F(ServerTest, AConnectionServesOneRequest) {
  const std::string once = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n";
  const Reply reply = parse_reply(exchange(once + once));
  EXPECT_EQ(reply.status, "200 OK");
  EXPECT_EQ(reply.body, body_text);
}

struct Asked {
  std::string target;
  const char* status;
};
void PrintTo(const Asked& row, std::ostream* out) { *out << row.target.substr(0, 40); }

class ServerTargetTest : public ServerTest, public testing::WithParamInterface<Asked> {};

TEST_P(ServerTargetTest, OnlyTheExactPathIsFound) {
  EXPECT_EQ(get(GetParam().target).status, GetParam().status);
}

INSTANTIATE_TEST_SUITE_P(
    , ServerTargetTest,
    testing::Values(Asked{"/metrics", "200 OK"}, Asked{"/metrics?", "200 OK"},
                    Asked{"/metrics?x=1", "200 OK"}, Asked{"/metrics?/x?y", "200 OK"},
                    Asked{"/", "404 Not Found"}, Asked{"/?/metrics", "404 Not Found"},
                    Asked{"/metric", "404 Not Found"}, Asked{"/metrics/", "404 Not Found"},
                    Asked{"/metrics/foo", "404 Not Found"}, Asked{"//metrics", "404 Not Found"},
                    Asked{"/./metrics", "404 Not Found"}, Asked{"/a/../metrics", "404 Not Found"},
                    Asked{"/Metrics", "404 Not Found"}, Asked{"/%6detrics", "404 Not Found"},
                    Asked{"/metrics%00x", "404 Not Found"}, Asked{"/metrics%3Fx", "404 Not Found"},
                    Asked{"/../../etc/passwd", "404 Not Found"},
                    Asked{"/" + std::string(4000, 'x'), "404 Not Found"}));

TEST_F(ServerTest, AnAbsoluteTargetOnItsOwnPortIsThePathAlone) {
  const std::string origin = "http://anything:" + std::to_string(port());
  EXPECT_EQ(get(origin + "/metrics").status, "200 OK");
  EXPECT_EQ(get(origin + "/metrics?x=1").status, "200 OK");
  EXPECT_EQ(get(origin + "/foo").status, "404 Not Found");
}

// civetweb closes without an answer; what matters is that it does close.
TEST_F(ServerTest, ForeignAndStarTargetsAreNotServed) {
  EXPECT_EQ(exchange("GET http://other:1/metrics HTTP/1.1\r\nHost: x\r\n\r\n"), "");
  EXPECT_EQ(exchange("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"), "");
  EXPECT_EQ(get("/metrics").status, "200 OK");
}

class ServerMethodTest : public ServerTest, public testing::WithParamInterface<const char*> {};

TEST_P(ServerMethodTest, IsRefusedWithWhatIsAllowedAndOnlyOnPathsThatExist) {
  const Reply known = request(GetParam(), "/metrics");
  EXPECT_EQ(known.status, "405 Method Not Allowed");
  EXPECT_TRUE(known.has("Allow: GET, HEAD"));
  EXPECT_EQ(request(GetParam(), "/nowhere").status, "404 Not Found");
}

INSTANTIATE_TEST_SUITE_P(, ServerMethodTest,
                         testing::Values("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND"));

TEST_F(ServerTest, ARefusedBodyIsNotWaitedFor) {
  const Reply reply = parse_reply(
      exchange("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000000000\r\n\r\nabc"));
  EXPECT_EQ(reply.status, "405 Method Not Allowed");
}

struct Malformed {
  const char* claim;
  std::string request;
  const char* status;
};
void PrintTo(const Malformed& row, std::ostream* out) { *out << row.claim; }

class ServerMalformedTest : public ServerTest, public testing::WithParamInterface<Malformed> {};

TEST_P(ServerMalformedTest, IsRefusedInTheSameForm) {
  const Reply reply = parse_reply(exchange(GetParam().request));
  EXPECT_EQ(reply.status, GetParam().status);
  EXPECT_EQ(reply.body, reply.status + "\n");
  EXPECT_TRUE(reply.has("Connection: close"));
  EXPECT_TRUE(reply.has("X-Content-Type-Options: nosniff"));
  EXPECT_EQ(get("/metrics").status, "200 OK");
}

INSTANTIATE_TEST_SUITE_P(
    , ServerMalformedTest,
    testing::Values(
        Malformed{"unknown method", "FETCH /metrics HTTP/1.1\r\n\r\n", "400 Bad Request"},
        Malformed{"no version", "GET /metrics\r\n\r\n", "400 Bad Request"},
        Malformed{"no target", "GET\r\n\r\n", "400 Bad Request"},
        Malformed{"no request", "\r\n\r\n", "400 Bad Request"},
        Malformed{"control characters", "GET /\x01 HTTP/1.1\r\n\r\n", "400 Bad Request"},
        Malformed{"bytes beyond ASCII", "GET /\xFF HTTP/1.1\r\n\r\n", "400 Bad Request"},
        Malformed{"zero bytes", std::string("\0\0\r\n\r\n", 6), "400 Bad Request"},
        Malformed{"TLS", "\x16\x03\x01\x02", "400 Bad Request"},
        Malformed{"a future version", "GET /metrics HTTP/3.0\r\n\r\n",
                  "505 HTTP Version not supported"},
        Malformed{"a negative length", "GET /metrics HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                  "411 Length Required"},
        Malformed{"an unknown encoding", "GET /metrics HTTP/1.1\r\nTransfer-Encoding: x\r\n\r\n",
                  "400 Bad Request"}));

TEST_F(ServerTest, ARequestBeyondAllMeasureIsRefused) {
  const Client client{port()};
  client.send("GET /metrics HTTP/1.1\r\nX: " + std::string(8192, 'x'));
  EXPECT_EQ(parse_reply(client.receive()).status, "400 Bad Request");
}

TEST_F(ServerTest, AnswersAreCountedByCodeFromZero) {
  using Counts = std::map<int, std::uint64_t>;
  EXPECT_EQ(counter_.answered(), (Counts{{200, 0}}));
  (void)get("/metrics");
  (void)request("HEAD", "/metrics");
  (void)get("/nowhere");
  (void)request("POST", "/metrics");
  (void)get("/broken");
  (void)get("/unready");
  (void)exchange("nonsense\r\n\r\n");
  EXPECT_EQ(counter_.answered(),
            (Counts{{200, 2}, {400, 1}, {404, 1}, {405, 1}, {500, 1}, {503, 1}}));
}

TEST_F(ServerTest, ManyScrapesAtOnceAreAllAnsweredAndCounted) {
  constexpr int clients = most_of_one_address;
  constexpr int scrapes = 25;
  std::atomic<int> whole = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < clients; ++i) {
      threads.emplace_back([this, &whole] {
        for (int scrape = 0; scrape < scrapes; ++scrape) {
          whole += get("/metrics").body == body_text ? 1 : 0;
          (void)counter_.answered();
        }
      });
    }
  }
  EXPECT_EQ(whole, clients * scrapes);
  EXPECT_EQ(counter_.answered().at(200), clients * scrapes);
}

TEST_F(ServerTest, AClientThatLeavesEarlyHarmsNobody) {
  for (int i = 0; i < 5; ++i) {
    const Client client{port()};
    client.send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  EXPECT_EQ(get("/metrics").status, "200 OK");
}

std::vector<std::unique_ptr<Client>> connect(int count, std::uint16_t port,
                                             std::string_view begin_of_request,
                                             const std::string& from = "",
                                             const char* address = "127.0.0.1") {
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < count; ++i) {
    clients.push_back(std::make_unique<Client>(port, address, from));
    EXPECT_TRUE(clients.back()->is_connected());
    if (!begin_of_request.empty()) {
      clients.back()->send(begin_of_request);
    }
  }
  return clients;
}

TEST_F(ServerTest, SilentClientsDelayNobody) {
  const auto silent = connect(200, port(), "");
  const auto begin = Clock::now();
  EXPECT_EQ(get("/metrics").status, "200 OK");
  EXPECT_LT(Clock::now() - begin, 1s);
}

std::string scrape_from(const std::string& address, std::uint16_t port) {
  const Client client{port, "127.0.0.1", address};
  client.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  return parse_reply(client.receive()).status;
}

TEST_F(ServerTest, ClientsOfOneAddressThatStopMidwayDelayNobodyElse) {
  std::atomic<bool> done = false;
  // Each that is given up or sent away comes back at once.
  const std::jthread attacker{[&] {
    while (!done) {
      const auto halting = connect(500, port(), "GET /met");
    }
  }};
  for (int scrape = 0; scrape < 10; ++scrape) {
    const auto begin = Clock::now();
    EXPECT_EQ(scrape_from("127.0.0.2", port()), "200 OK");
    EXPECT_LT(Clock::now() - begin, 1s);
  }
  done = true;
}

TEST_F(ServerTest, WhoHasTooManyConnectionsIsToldAndCounted) {
  const auto halting = connect(most_of_one_address, port(), "GET /met");
  EXPECT_EQ(scrape_from("127.0.0.1", port()), "429 Too Many Requests");
  EXPECT_EQ(counter_.answered().at(429), 1);
}

TEST_F(ServerTest, AConnectionThatHasEndedCountsNoMore) {
  for (int scrape = 0; scrape < 100; ++scrape) {
    EXPECT_EQ(scrape_from("127.0.0.1", port()), "200 OK");
  }
}

TEST_F(ServerTest, AClientThatStopsMidwayIsGivenUp) {
  const Client client{port()};
  client.send("GET /met");
  EXPECT_EQ(parse_reply(client.receive()).status, "400 Bad Request");
}

TEST_F(ServerTest, EndsAtOnceWhenIdle) { EXPECT_LT(stop(), at_once); }

TEST_F(ServerTest, EndsAtOnceWhateverItsClientsDo) {
  const auto silent = connect(200, port(), "");
  const auto halting = connect(most_of_one_address, port(), "GET /met", "127.0.0.2");
  const auto others_halting = connect(most_of_one_address, port(), "GET /met", "127.0.0.3");
  const auto not_reading = connect(3, port(), "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
  // Answered after the others were accepted, so these have their threads by now.
  ASSERT_EQ(get("/metrics").status, "200 OK");
  ASSERT_FALSE(counter_.answered().contains(429)) << "not all of them have a thread";
  EXPECT_LT(stop(), at_once);
  // Told off for half a request, or sent away unheard.
  const std::string reply = halting.front()->receive();
  EXPECT_TRUE(reply.empty() || parse_reply(reply).status == "400 Bad Request") << reply;
}

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all{"/proc/self/fd"};
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

TEST_F(ServerTest, ItsEndLeavesNoDescriptorOpen) {
  stop();
  const std::size_t before = open_descriptors();
  start({{"127.0.0.1", 0}});
  {
    std::vector<std::vector<std::unique_ptr<Client>>> clients;
    for (const char* address : {"127.0.0.2", "127.0.0.3", "127.0.0.4"}) {
      clients.push_back(
          connect(most_of_one_address, port(), "GET /big HTTP/1.1\r\nHost: x\r\n\r\n", address));
    }
    const auto begin = Clock::now();
    while (counter_.answered().at(200) < 3 * most_of_one_address &&
           Clock::now() - begin < patience) {
      std::this_thread::yield();
    }
    ASSERT_EQ(counter_.answered().at(200), 3 * most_of_one_address) << "a thread is free";
    // So no thread takes these up.
    clients.push_back(connect(most_of_one_address, port(), "GET /met", "127.0.0.5"));
    stop();
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(ServerTest, AfterItsEndThePortIsFree) {
  const std::uint16_t former = port();
  (void)get("/metrics");
  stop();
  EXPECT_FALSE(Client{former}.is_connected());
  start({{"127.0.0.1", former}});
  EXPECT_EQ(port(), former);
  EXPECT_EQ(get("/metrics").status, "200 OK");
}

// What such an address answers.
std::string status_at(const char* address, std::uint16_t port) {
  const Client client{port, address};
  if (!client.is_connected()) {
    return "nobody listens";
  }
  client.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  return parse_reply(client.receive()).status;
}

TEST_F(ServerTest, EveryAddressIsServed) {
  addrinfo* found = nullptr;  // a bare system may have no name for itself
  const bool has_name = getaddrinfo("localhost", nullptr, nullptr, &found) == 0;
  if (has_name) {
    freeaddrinfo(found);
  }
  start({{"127.0.0.1", 0}, {has_name ? "localhost" : "127.0.0.1", 0}, {"", 0}});
  const auto ports = server_->ports();
  ASSERT_EQ(ports.size(), 3);
  for (const std::uint16_t port : ports) {
    EXPECT_EQ(status_at("127.0.0.1", port), "200 OK");
  }
}

#if COROSYNC_EXPORTER_HAS_TLS  // civetweb is built from source, and so has IPv6

class Ipv6Test : public ServerTest {
 protected:
  void SetUp() override {
    const sockaddr_in6 loopback{.sin6_family = AF_INET6,
                                .sin6_port = 0,
                                .sin6_flowinfo = 0,
                                .sin6_addr = IN6ADDR_LOOPBACK_INIT,
                                .sin6_scope_id = 0};
    const int probe = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool has_loopback =
        ::bind(probe, reinterpret_cast<const sockaddr*>(&loopback), sizeof(loopback)) == 0;
    close(probe);
    if (!has_loopback) {
      GTEST_SKIP() << "this system has no ::1";
    }
  }
};

TEST_F(Ipv6Test, NoHostMeansAllAddressesOfBothFamilies) {
  start({{"", 0}});
  EXPECT_EQ(status_at("127.0.0.1", port()), "200 OK");
  EXPECT_EQ(status_at("::1", port()), "200 OK");
}

TEST_F(Ipv6Test, AnAddressInBracketsMeansItAlone) {
  start({{"::1", 0}});
  EXPECT_EQ(status_at("::1", port()), "200 OK");
  EXPECT_EQ(status_at("127.0.0.1", port()), "nobody listens");
}

TEST_F(Ipv6Test, AllAddressesOfIpv6AreNotThoseOfIpv4) {
  start({{"::", 0}});
  EXPECT_EQ(status_at("::1", port()), "200 OK");
  EXPECT_EQ(status_at("127.0.0.1", port()), "nobody listens");
}

TEST_F(Ipv6Test, AddressesOfBothFamiliesAreServedBesideEachOther) {
  start({{"127.0.0.1", 0}, {"::1", 0}, {"", 0}});
  const auto ports = server_->ports();
  ASSERT_EQ(ports.size(), 3);
  EXPECT_EQ(status_at("127.0.0.1", ports[0]), "200 OK");
  EXPECT_EQ(status_at("::1", ports[1]), "200 OK");
  EXPECT_EQ(status_at("127.0.0.1", ports[2]), "200 OK");
  EXPECT_EQ(status_at("::1", ports[2]), "200 OK");
  start({{"127.0.0.1", ports[0]}, {"::1", ports[0]}});  // one port, two addresses
  EXPECT_EQ(status_at("127.0.0.1", ports[0]), "200 OK");
  EXPECT_EQ(status_at("::1", ports[0]), "200 OK");
}

TEST_F(Ipv6Test, SilentClientsOverIpv6CostNoThread) {
  start({{"", 0}});
  const auto silent = connect(200, port(), "", "", "::1");
  const auto begin = Clock::now();
  EXPECT_EQ(status_at("::1", port()), "200 OK");
  EXPECT_LT(Clock::now() - begin, 1s);
}

TEST_F(Ipv6Test, EndsAtOnceWhateverItsClientsDoOverIpv6) {
  start({{"", 0}});
  const auto halting = connect(most_of_one_address, port(), "GET /met", "", "::1");
  ASSERT_EQ(status_at("127.0.0.1", port()), "200 OK");
  ASSERT_FALSE(counter_.answered().contains(429)) << "not all of them have a thread";
  EXPECT_LT(stop(), at_once);
}

// From here on this process gets no IPv6 socket, as under systemd's RestrictAddressFamilies or on a
// kernel without IPv6.
bool forbid_ipv6() {
  std::array<sock_filter, 6> program{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog filter{.len = program.size(), .filter = program.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0 &&
         ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0;
}

[[noreturn]] void serve_without_ipv6() {
  if (!forbid_ipv6()) {
    std::_Exit(EXIT_FAILURE);
  }
  RequestCounter counter;
  const Logger log{LogLevel::error, LogFormat::logfmt, -1};
  const LiveConfig config{std::nullopt, log};
  const Server server{std::vector{ListenAddress{"", 0}}, {}, config, counter, log};
  std::cerr << status_at("127.0.0.1", server.ports().at(0));
  std::_Exit(EXIT_SUCCESS);
}

TEST(WithoutIpv6DeathTest, NoHostMeansAllAddressesOfIpv4) {
  errno = 0;
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, nullptr) != -1 || errno != EFAULT) {
    GTEST_SKIP() << "this kernel has no seccomp to take IPv6 away with";
  }
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(serve_without_ipv6(), testing::ExitedWithCode(EXIT_SUCCESS), "404 Not Found");
}

#else  // Debian 12's has none, another one may

TEST_F(ServerTest, Ipv6IsServedOrRefusedByName) {
  try {
    start({{"::1", 0}, {"", 0}});
  } catch (const CannotListen& error) {
    EXPECT_STREQ(error.what(),
                 "cannot listen on [::1]:0: the HTTP library of this build has no IPv6");
    return;
  }
  for (const std::uint16_t port : server_->ports()) {
    EXPECT_EQ(status_at("::1", port), "200 OK");
  }
}

#endif

class CannotListenTest : public testing::Test {
 protected:
  // What a server that must not start says.
  [[nodiscard]] std::string complaint(const std::vector<ListenAddress>& addresses) {
    try {
      const Server server{addresses, {}, config_, counter_, log_};
    } catch (const CannotListen& error) {
      return error.what();
    }
    return "it listens";
  }

  RequestCounter counter_;
  const Logger log_{LogLevel::error, LogFormat::logfmt, -1};
  const LiveConfig config_{std::nullopt, log_};
};

TEST_F(CannotListenTest, ATakenPortIsNamed) {
  const Server first{std::vector{ListenAddress{"127.0.0.1", 0}}, {}, config_, counter_, log_};
  const ListenAddress taken{"127.0.0.1", first.ports().at(0)};
  const std::string expected =
      "cannot listen on " + to_string(taken) + ": " + std::generic_category().message(EADDRINUSE);
  EXPECT_EQ(complaint({taken}), expected);
  EXPECT_EQ(complaint({{"127.0.0.1", 0}, taken}), expected);
}

TEST_F(CannotListenTest, AnAddressOfAnotherMachineIsNamed) {
  EXPECT_EQ(complaint({{"192.0.2.1", 10056}}),
            "cannot listen on 192.0.2.1:10056: " + std::generic_category().message(EADDRNOTAVAIL));
}

TEST_F(CannotListenTest, AHostThatCannotExistIsNamed) {
  const std::string host(64, 'x');  // a label of a name has 63 characters at most
  const std::string said = complaint({{host, 10056}});
  EXPECT_TRUE(said.starts_with("cannot listen on " + host + ":10056: ")) << said;
}

TEST(ServerSignalsTest, SignalsAreLeftToTheThreadThatWaitsForThem) {
  sigset_t signal;
  sigemptyset(&signal);
  sigaddset(&signal, SIGUSR1);
  RequestCounter counter;
  const Logger log{LogLevel::error, LogFormat::logfmt, -1};
  const LiveConfig config{std::nullopt, log};
  const Server server{std::vector{ListenAddress{"127.0.0.1", 0}}, {}, config, counter, log};

  sigset_t before;
  ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &signal, &before), 0);
  EXPECT_EQ(sigismember(&before, SIGUSR1), 0) << "the caller's own mask was not restored";
  kill(getpid(), SIGUSR1);  // would end the process if a thread of the server took it
  const timespec limit{.tv_sec = 20, .tv_nsec = 0};
  EXPECT_EQ(sigtimedwait(&signal, nullptr, &limit), SIGUSR1);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace
}  // namespace corosync_exporter::web
