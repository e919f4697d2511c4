// SPDX-License-Identifier: Apache-2.0
#include "web/answers.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace corosync_exporter::web {
namespace {

constexpr std::chrono::system_clock::time_point moment{std::chrono::seconds{784111777}};

TEST(AnswersTest, AMessageIsTheHeadAndTheBody) {
  const Response response{
      .status = 503, .content_type = "text/x", .body = "not yet\n", .headers = {{"A", "b"}}};
  EXPECT_EQ(message_of(response, "GET", moment),
            "HTTP/1.1 503 Service Unavailable\r\n"
            "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
            "Content-Type: text/x\r\n"
            "Content-Length: 8\r\n"
            "X-Content-Type-Options: nosniff\r\n"
            "Connection: close\r\n"
            "A: b\r\n"
            "\r\n"
            "not yet\n");
}

TEST(AnswersTest, HeadGetsTheSameWithoutTheBody) {
  const Response response{.body = "twelve bytes"};
  const std::string whole = message_of(response, "GET", moment);
  EXPECT_EQ(message_of(response, "HEAD", moment) + "twelve bytes", whole);
}

TEST(AnswersTest, AHeaderOfTheAnswersOwnStandsInForOurs) {
  const Response response{.headers = {{"X-Content-Type-Options", "own"}}};
  const std::string message = message_of(response, "GET", moment);
  EXPECT_EQ(message.find("nosniff"), std::string::npos);
  EXPECT_NE(message.find("\r\nX-Content-Type-Options: own\r\n"), std::string::npos);
}

TEST(AnswersTest, AnErrorSaysWhatItIs) {
  const Response response = error_response(not_found);
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.body, "404 Not Found\n");
  EXPECT_TRUE(response.headers.empty());
}

}  // namespace
}  // namespace corosync_exporter::web
