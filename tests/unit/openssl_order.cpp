// SPDX-License-Identifier: Apache-2.0
// Tells ThreadSanitizer what OpenSSL's counts of references order: whatever was done with a context
// by who gives it up comes before the last one frees it. It cannot see that itself, as OpenSSL is
// built without it, and from version 3.5 on no lock of OpenSSL's happens to show it either. No more
// is said than that, context by context: who uses a context that is not his is still found out.
//
// Linked into tests that run with ThreadSanitizer, before OpenSSL.
#include <dlfcn.h>
#include <openssl/ssl.h>
#include <sanitizer/tsan_interface.h>

namespace {

// As a count that is let down with release, and whose end is seen with acquire.
void give_up(SSL_CTX* context) {
  if (context != nullptr) {
    __tsan_release(context);
    __tsan_acquire(context);
  }
}

template <typename T>
using Free = void (*)(T*);

}  // namespace

void SSL_CTX_free(SSL_CTX* context) {
  static const auto free = reinterpret_cast<Free<SSL_CTX>>(dlsym(RTLD_NEXT, "SSL_CTX_free"));
  give_up(context);
  free(context);
}

// It gives up its context too.
void SSL_free(SSL* connection) {
  static const auto free = reinterpret_cast<Free<SSL>>(dlsym(RTLD_NEXT, "SSL_free"));
  give_up(connection == nullptr ? nullptr : SSL_get_SSL_CTX(connection));
  free(connection);
}
