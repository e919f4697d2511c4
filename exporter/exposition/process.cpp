// SPDX-License-Identifier: Apache-2.0
#include "exposition/process.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>

namespace corosync_exporter {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;
using Seconds = std::chrono::duration<double>;

std::optional<Seconds> read_clock(clockid_t clock) {
  timespec time{};
  if (clock_gettime(clock, &time) != 0) {
    return std::nullopt;
  }
  return std::chrono::seconds{time.tv_sec} + std::chrono::nanoseconds{time.tv_nsec};
}

std::optional<double> cpu_seconds() {
  const auto used = read_clock(CLOCK_PROCESS_CPUTIME_ID);
  return used ? std::optional{used->count()} : std::nullopt;
}

std::optional<double> soft_limit(__rlimit_resource resource) {
  rlimit limit{};
  if (getrlimit(resource, &limit) != 0) {
    return std::nullopt;
  }
  return static_cast<double>(limit.rlim_cur);
}

std::optional<double> open_descriptors() {
  constexpr const char* directory = "/proc/self/fd";
  // Since Linux 6.2 the directory's size is their number, had ten times cheaper; before, it is 0.
  struct stat status {};
  if (::stat(directory, &status) == 0 && status.st_size > 0) {
    return static_cast<double>(status.st_size);
  }
  std::error_code failure;
  const std::filesystem::directory_iterator entries{directory, failure};
  if (failure) {
    return std::nullopt;
  }
  return static_cast<double>(std::distance(begin(entries), end(entries)) - 1);  // without itself
}

struct Memory {
  std::optional<double> virtual_bytes;
  std::optional<double> resident_bytes;
};

Memory memory() {
  std::ifstream pages{"/proc/self/statm"};
  double virtual_pages = 0;
  double resident_pages = 0;
  if (!(pages >> virtual_pages >> resident_pages)) {
    return {};
  }
  const auto page_bytes = static_cast<double>(sysconf(_SC_PAGESIZE));
  return {.virtual_bytes = virtual_pages * page_bytes,
          .resident_bytes = resident_pages * page_bytes};
}

std::optional<double> read_start_time() {
  // proc(5): the 22nd field, in clock ticks since boot. The second is a name in parentheses that
  // may hold anything, so the fields are counted from the last parenthesis.
  constexpr int ticks_field = 22;
  std::ifstream file{"/proc/self/stat"};
  const std::string text{std::istreambuf_iterator<char>{file}, {}};
  std::istringstream fields{text.substr(text.rfind(')') + 1)};
  std::string skipped;
  for (int field = 3; field < ticks_field; ++field) {
    fields >> skipped;
  }
  double ticks = 0;
  const auto since_epoch = read_clock(CLOCK_REALTIME);
  const auto since_boot = read_clock(CLOCK_BOOTTIME);
  if (!(fields >> ticks) || !since_epoch || !since_boot) {
    return std::nullopt;
  }
  const Seconds from_boot_to_start{ticks / static_cast<double>(sysconf(_SC_CLK_TCK))};
  return (*since_epoch - *since_boot + from_boot_to_start).count();
}

// Read once: it would follow each correction of the clock, and a change of it reads as a restart.
std::optional<double> start_time() {
  static const std::optional<double> time = read_start_time();
  return time;
}

void add(std::vector<MetricFamily>& families, const char* name, const char* help, MetricType type,
         std::optional<double> value) {
  if (!value) {
    return;
  }
  prometheus::ClientMetric metric;
  (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = *value;
  families.push_back({.name = name, .help = help, .type = type, .metric = {std::move(metric)}});
}

}  // namespace

std::vector<MetricFamily> process_families() {
  using enum MetricType;
  const Memory now = memory();
  std::vector<MetricFamily> families;
  add(families, "process_cpu_seconds_total", "Total user and system CPU time spent in seconds.",
      Counter, cpu_seconds());
  add(families, "process_max_fds", "Maximum number of open file descriptors.", Gauge,
      soft_limit(RLIMIT_NOFILE));
  add(families, "process_open_fds", "Number of open file descriptors.", Gauge, open_descriptors());
  add(families, "process_resident_memory_bytes", "Resident memory size in bytes.", Gauge,
      now.resident_bytes);
  add(families, "process_start_time_seconds",
      "Start time of the process since unix epoch in seconds.", Gauge, start_time());
  add(families, "process_virtual_memory_bytes", "Virtual memory size in bytes.", Gauge,
      now.virtual_bytes);
  add(families, "process_virtual_memory_max_bytes",
      "Maximum amount of virtual memory available in bytes.", Gauge, soft_limit(RLIMIT_AS));
  return families;
}

}  // namespace corosync_exporter
