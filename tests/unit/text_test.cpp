// SPDX-License-Identifier: Apache-2.0
#include "exposition/text.h"

#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace corosync_exporter {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Limits = std::numeric_limits<double>;

MetricFamily family_of(MetricType type, const std::vector<double>& values,
                       const std::vector<ClientMetric::Label>& labels = {}) {
  MetricFamily family{.name = "some_name", .help = "Some help.", .type = type, .metric = {}};
  for (const double value : values) {
    ClientMetric metric;
    metric.label = labels;
    (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
    family.metric.push_back(metric);
  }
  return family;
}

void expect_same_as_prometheus(const std::vector<MetricFamily>& families) {
  EXPECT_EQ(text_of(families), prometheus::TextSerializer{}.Serialize(families));
}

TEST(TextTest, NumbersAreWrittenAsPrometheusCppWritesThem) {
  const std::vector<double> values{0,
                                   -0.0,
                                   1,
                                   -1,
                                   0.1,
                                   1.0 / 3,
                                   1e-5,
                                   0.0001,
                                   123456789.5,
                                   1795418375.755072,
                                   1e14,
                                   1e15,
                                   1e16,
                                   1e17,
                                   -1e15,
                                   999999999999999,
                                   9007199254740992.0,
                                   1.5e300,
                                   5e-324,
                                   -2.5e-7,
                                   Limits::max(),
                                   Limits::min(),
                                   Limits::infinity(),
                                   -Limits::infinity(),
                                   Limits::quiet_NaN()};
  expect_same_as_prometheus(
      {family_of(MetricType::Gauge, values), family_of(MetricType::Counter, values)});
}

TEST(TextTest, RandomNumbersAreWrittenAsPrometheusCppWritesThem) {
  std::mt19937_64 random{1};  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same each time
  std::uniform_real_distribution<double> mantissa{-10, 10};
  std::uniform_int_distribution<int> exponent{-20, 20};
  std::vector<double> values;
  for (int i = 0; i < 10'000; ++i) {
    values.push_back(mantissa(random) * std::pow(10, exponent(random)));
    values.push_back(std::round(values.back()));
  }
  expect_same_as_prometheus({family_of(MetricType::Gauge, values)});
}

TEST(TextTest, LabelsAreEscapedAsPrometheusCppDoes) {
  expect_same_as_prometheus(
      {family_of(MetricType::Gauge, {1}, {{"plain", "node1"}}),
       family_of(MetricType::Counter, {2, 3}, {{"one", "a\"b\\c\nd"}, {"empty", ""}})});
}

TEST(TextTest, FamiliesWithoutHelpOrSeriesAreWrittenAsPrometheusCppWritesThem) {
  MetricFamily bare = family_of(MetricType::Gauge, {1});
  bare.help.clear();
  expect_same_as_prometheus({bare, family_of(MetricType::Counter, {})});
  EXPECT_EQ(text_of({}), "");
}

}  // namespace
}  // namespace corosync_exporter
