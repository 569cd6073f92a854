#pragma once

#include <vector>

#include "core/credentials.h"
#include "core/openssl_handles.h"
#include "core/trust_store.h"

namespace iocp::tls {

/// The certificates that a context shows, and their keys. OpenSSL keeps one pair for each kind of key (RSA, EC, Ed25519 …):
/// another of the same kind takes its place.
class Identity {
 public:
  Identity(SSL_CTX* ctx, const Trust& trust) noexcept : ctx_(ctx), trust_(trust) {}

  // All of these throw OpensslFailure.

  /// A leaf that comes alone is completed from what is trusted.
  void add_chain(CertificateChain chain);
  /// After the certificates.
  void add_key(PkeyHandle key);
  /// Every certificate has its key among the keys, or there is no key at all.
  void check_pairs() const;

  /// The first certificate, and who has issued it as far as that is known; or null.
  [[nodiscard]] X509Handle certificate() const;
  [[nodiscard]] X509Handle issuer() const;

 private:
  SSL_CTX* ctx_;
  const Trust& trust_;
  std::vector<CertificateChain> chains_;
  std::vector<PkeyHandle> keys_;
};

}  // namespace iocp::tls
