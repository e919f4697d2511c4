// SPDX-License-Identifier: Apache-2.0
// The server's side of TLS, as the exporter-toolkit's web configuration wants it, and replaceable
// while the server runs. Knows OpenSSL, and nothing of HTTP.
//
// No session is ever resumed: each handshake shows the client's certificate anew to what is
// configured by then. No renegotiation, no compression; TLS 1.0 and 1.1 only where they are asked
// for.
#pragma once

#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>

#include "web/web_config.h"

struct ssl_ctx_st;
struct ssl_st;

namespace corosync_exporter::web {

// The settings cannot be had. One sentence, which names the setting and its file and says why.
class TlsError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class TlsContext {
 public:
  // Throws TlsError.
  explicit TlsContext(const TlsSettings& settings);
  ~TlsContext();

  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // For the server, which may share it among its threads: the same one whatever is reloaded.
  // Belongs to this, and so do its handshakes: this outlives them.
  [[nodiscard]] ssl_ctx_st* get() const { return base_.get(); }

  // Handshakes that begin after it are held against these settings, and against what their files
  // hold now; those under way end as they began. Where neither has changed since it went well, it
  // only looks at the files' times. True if anything is new.
  //
  // Throws TlsError where they cannot be had, and handshakes go on with what they had. Any thread.
  bool reload(const TlsSettings& settings);

 private:
  using ContextPtr = std::shared_ptr<ssl_ctx_st>;

  static int on_client_hello(ssl_st* connection, int* alert, void* self) noexcept;

  const ContextPtr base_;  // what all handshakes begin with

  std::mutex reloading_;  // one reload at a time
  TlsSettings loaded_;
  std::string loaded_files_;  // what tells them from their successors

  std::mutex mutex_;
  ContextPtr newest_;  // what they go on with
};

}  // namespace corosync_exporter::web
