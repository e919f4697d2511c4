// SPDX-License-Identifier: Apache-2.0
#include "exposition/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

namespace corosync_exporter {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily family(const std::string& name) {
  const auto families = process_families();
  const auto found = std::ranges::find(families, name, &MetricFamily::name);
  return found == families.end() ? MetricFamily{} : *found;
}

double gauge(const std::string& name) { return family(name).metric.at(0).gauge.value; }

double cpu_seconds() { return family("process_cpu_seconds_total").metric.at(0).counter.value; }

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

TEST(ProcessTest, TheSevenStandardFamiliesAreThereInOrder) {
  std::vector<std::string> names;
  for (const MetricFamily& family : process_families()) {
    names.push_back(family.name);
    EXPECT_FALSE(family.help.empty()) << family.name;
    EXPECT_EQ(family.metric.size(), 1) << family.name;
    EXPECT_EQ(family.type,
              family.name.ends_with("_total") ? MetricType::Counter : MetricType::Gauge)
        << family.name;
  }
  EXPECT_EQ(names, (std::vector<std::string>{
                       "process_cpu_seconds_total", "process_max_fds", "process_open_fds",
                       "process_resident_memory_bytes", "process_start_time_seconds",
                       "process_virtual_memory_bytes", "process_virtual_memory_max_bytes"}));
}

TEST(ProcessTest, CpuTimeGrowsWithWork) {
  const double before = cpu_seconds();
  const double deadline = now() + 10;
  while (cpu_seconds() < before + 0.01 && now() < deadline) {
  }
  EXPECT_GE(cpu_seconds(), before + 0.01);
}

TEST(ProcessTest, AnOpenFileCounts) {
  const double before = gauge("process_open_fds");
  const int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
  EXPECT_EQ(gauge("process_open_fds"), before + 1);
  close(file);
  EXPECT_EQ(gauge("process_open_fds"), before);
}

TEST(ProcessTest, MaximaAreTheSoftLimits) {
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(gauge("process_max_fds"), static_cast<double>(limit.rlim_cur));
  ASSERT_EQ(getrlimit(RLIMIT_AS, &limit), 0);
  EXPECT_EQ(gauge("process_virtual_memory_max_bytes"), static_cast<double>(limit.rlim_cur));
}

TEST(ProcessTest, MemoryIsResidentOnceTouched) {
  constexpr std::size_t bytes = 64 * 1024 * 1024;
  const double virtual_before = gauge("process_virtual_memory_bytes");
  const double resident_before = gauge("process_resident_memory_bytes");
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  EXPECT_GE(gauge("process_virtual_memory_bytes"), virtual_before + bytes);
  EXPECT_LT(gauge("process_resident_memory_bytes"), resident_before + bytes / 2.0);

  std::fill_n(static_cast<char*>(memory), bytes, 'x');
  // The kernel counts residents by the page and by the processor, so not exactly.
  EXPECT_GE(gauge("process_resident_memory_bytes"), resident_before + bytes * 0.9);
  munmap(memory, bytes);
}

TEST(ProcessTest, TheStartLiesInThePastAndNeverMoves) {
  const double start = gauge("process_start_time_seconds");
  EXPECT_LT(start, now());
  EXPECT_GT(start, now() - 3600);
  EXPECT_EQ(gauge("process_start_time_seconds"), start);
}

}  // namespace
}  // namespace corosync_exporter
