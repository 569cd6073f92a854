#include "core/trust_store.h"

#include <openssl/err.h>

#include <utility>

#include "core/credentials.h"
#include "core/openssl_error.h"

namespace iocp::tls {

void DefaultRoots::set(std::vector<std::string> pem) {
  pem_ = std::move(pem);
  certificates_.clear();
  store_.reset();
}

X509StoreHandle DefaultRoots::store() {
  if (store_ == nullptr) store_ = copy();
  return share(store_.get());
}

X509StoreHandle DefaultRoots::copy() {
  parse();
  X509StoreHandle store(X509_STORE_new());
  require(store != nullptr, "X509_STORE_new");
  for (const X509Handle& certificate : certificates_) {
    require(X509_STORE_add_cert(store.get(), certificate.get()) == 1, "X509_STORE_add_cert");
  }
  return store;
}

void DefaultRoots::parse() {
  if (pem_.empty()) return;
  std::vector<X509Handle> parsed;
  for (const std::string& text : pem_) {
    for (X509Handle& certificate : read_certificates(bytes_of(text)))
      parsed.push_back(std::move(certificate));
  }
  certificates_ = std::move(parsed);
  pem_.clear();
}

X509Handle find_issuer(X509_STORE* trusted, X509* certificate) {
  const X509StoreCtxHandle search(X509_STORE_CTX_new());
  require(search != nullptr, "X509_STORE_CTX_new");
  require(X509_STORE_CTX_init(search.get(), trusted, nullptr, nullptr) == 1, "X509_STORE_CTX_init");
  X509* issuer = nullptr;
  X509_STORE_CTX_get1_issuer(&issuer, search.get(), certificate);
  ERR_clear_error();
  return X509Handle(issuer);
}

void Trust::add_default_roots() {
  SSL_CTX_set_cert_store(ctx_, roots_.store().release());
  shared_ = true;
}

void Trust::add(const std::vector<X509Handle>& certificates) {
  for (const X509Handle& certificate : certificates) {
    require(X509_STORE_add_cert(own_store(), certificate.get()) == 1, "X509_STORE_add_cert");
    require(SSL_CTX_add_client_CA(ctx_, certificate.get()) == 1, "SSL_CTX_add_client_CA");
  }
}

void Trust::add_crls(const std::vector<X509CrlHandle>& crls) {
  for (const X509CrlHandle& crl : crls) {
    require(X509_STORE_add_crl(own_store(), crl.get()) == 1, "X509_STORE_add_crl");
  }
  set_flags(X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
}

void Trust::allow_partial_chains() { set_flags(X509_V_FLAG_PARTIAL_CHAIN); }

X509Handle Trust::find_issuer(X509* certificate) const {
  return tls::find_issuer(SSL_CTX_get_cert_store(ctx_), certificate);
}

X509_STORE* Trust::own_store() {
  if (shared_) {
    SSL_CTX_set_cert_store(ctx_, roots_.copy().release());
    shared_ = false;
  }
  return SSL_CTX_get_cert_store(ctx_);
}

void Trust::set_flags(unsigned long flags) {
  require(X509_STORE_set_flags(own_store(), flags) == 1, "X509_STORE_set_flags");
}

}  // namespace iocp::tls
