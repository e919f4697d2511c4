// SPDX-License-Identifier: Apache-2.0
// Whole pages, byte by byte. With UPDATE_GOLDEN=1 in the environment they are written anew instead,
// for git to show what changed.

#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <ostream>
#include <string>

#include "exposition/page.h"
#include "exposition/process.h"
#include "golden.h"
#include "page_text.h"
#include "print_model.h"
#include "stories.h"

namespace corosync_exporter {
namespace {

using namespace std::chrono_literals;

// ---- The pages ---------------------------------------------------------------------------------

struct GoldenCase {
  std::string name;
  Story story;
  Self self{};
};
void PrintTo(const GoldenCase& row, std::ostream* out) { *out << row.name; }

Self serving(std::optional<Duration> call_in_flight = std::nullopt) {
  return {.call_in_flight = call_in_flight, .http_answers = {{200, 41}, {404, 2}}};
}

// With a web configuration that could not be reloaded.
Self serving_as_configured() {
  Self self = serving();
  self.web_config = {.last_reload_succeeded = false, .reload_failures = 3};
  return self;
}

// The real ones, but for their values.
std::vector<prometheus::MetricFamily> process() {
  auto families = process_families();
  for (auto& family : families) {
    for (auto& metric : family.metric) {
      metric.gauge.value = 0;
      metric.counter.value = 0;
    }
  }
  return families;
}

std::string page(const GoldenCase& row) {
  return Page{{.version = "1.2.3", .revision = "abc1234"}}.text(
      std::make_shared<const ClusterState>(row.story.state()), row.story.now().steady, row.self,
      prometheus::TextSerializer{}.Serialize(process()));
}

class GoldenPageTest : public ::testing::TestWithParam<GoldenCase> {};

TEST_P(GoldenPageTest, IsTheSameToTheByte) {
  expect_golden(page(GetParam()), GetParam().name + ".prom");
}

TEST_P(GoldenPageTest, IsOfTheFormat) {
  EXPECT_EQ(read_page(page(GetParam())).faults, std::vector<std::string>{});
}

INSTANTIATE_TEST_SUITE_P(
    Pages, GoldenPageTest,
    ::testing::Values(GoldenCase{"never_connected", never_connected(), serving()},
                      GoldenCase{"quorate", quorate(), serving()},
                      GoldenCase{"links_and_totem", links_and_totem(), serving_as_configured()},
                      GoldenCase{"not_quorate", not_quorate(), serving()},
                      GoldenCase{"sync_in_progress", sync_in_progress(), serving(1990ms)},
                      GoldenCase{"no_provider", no_provider(), serving()},
                      GoldenCase{"qdevice", qdevice(), serving()},
                      GoldenCase{"waiting_for_all", waiting_for_all(), serving()},
                      GoldenCase{"stale", stale(), serving(18750ms)},
                      GoldenCase{"busy", busy(20s), serving()},
                      GoldenCase{"disconnected", disconnected(), serving()},
                      GoldenCase{"failed_reading", failed_reading(), serving()},
                      GoldenCase{"hostile_names", hostile_names(), serving()}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace corosync_exporter
