// SPDX-License-Identifier: Apache-2.0
#include "web/live_config.h"

#include <csignal>
#include <exception>
#include <utility>

#if COROSYNC_EXPORTER_HAS_TLS
#include "web/tls.h"
#endif

namespace corosync_exporter::web {
namespace {

[[noreturn]] void refuse_tls(const std::filesystem::path& file, Line line,
                             const std::string& reason) {
  throw WebConfigError(file.string() + ":" + std::to_string(line.number) +
                       ": tls_server_config: " + reason);
}

// Something that clients had to show they need not any more.
bool is_weaker(const WebConfig& now, const WebConfig& before) {
  const auto demands_certificate = [](const WebConfig& config) {
    return config.tls && config.tls->client_auth == ClientAuth::require_and_verify;
  };
  const auto demands_issuer = [&](const WebConfig& config) {
    return demands_certificate(config) && !config.tls->client_ca_file.empty();
  };
  const auto demands_name = [&](const WebConfig& config) {
    return demands_certificate(config) && !config.tls->client_allowed_sans.empty();
  };
  return (now.users.empty() && !before.users.empty()) ||
         (!demands_certificate(now) && demands_certificate(before)) ||
         (!demands_issuer(now) && demands_issuer(before)) ||
         (!demands_name(now) && demands_name(before));
}

}  // namespace

#if COROSYNC_EXPORTER_HAS_TLS

void LiveConfig::load_tls(const WebConfig& config) {
  try {
    tls_ = config.tls ? std::make_unique<TlsContext>(*config.tls) : nullptr;
  } catch (const TlsError& error) {
    refuse_tls(*file_, config.tls_line, error.what());
  }
}

bool LiveConfig::reload_tls(const WebConfig& config) {
  try {
    const bool is_new = tls_ && tls_->reload(*config.tls);
    if (is_new) {
      logger_.info("certificates loaded", {{"certificate", config.tls->cert_file}});
    }
    return is_new;
  } catch (const TlsError& error) {
    refuse_tls(*file_, config.tls_line, error.what());
  }
}

ssl_ctx_st* LiveConfig::tls() const { return tls_ ? tls_->get() : nullptr; }

#else

class TlsContext {};

void LiveConfig::load_tls(const WebConfig& config) {
  if (config.tls) {
    refuse_tls(*file_, config.tls_line,
               "this build cannot serve HTTPS: its HTTP library is the system's");
  }
}

bool LiveConfig::reload_tls(const WebConfig& /*config*/) { return false; }

ssl_ctx_st* LiveConfig::tls() const { return nullptr; }

#endif

LiveConfig::LiveConfig(std::optional<std::filesystem::path> file, const Logger& logger,
                       std::chrono::milliseconds interval)
    : file_{std::move(file)}, logger_{logger}, interval_{interval} {
  WebConfig config = file_ ? read_web_config(*file_) : WebConfig{};
  load_tls(config);
  log_remarks(config);
  auto access = std::make_shared<AccessRules>(config);
  rules_ = std::make_shared<const Rules>(
      Rules{.config = std::move(config), .access = std::move(access)});
  if (file_) {
    thread_ = std::jthread{[this](const std::stop_token& stop) { keep_up(stop); }};
  }
}

LiveConfig::~LiveConfig() = default;

std::shared_ptr<const LiveConfig::Rules> LiveConfig::rules() const {
  const std::lock_guard lock{mutex_};
  return rules_;
}

std::optional<LiveConfig::Reloads> LiveConfig::reloads() const {
  const std::lock_guard lock{mutex_};
  return file_ ? std::optional{reloads_} : std::nullopt;
}

void LiveConfig::reread() {
  if (!file_) {
    logger_.info("nothing to reread: there is no --web.config.file");
    return;
  }
  {
    const std::lock_guard lock{mutex_};
    is_asked_ = true;
  }
  asked_.notify_one();
}

void LiveConfig::keep_up(const std::stop_token& stop) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);  // signals are for the main thread
  while (true) {
    std::unique_lock lock{mutex_};
    asked_.wait_for(lock, stop, interval_, [&] { return is_asked_; });
    // Before it looks: what is asked for meanwhile takes another look.
    const bool is_asked = std::exchange(is_asked_, false);
    lock.unlock();
    if (stop.stop_requested()) {
      return;
    }
    look(is_asked ? Cause::demand : Cause::change);
  }
}

void LiveConfig::look(Cause cause) {
  std::string failure;
  try {
    reload(cause);
  } catch (const std::exception& error) {
    failure = error.what();
  }
  const bool is_new = !failure.empty() && failure != failure_;
  if (is_new || (!failure.empty() && cause == Cause::demand)) {
    logger_.error("web configuration not reloaded, the old one stays in force",
                  {{"reason", failure}});
  }
  const std::lock_guard guard{mutex_};
  reloads_.last_succeeded = failure.empty();
  reloads_.failures += is_new ? 1 : 0;
  failure_ = std::move(failure);
}

void LiveConfig::reload(Cause cause) {
  WebConfig fresh = read_web_config(*file_);
  const auto current = rules();
  if (fresh.tls.has_value() != current->config.tls.has_value()) {
    throw WebConfigError(file_->string() + ": to change between HTTP and HTTPS takes a restart");
  }
  if (fresh == current->config) {
    pending_.reset();
    // The files that it names may have changed.
    if (!reload_tls(fresh) && cause == Cause::demand) {
      logger_.info("web configuration reread, nothing has changed", {{"file", file_->string()}});
    }
    return;
  }
  if (pending_ != fresh) {
    pending_ = fresh;
    if (cause == Cause::change) {
      return;
    }
  }
  const bool same_access =
      fresh.users == current->config.users && fresh.rate_limit == current->config.rate_limit;
  auto access =
      same_access ? current->access : std::make_shared<AccessRules>(fresh, current->access.get());
  const bool weaker = is_weaker(fresh, current->config);
  auto rules =
      std::make_shared<const Rules>(Rules{.config = std::move(fresh), .access = std::move(access)});
  reload_tls(rules->config);
  {
    const std::lock_guard lock{mutex_};
    rules_ = rules;
  }
  pending_.reset();
  logger_.info("web configuration reloaded", {{"file", file_->string()}});
  if (weaker) {
    logger_.warn("the web configuration lets in more than before", {{"file", file_->string()}});
  }
  log_remarks(rules->config);
}

void LiveConfig::log_remarks(const WebConfig& config) const {
  for (const std::string& remark : config.remarks) {
    logger_.warn("web configuration", {{"file", file_->string()}, {"remark", remark}});
  }
}

}  // namespace corosync_exporter::web
