// SPDX-License-Identifier: Apache-2.0
// --web.config.file in force: read at the start, and again whenever it or a file that it names has
// changed, or somebody asks for it, by a thread of its own, so that no client waits for a disk.
//
// What is wrong with the file later leaves in force what was, and is logged and counted once. A
// change comes into force when two looks have read the same: a file that is just being written may
// pass for one that asks for less. Who asks has finished writing: one look is enough then, and what
// came of it is logged each time.
//
// Threads: any may ask.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "log.h"
#include "web/access.h"
#include "web/web_config.h"

struct ssl_ctx_st;

namespace corosync_exporter::web {

class TlsContext;

class LiveConfig {
 public:
  // What one version of the file asks for.
  struct Rules {
    WebConfig config;
    std::shared_ptr<AccessRules> access;  // the same for as long as they say the same
  };
  struct Reloads {
    bool last_succeeded = true;
    std::uint64_t failures = 0;
  };

  // Without a file: plain HTTP, and everybody is let in. With one, throws WebConfigError.
  // REQUIRES: the logger outlives it.
  LiveConfig(std::optional<std::filesystem::path> file, const Logger& logger,
             std::chrono::milliseconds interval = std::chrono::seconds{1});
  ~LiveConfig();
  LiveConfig(const LiveConfig&) = delete;
  LiveConfig& operator=(const LiveConfig&) = delete;

  [[nodiscard]] std::shared_ptr<const Rules> rules() const;

  // Null for plain HTTP. The same for as long as this lives, whatever is reloaded.
  [[nodiscard]] ssl_ctx_st* tls() const;

  // None without a file.
  [[nodiscard]] std::optional<Reloads> reloads() const;

  // Has it read now, and taken over at once. Does not wait for it. Without a file there is nothing
  // to read, which is logged.
  void reread();

 private:
  enum class Cause { change, demand };  // of a look at the file

  void keep_up(const std::stop_token& stop);
  void look(Cause cause);
  void reload(Cause cause);
  void load_tls(const WebConfig& config);
  bool reload_tls(const WebConfig& config);  // whether anything is new
  void log_remarks(const WebConfig& config) const;

  const std::optional<std::filesystem::path> file_;
  const Logger& logger_;
  const std::chrono::milliseconds interval_;
  std::unique_ptr<TlsContext> tls_;

  // The thread's own
  std::string failure_;               // of the last reload; empty: none
  std::optional<WebConfig> pending_;  // seen once: in force when it is seen again

  mutable std::mutex mutex_;  // of the three below
  std::shared_ptr<const Rules> rules_;
  Reloads reloads_;
  bool is_asked_ = false;

  std::condition_variable_any asked_;
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace corosync_exporter::web
