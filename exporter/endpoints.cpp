// SPDX-License-Identifier: Apache-2.0
#include "endpoints.h"

#include <chrono>
#include <random>
#include <string_view>
#include <utility>

#include "clock.h"
#include "exposition/process.h"
#include "status/json.h"
#include "status/page.h"
#include "status/status.h"
#include "status/words.h"
#include "version.h"

namespace corosync_exporter {
namespace {

constexpr int service_unavailable = 503;
constexpr const char* exposition_type = "text/plain; version=0.0.4; charset=utf-8";

web::Response metrics(const Facts& facts, Page& page, ProcessText* process) {
  // The facts first, then the time: nothing on the page is younger than its moment.
  const auto newest = facts.newest.read();
  const std::shared_ptr<const ClusterState> state{newest, &newest->state};  // keeps all of it
  const auto waiting_since = facts.waiting_since();
  const SteadyTime now = current_moment().steady;
  Self self{.call_in_flight = waiting_since ? std::optional{now - *waiting_since} : std::nullopt,
            .http_answers = facts.requests.answered()};
  if (const auto reloads = facts.web_config.reloads()) {
    self.web_config = {.last_reload_succeeded = reloads->last_succeeded,
                       .reload_failures = reloads->failures};
  }
  return {
      .content_type = exposition_type,
      .body = page.text(state, now, self, process != nullptr ? process->at(now) : std::string{})};
}

web::Response ready(const Facts& facts) {
  const auto newest = facts.newest.read();
  const std::string reason = why_not_up(newest->state, current_moment().steady);
  if (reason.empty()) {
    return {.body = "Ready: connected to corosync.\n"};
  }
  return {.status = service_unavailable, .body = "Not ready: " + reason + ".\n"};
}

// `now` is asked after the snapshot is taken: nothing in it is younger than its moment.
Status status_now(const Facts& facts) {
  const auto newest = facts.newest.read();
  return status_of(*newest, current_moment());
}

web::Response status(const Facts& facts) {
  return {.content_type = "application/json",
          .body = status_json(status_now(facts), version(), revision()),
          .headers = {{"Cache-Control", "no-store"}}};
}

// Unguessable, and never the same twice.
std::string fresh_nonce() {
  constexpr std::string_view digits = "0123456789abcdef";
  constexpr int length = 32;
  std::random_device random;
  std::uniform_int_distribution<std::size_t> digit{0, digits.size() - 1};
  std::string nonce;
  for (int i = 0; i < length; ++i) {
    nonce += digits[digit(random)];
  }
  return nonce;
}

web::Response front_page(const Facts& facts, const std::string& telemetry_path) {
  const PageFrame frame{
      .nonce = fresh_nonce(), .version = std::string{version()}, .metrics_path = telemetry_path};
  return {.content_type = "text/html; charset=utf-8",
          .body = status_page(status_now(facts), frame),
          .headers = {{"Cache-Control", "no-store"},
                      {"Content-Security-Policy", content_security_policy(frame.nonce)},
                      {"Referrer-Policy", "no-referrer"}}};
}

}  // namespace

std::vector<web::Route> endpoints(const Options& options, const Facts& facts,
                                  std::shared_ptr<Page> page) {
  const auto process = options.process ? std::make_shared<ProcessText>() : nullptr;
  return {
      {.path = options.telemetry_path,
       .handler = [&facts, page = std::move(page),
                   process] { return metrics(facts, *page, process.get()); }},
      {.path = "/",
       .handler = [&facts, path = options.telemetry_path] { return front_page(facts, path); }},
      {.path = "/api/v1/status", .handler = [&facts] { return status(facts); }},
      {.path = "/-/healthy", .handler = [] { return web::Response{.body = "Healthy.\n"}; }},
      {.path = "/-/ready", .handler = [&facts] { return ready(facts); }},
  };
}

}  // namespace corosync_exporter
