// SPDX-License-Identifier: Apache-2.0
#include "web/routes.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "temporary.h"

namespace corosync_exporter::web {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

class RoutesTest : public testing::Test {
 protected:
  void configure(const std::string& text) {
    const auto file = directory_.path() / "web.yml";
    std::ofstream{file} << text;
    config_.emplace(file, log_);
    routes_.emplace(
        std::vector<Route>{{.path = "/", .handler = [] { return Response{.body = "here\n"}; }},
                           {.path = "/own",
                            .handler =
                                [] {
                                  return Response{.headers = {{"X-Frame-Options", "own"}}};
                                }},
                           {.path = "/broken",
                            .handler = []() -> Response { throw std::runtime_error("a secret"); }},
                           {.path = "/running",
                            .handler = [this]() -> Response {
                              return {.body =
                                          routes_->handling_since() ? "it runs" : "it does not"};
                            }}},
        *config_, log_);
  }
  void SetUp() override { configure(""); }

  Response answer(const std::string& method, const std::string& path,
                  const std::string& authorization = "") {
    return routes_->answer(
        {.method = method, .path = path, .authorization = authorization, .address = "127.0.0.1"},
        std::chrono::steady_clock::time_point{});
  }

  const TemporaryDirectory directory_;
  const LogFile log_file_;
  const Logger log_{LogLevel::info, LogFormat::logfmt, log_file_.descriptor()};
  std::optional<LiveConfig> config_;
  std::optional<Routes> routes_;
};

TEST_F(RoutesTest, GetAndHeadAreTheHandlersToAnswer) {
  EXPECT_EQ(answer("GET", "/").body, "here\n");
  EXPECT_EQ(answer("HEAD", "/").body, "here\n");
}

TEST_F(RoutesTest, AnotherMethodIsRefusedWithWhatIsAllowed) {
  const Response response = answer("POST", "/");
  EXPECT_EQ(response.status, method_not_allowed);
  EXPECT_EQ(response.headers, (Headers{{"Allow", "GET, HEAD"}}));
}

TEST_F(RoutesTest, AnotherPathIsNotFoundWhateverTheMethod) {
  EXPECT_EQ(answer("GET", "/nowhere").status, not_found);
  EXPECT_EQ(answer("POST", "/nowhere").status, not_found);
}

TEST_F(RoutesTest, WhatAHandlerThrowsIsForTheLogAlone) {
  const Response response = answer("GET", "/broken");
  EXPECT_EQ(response.status, internal_error);
  EXPECT_EQ(response.body, "500 Internal Server Error\n");
  EXPECT_NE(log_file_.text().find("path=/broken error=\"a secret\""), std::string::npos)
      << log_file_.text();
}

TEST_F(RoutesTest, AHandlerIsUnderWayForAsLongAsItRuns) {
  EXPECT_EQ(answer("GET", "/running").body, "it runs");
  EXPECT_EQ(answer("GET", "/broken").status, internal_error);
  EXPECT_EQ(routes_->handling_since(), std::nullopt);
}

TEST_F(RoutesTest, ConfiguredHeadersAreAddedUnlessTheAnswerHasItsOwn) {
  configure("http_server_config: {headers: {X-Frame-Options: deny}}\n");
  EXPECT_EQ(answer("GET", "/").headers, (Headers{{"X-Frame-Options", "deny"}}));
  EXPECT_EQ(answer("GET", "/own").headers, (Headers{{"X-Frame-Options", "own"}}));
  EXPECT_EQ(answer("GET", "/nowhere").headers, (Headers{{"X-Frame-Options", "deny"}}));
}

TEST_F(RoutesTest, WithoutThePasswordNothingIsAnswered) {
  configure(
      "basic_auth_users:\n"
      "  alice: $2b$04$abcdefghijklmnopqrstuuMFdJu9yVgmagVAIC24fOZkaFqd3s9JC\n");
  const Response response = answer("GET", "/");
  EXPECT_EQ(response.status, unauthorized);
  EXPECT_EQ(response.body, "401 Unauthorized\n");
  EXPECT_EQ(response.headers, (Headers{{"WWW-Authenticate", "Basic realm=\"corosync-exporter\""}}));
  EXPECT_EQ(answer("GET", "/nowhere").status, unauthorized);
  EXPECT_EQ(answer("GET", "/", "Basic YWxpY2U6YQ==").body, "here\n");
}

TEST_F(RoutesTest, WhoAsksTooOftenGetsNoConfiguredHeaders) {
  configure(
      "http_server_config: {headers: {X-Frame-Options: deny}}\n"
      "rate_limit: {interval: 1h, burst: 1}\n");
  EXPECT_EQ(answer("GET", "/").status, 200);
  const Response response = answer("GET", "/");
  EXPECT_EQ(response.status, too_many_requests);
  EXPECT_TRUE(response.headers.empty());
}

}  // namespace
}  // namespace corosync_exporter::web
