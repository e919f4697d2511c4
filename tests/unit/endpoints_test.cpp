// SPDX-License-Identifier: Apache-2.0
#include "endpoints.h"

#include <gtest/gtest.h>

#include <ostream>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "clock.h"
#include "page_text.h"
#include "print_model.h"
#include "story.h"

namespace corosync_exporter {
namespace {

using namespace std::chrono_literals;

class EndpointsTest : public ::testing::Test {
 protected:
  // The state as it is now, which is when the routes are asked.
  void publish(Story story) {
    ClusterState state = story.state();
    if (state.present) {
      state.present->last_word = current_moment().steady;
    }
    publish(std::move(state));
  }
  void publish(ClusterState state) {
    newest_.publish({.state = std::move(state), .timeline = timeline_, .generation = 7});
  }

  [[nodiscard]] web::Response get(const std::string& path) {
    for (const web::Route& route : endpoints(options_, facts_, page_)) {
      if (route.path == path) {
        return route.handler();
      }
    }
    ADD_FAILURE() << "no route to " << path;
    return {};
  }
  [[nodiscard]] PageText metrics() { return read_page(get(options_.telemetry_path).body); }

  Options options_;
  std::shared_ptr<const Timeline> timeline_ = std::make_shared<const Timeline>(beginning.system);
  SnapshotCell<Snapshot> newest_{{.timeline = timeline_}};
  web::RequestCounter requests_;
  std::optional<SteadyTime> waiting_since_;
  const Logger log_{LogLevel::error, LogFormat::logfmt, -1};
  const web::LiveConfig web_config_{std::nullopt, log_};
  const Facts facts_{
      .newest = newest_, .requests = requests_, .web_config = web_config_, .waiting_since = [this] {
        return waiting_since_;
      }};
  std::shared_ptr<Page> page_ = std::make_shared<Page>(Build{.version = "v", .revision = "r"});
};

TEST_F(EndpointsTest, AreTheseFive) {
  std::set<std::string> paths;
  for (const web::Route& route : endpoints(options_, facts_, page_)) {
    paths.insert(route.path);
  }
  EXPECT_EQ(paths,
            (std::set<std::string>{"/", "/-/healthy", "/-/ready", "/api/v1/status", "/metrics"}));
}

TEST_F(EndpointsTest, MetricsAreInTheTextFormat) {
  const web::Response response = get("/metrics");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(read_page(response.body).faults, std::vector<std::string>{});
}

TEST_F(EndpointsTest, MetricsAreAnsweredWhateverCorosyncDoes) {
  EXPECT_EQ(metrics().at("corosync_up"), 0);
  publish(three_quorate());
  EXPECT_EQ(metrics().at("corosync_up"), 1);
  publish(three_quorate().disconnect());
  EXPECT_EQ(metrics().at("corosync_up"), 0);
}

TEST_F(EndpointsTest, MetricsShowWhoServesThem) {
  EXPECT_TRUE(metrics().has(R"(corosync_exporter_build_info{version="v",revision="r"})"));
}

TEST_F(EndpointsTest, MetricsShowWhatWasAnswered) {
  requests_.count(200);
  requests_.count(404);
  requests_.count(404);
  EXPECT_EQ(metrics().at(R"(corosync_exporter_http_requests_total{code="200"})"), 1);
  EXPECT_EQ(metrics().at(R"(corosync_exporter_http_requests_total{code="404"})"), 2);
}

TEST_F(EndpointsTest, MetricsShowTheCallThatWaits) {
  EXPECT_EQ(metrics().at("corosync_exporter_call_in_flight_seconds"), 0);
  waiting_since_ = current_moment().steady - 90s;
  EXPECT_GE(metrics().at("corosync_exporter_call_in_flight_seconds"), 90);
  EXPECT_LT(metrics().at("corosync_exporter_call_in_flight_seconds"), 120);
}

TEST_F(EndpointsTest, NothingOnAPageIsYoungerThanThePage) {
  std::jthread publisher{[this](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const Moment now = current_moment();
      ClusterState state = three_quorate().state();
      state.present->last_word = now.steady;
      (void)apply(state, LocalNodeRead{id(1)}, now);
      publish(std::move(state));
    }
  }};
  for (int i = 0; i < 300; ++i) {
    const PageText text = metrics();
    for (const auto& [series, value] : text.samples) {
      ASSERT_GE(value, 0) << series;
    }
  }
}

TEST_F(EndpointsTest, MetricsAreOfTheProcessTooUnlessItIsTurnedOff) {
  EXPECT_TRUE(metrics().has("process_start_time_seconds"));
  options_.process = false;
  for (const std::string& family : metrics().families) {
    EXPECT_FALSE(family.starts_with("process_")) << family;
  }
}

TEST_F(EndpointsTest, MetricsAreWhereTheUserWantsThem) {
  options_.telemetry_path = "/elsewhere";
  EXPECT_EQ(get("/elsewhere").status, 200);
  for (const web::Route& route : endpoints(options_, facts_, page_)) {
    EXPECT_NE(route.path, "/metrics");
  }
}

std::string header(const web::Response& response, const std::string& name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) {
      return value;
    }
  }
  return "";
}

TEST_F(EndpointsTest, TheFrontPageLinksTheOthersBelowAnyPath) {
  options_.telemetry_path = "/elsewhere";
  const web::Response response = get("/");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.content_type, "text/html; charset=utf-8");
  for (const char* link :
       {"href='./elsewhere'", "href='api/v1/status'", "href='-/healthy'", "href='-/ready'"}) {
    EXPECT_NE(response.body.find(link), std::string::npos) << link;
  }
}

TEST_F(EndpointsTest, TheFrontPageIsOfThisMoment) {
  EXPECT_NE(get("/").body.find(">Unknown</h1>"), std::string::npos);
  publish(three_quorate());
  EXPECT_NE(get("/").body.find(">Quorate</h1>"), std::string::npos);
  EXPECT_EQ(header(get("/"), "Cache-Control"), "no-store");
  EXPECT_EQ(header(get("/"), "Referrer-Policy"), "no-referrer");
}

TEST_F(EndpointsTest, TheFrontPagesPolicyLetsInItsOwnNonceAndNeverTheSame) {
  std::set<std::string> policies;
  for (int i = 0; i < 20; ++i) {
    const web::Response response = get("/");
    const std::string policy = header(response, "Content-Security-Policy");
    const auto begin = policy.find("'nonce-") + std::string{"'nonce-"}.size();
    const std::string nonce = policy.substr(begin, policy.find('\'', begin) - begin);
    EXPECT_EQ(nonce.size(), 32);
    EXPECT_NE(response.body.find("<script nonce=\"" + nonce + "\">"), std::string::npos);
    policies.insert(policy);
  }
  EXPECT_EQ(policies.size(), 20);
}

TEST_F(EndpointsTest, TheStatusIsJsonOfThisMoment) {
  publish(three_quorate());
  const web::Response response = get("/api/v1/status");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.content_type, "application/json");
  EXPECT_EQ(header(response, "Cache-Control"), "no-store");
  for (const char* part : {"\"verdict\":\"quorate\"", "\"generation\":7", "\"corosync_up\":true"}) {
    EXPECT_NE(response.body.find(part), std::string::npos) << part;
  }
}

TEST_F(EndpointsTest, TheStatusSaysWhyNothingIsKnown) {
  publish(three_quorate().disconnect());
  EXPECT_NE(get("/api/v1/status")
                .body.find("\"reason\":\"not connected to corosync: quorum_dispatch: "
                           "CS_ERR_LIBRARY\""),
            std::string::npos);
}

TEST_F(EndpointsTest, HealthyIsAnsweredWhateverCorosyncDoes) {
  EXPECT_EQ(get("/-/healthy").status, 200);
  publish(three_quorate());
  EXPECT_EQ(get("/-/healthy").status, 200);
}

TEST_F(EndpointsTest, ReadyIsAnsweredOnceConnected) {
  EXPECT_EQ(get("/-/ready").status, 503);
  publish(three_quorate());
  EXPECT_EQ(get("/-/ready").status, 200);
  publish(three_quorate().disconnect());
  EXPECT_EQ(get("/-/ready").status, 503);
}

TEST_F(EndpointsTest, NotReadySaysWhy) {
  publish(three_quorate().disconnect());
  EXPECT_EQ(get("/-/ready").body,
            "Not ready: not connected to corosync: quorum_dispatch: CS_ERR_LIBRARY.\n");
}

}  // namespace
}  // namespace corosync_exporter
