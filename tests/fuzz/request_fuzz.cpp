// SPDX-License-Identifier: Apache-2.0
// Whatever a client sends, it gets one whole answer or none, and the next client is served.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "fuzz.h"
#include "web/live_config.h"
#include "web/server.h"

namespace corosync_exporter::web {
namespace {

// Of alice, whose password is "a".
constexpr std::string_view probe =
    "GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YWxpY2U6YQ==\r\n\r\n";
constexpr std::string_view page = "corosync_up 1\n";

// One server for all inputs. civetweb's threads outlive main(), so it has to.
class Target {
 public:
  static std::uint16_t port() {
    static const Target target;
    return target.server_.ports().front();
  }

 private:
  static std::filesystem::path config_file() {
    std::string path = std::filesystem::temp_directory_path() / "request_fuzz.XXXXXX";
    require(mkstemp(path.data()) >= 0, "there is a place for a file");
    std::ofstream{path} << "basic_auth_users:\n"
                           "  alice: $2b$04$abcdefghijklmnopqrstuuMFdJu9yVgmagVAIC24fOZkaFqd3s9JC\n"
                           "http_server_config:\n"
                           "  headers:\n"
                           "    X-Frame-Options: deny\n";
    return path;
  }

  Logger logger_{LogLevel::debug, LogFormat::logfmt, open("/dev/null", O_WRONLY | O_CLOEXEC)};
  LiveConfig config_{config_file(), logger_};
  RequestCounter counter_;
  Server server_{
      std::array{ListenAddress{.host = "127.0.0.1", .port = 0}},
      {{.path = "/metrics", .handler = [] { return Response{.body = std::string{page}}; }},
       {.path = "/", .handler = [] { return Response{.body = "/\n"}; }}},
      config_,
      counter_,
      logger_};
};

// libFuzzer's alarm clock would interrupt what waits for the server.
class Undisturbed {
 public:
  Undisturbed() {
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarm, &before_);
  }
  ~Undisturbed() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  Undisturbed(const Undisturbed&) = delete;
  Undisturbed& operator=(const Undisturbed&) = delete;

 private:
  sigset_t before_{};
};

// What the server answers, until it closes the connection.
std::string answer_to(std::string_view request) {
  const Undisturbed undisturbed;
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  // An answer that does not come within it is a broken promise.
  const timeval patience{.tv_sec = 5, .tv_usec = 0};
  setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(Target::port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  // Each time another client, or the ports of one would not last.
  static std::uint32_t last_client = INADDR_LOOPBACK;
  last_client = last_client < INADDR_LOOPBACK + (1U << 20U) ? last_client + 1 : INADDR_LOOPBACK;
  sockaddr_in own{};
  own.sin_family = AF_INET;
  own.sin_addr.s_addr = htonl(last_client);
  require(bind(client, reinterpret_cast<const sockaddr*>(&own), sizeof(own)) == 0,
          "all of 127.0.0.0/8 is ours");
  require(connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0,
          "the server listens");
  send(client, request.data(), request.size(), MSG_NOSIGNAL);
  shutdown(client, SHUT_WR);
  std::string answer;
  std::array<char, 4096> chunk{};
  ssize_t length = 0;
  while ((length = recv(client, chunk.data(), chunk.size(), 0)) > 0) {
    answer.append(chunk.data(), static_cast<std::size_t>(length));
  }
  require(length == 0 || errno == ECONNRESET, "the connection ends");
  close(client);
  return answer;
}

void check(std::string_view answer, bool is_head) {
  if (answer.empty()) {
    return;
  }
  require(answer.starts_with("HTTP/1.1 "), "an answer is HTTP");
  const auto head_end = answer.find("\r\n\r\n");
  require(head_end != std::string_view::npos, "an answer has a head");
  const std::string_view head = answer.substr(0, head_end);
  constexpr std::string_view name = "\r\nContent-Length: ";
  const auto length_at = head.find(name);
  require(length_at != std::string_view::npos, "an answer has a length");
  std::size_t length = 0;
  const char* digits = head.data() + length_at + name.size();
  require(std::from_chars(digits, head.data() + head.size(), length).ec == std::errc{},
          "a length is a number");
  const std::size_t body = answer.size() - head_end - 4;
  require(body == (is_head ? 0 : length), "an answer is as long as it says");
}

}  // namespace
}  // namespace corosync_exporter::web

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace corosync_exporter;
  using namespace corosync_exporter::web;
  const std::string_view request = text_of(data, size);
  if (request.empty()) {
    return 0;  // who says nothing is not even accepted
  }
  const std::string answer = answer_to(request);
  check(answer, request.find("HEAD") != std::string_view::npos && answer.ends_with("\r\n\r\n"));
  require(answer_to(probe).ends_with("\r\n\r\n" + std::string{page}), "the next client is served");
  return 0;
}
