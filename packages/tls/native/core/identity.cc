#include "core/identity.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <utility>

#include "core/openssl_error.h"

namespace iocp::tls {

void Identity::add_chain(CertificateChain chain) {
  require(SSL_CTX_use_certificate(ctx_, chain.leaf.get()) == 1, "SSL_CTX_use_certificate");
  if (chain.others.empty()) {
    // Without its root, which the peer has or does not trust; a chain that ends early is the peer's to judge.
    constexpr int flags =
        SSL_BUILD_CHAIN_FLAG_NO_ROOT | SSL_BUILD_CHAIN_FLAG_IGNORE_ERROR | SSL_BUILD_CHAIN_FLAG_CLEAR_ERROR;
    require(SSL_CTX_build_cert_chain(ctx_, flags) > 0, "SSL_CTX_build_cert_chain");
  }
  for (const X509Handle& other : chain.others) {
    require(SSL_CTX_add1_chain_cert(ctx_, other.get()) == 1, "SSL_CTX_add1_chain_cert");
  }
  chains_.push_back(std::move(chain));
}

void Identity::add_key(PkeyHandle key) {
  require(SSL_CTX_use_PrivateKey(ctx_, key.get()) == 1, "SSL_CTX_use_PrivateKey");
  keys_.push_back(std::move(key));
}

void Identity::check_pairs() const {
  // OpenSSL has compared those of one kind. It lets an RSA certificate pass whose only key is an EC key.
  if (keys_.empty()) return;
  for (const CertificateChain& chain : chains_) {
    const bool paired = std::any_of(keys_.begin(), keys_.end(), [&chain](const PkeyHandle& key) {
      return X509_check_private_key(chain.leaf.get(), key.get()) == 1;
    });
    require(paired, "X509_check_private_key");
    ERR_clear_error();
  }
}

X509Handle Identity::certificate() const {
  return chains_.empty() ? nullptr : share(chains_.front().leaf.get());
}

X509Handle Identity::issuer() const {
  if (chains_.empty()) return nullptr;
  const CertificateChain& chain = chains_.front();
  for (const X509Handle& other : chain.others) {
    if (X509_check_issued(other.get(), chain.leaf.get()) == X509_V_OK) return share(other.get());
  }
  return trust_.find_issuer(chain.leaf.get());
}

}  // namespace iocp::tls
