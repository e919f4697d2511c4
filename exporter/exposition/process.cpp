// SPDX-License-Identifier: Apache-2.0
#include "exposition/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>

namespace corosync_exporter {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

// What a file of /proc holds; empty if it cannot be read.
std::string read(const char* path) {
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    return {};
  }
  std::array<char, 1024> buffer{};  // /proc/self/stat has some 350 bytes
  const auto length = ::read(file, buffer.data(), buffer.size());
  ::close(file);
  return length < 0 ? std::string{} : std::string(buffer.data(), static_cast<std::size_t>(length));
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

std::optional<double> seconds(clockid_t clock) {
  timespec time{};
  if (clock_gettime(clock, &time) != 0) {
    return std::nullopt;
  }
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

std::optional<double> cpu_seconds() {
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) {
    return std::nullopt;
  }
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::optional<double> soft_limit(__rlimit_resource resource) {
  rlimit limit{};
  if (getrlimit(resource, &limit) != 0) {
    return std::nullopt;
  }
  return static_cast<double>(limit.rlim_cur);
}

struct CloseDirectory {
  void operator()(DIR* directory) const noexcept { closedir(directory); }
};

std::optional<double> open_descriptors() {
  constexpr const char* path = "/proc/self/fd";
  // Since Linux 6.2 the directory's size is their number, had ten times cheaper; before, it is 0.
  struct stat status {};
  if (::stat(path, &status) == 0 && status.st_size > 0) {
    return static_cast<double>(status.st_size);
  }
  const std::unique_ptr<DIR, CloseDirectory> directory{opendir(path)};
  if (!directory) {
    return std::nullopt;
  }
  int entries = 0;
  while (readdir(directory.get()) != nullptr) {
    ++entries;
  }
  return entries - 3;  // ".", ".." and the directory itself
}

struct Memory {
  std::optional<double> virtual_bytes;
  std::optional<double> resident_bytes;
};

Memory memory() {
  std::istringstream pages{read("/proc/self/statm")};
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
  // proc(5): the 22nd field, in clock ticks since boot. The 2nd, a name in parentheses, may hold
  // anything.
  const std::string stat = read("/proc/self/stat");
  const auto name_end = stat.rfind(')');
  if (name_end == std::string::npos) {
    return std::nullopt;
  }
  std::istringstream fields{stat.substr(name_end + 1)};
  std::string skipped;
  for (int field = 3; field < 22; ++field) {
    fields >> skipped;
  }
  double ticks = 0;
  const auto since_epoch = seconds(CLOCK_REALTIME);
  const auto since_boot = seconds(CLOCK_BOOTTIME);
  if (!(fields >> ticks) || !since_epoch || !since_boot) {
    return std::nullopt;
  }
  return *since_epoch - *since_boot + ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
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
