// SPDX-License-Identifier: Apache-2.0
#include "exposition/process.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>

#include "exposition/text.h"

namespace corosync_exporter {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

std::optional<double> seconds(clockid_t clock) {
  timespec time{};
  if (clock_gettime(clock, &time) != 0) {
    return std::nullopt;
  }
  using Seconds = std::chrono::duration<double>;
  return Seconds{std::chrono::seconds{time.tv_sec} + std::chrono::nanoseconds{time.tv_nsec}}
      .count();
}

std::optional<double> soft_limit(__rlimit_resource resource) {
  rlimit limit{};
  if (getrlimit(resource, &limit) != 0) {
    return std::nullopt;
  }
  return static_cast<double>(limit.rlim_cur);
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
  const auto since_epoch = seconds(CLOCK_REALTIME);
  const auto since_boot = seconds(CLOCK_BOOTTIME);
  if (!(fields >> ticks) || !since_epoch || !since_boot) {
    return std::nullopt;
  }
  return *since_epoch - *since_boot + ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

struct CloseFile {
  void operator()(std::FILE* file) const noexcept {
    std::fclose(file);  // NOLINT(cppcoreguidelines-owning-memory): from the owner's own hand
  }
};
struct CloseDirectory {
  void operator()(DIR* directory) const noexcept { closedir(directory); }
};

using FilePtr = std::unique_ptr<std::FILE, CloseFile>;
using DirectoryPtr = std::unique_ptr<DIR, CloseDirectory>;

constexpr const char* descriptors_directory = "/proc/self/fd";

// What is had once, for as long as the process lives.
struct Lasting {
  // To open a file of /proc costs several times as much as to read it.
  FilePtr memory{std::fopen("/proc/self/statm", "re")};
  DirectoryPtr descriptors{opendir(descriptors_directory)};
  // Read anew, it would follow each correction of the clock, and a change of it reads as a restart.
  std::optional<double> start_time = read_start_time();
};

struct Memory {
  std::optional<double> virtual_bytes;
  std::optional<double> resident_bytes;
};

Memory read_memory(std::FILE* file) {
  constexpr std::size_t size = 128;  // of seven numbers
  std::array<char, size> pages{};
  if (file == nullptr || pread(fileno(file), pages.data(), pages.size() - 1, 0) <= 0) {
    return {};
  }
  const auto page_bytes = static_cast<double>(sysconf(_SC_PAGESIZE));
  char* rest = pages.data();
  const double virtual_bytes = page_bytes * std::strtod(rest, &rest);
  const double resident_bytes = page_bytes * std::strtod(rest, &rest);
  return {.virtual_bytes = virtual_bytes, .resident_bytes = resident_bytes};
}

std::optional<double> count_descriptors(DIR* directory) {
  struct stat status {};
  if (directory == nullptr || fstat(dirfd(directory), &status) != 0) {
    return std::nullopt;
  }
  if (status.st_size > 0) {
    return static_cast<double>(status.st_size);
  }
  // Before Linux 6.2 the size is 0. A directory of its own makes this safe on any thread.
  const DirectoryPtr entries{opendir(descriptors_directory)};
  if (!entries) {
    return std::nullopt;
  }
  int count = 0;
  while (readdir(entries.get()) != nullptr) {  // NOLINT(concurrency-mt-unsafe): see above
    ++count;
  }
  return count - 3;  // ".", ".." and the directory itself
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
  static const Lasting lasting;
  const Memory memory = read_memory(lasting.memory.get());
  std::vector<MetricFamily> families;
  add(families, "process_cpu_seconds_total", "Total user and system CPU time spent in seconds.",
      Counter, seconds(CLOCK_PROCESS_CPUTIME_ID));
  add(families, "process_max_fds", "Maximum number of open file descriptors.", Gauge,
      soft_limit(RLIMIT_NOFILE));
  add(families, "process_open_fds", "Number of open file descriptors.", Gauge,
      count_descriptors(lasting.descriptors.get()));
  add(families, "process_resident_memory_bytes", "Resident memory size in bytes.", Gauge,
      memory.resident_bytes);
  add(families, "process_start_time_seconds",
      "Start time of the process since unix epoch in seconds.", Gauge, lasting.start_time);
  add(families, "process_virtual_memory_bytes", "Virtual memory size in bytes.", Gauge,
      memory.virtual_bytes);
  add(families, "process_virtual_memory_max_bytes",
      "Maximum amount of virtual memory available in bytes.", Gauge, soft_limit(RLIMIT_AS));
  return families;
}

std::string ProcessText::at(std::chrono::steady_clock::time_point now) {
  constexpr std::chrono::milliseconds lifetime{100};
  const std::lock_guard lock{mutex_};
  if (!read_at_ || now - *read_at_ > lifetime) {
    text_ = text_of(process_families());
    read_at_ = now;
  }
  return text_;
}

}  // namespace corosync_exporter
