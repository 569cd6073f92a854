#pragma once

#include <openssl/bio.h>
#include <openssl/dh.h>
#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>

namespace iocp::tls {

/// Owners of what OpenSSL gives out. None of them copies; `share` takes another reference where OpenSSL counts them.
template <auto release>
struct Release {
  template <typename T>
  void operator()(T* object) const noexcept {
    release(object);
  }
};

template <typename T, auto release>
using Handle = std::unique_ptr<T, Release<release>>;

struct ReleaseCertificates {
  void operator()(STACK_OF(X509) * stack) const noexcept { sk_X509_pop_free(stack, X509_free); }
};

struct ReleaseBytes {
  void operator()(void* bytes) const noexcept { OPENSSL_free(bytes); }
};

using SslCtxHandle = Handle<SSL_CTX, SSL_CTX_free>;
using SslHandle = Handle<SSL, SSL_free>;
using SslSessionHandle = Handle<SSL_SESSION, SSL_SESSION_free>;
using BioHandle = Handle<BIO, BIO_free_all>;
using BioMethodHandle = Handle<BIO_METHOD, BIO_meth_free>;
using CipherCtxHandle = Handle<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;
using X509Handle = Handle<X509, X509_free>;
using X509CrlHandle = Handle<X509_CRL, X509_CRL_free>;
using X509StoreHandle = Handle<X509_STORE, X509_STORE_free>;
using X509StoreCtxHandle = Handle<X509_STORE_CTX, X509_STORE_CTX_free>;
using X509StackHandle = std::unique_ptr<STACK_OF(X509), ReleaseCertificates>;
using PkeyHandle = Handle<EVP_PKEY, EVP_PKEY_free>;
using Pkcs12Handle = Handle<PKCS12, PKCS12_free>;
/// Memory that OpenSSL allocated, for example the result of an `i2d_` function.
using OpensslBytes = std::unique_ptr<unsigned char, ReleaseBytes>;

[[nodiscard]] inline X509Handle share(X509* certificate) noexcept {
  if (certificate != nullptr) X509_up_ref(certificate);
  return X509Handle(certificate);
}

[[nodiscard]] inline X509StoreHandle share(X509_STORE* store) noexcept {
  if (store != nullptr) X509_STORE_up_ref(store);
  return X509StoreHandle(store);
}

}  // namespace iocp::tls
