#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/openssl_handles.h"

namespace iocp::tls {

/// Borrowed: valid while the caller's own is.
using Bytes = std::span<const std::uint8_t>;

[[nodiscard]] inline Bytes bytes_of(const std::string& text) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// A private key in PEM, or a PKCS #12 bundle, with the passphrase it is encrypted with; empty when it is not.
struct SecretSource {
  Bytes bytes;
  std::string passphrase;
};

/// A certificate, and those between it and a root, as far as they were given with it.
struct CertificateChain {
  X509Handle leaf;
  std::vector<X509Handle> others;
};

struct Pkcs12Contents {
  PkeyHandle key;
  CertificateChain chain;
};

// All of these throw OpensslFailure, also when the text holds nothing of the kind.

/// PEM, one or more.
[[nodiscard]] std::vector<X509Handle> read_certificates(Bytes pem);
/// PEM, the leaf first.
[[nodiscard]] CertificateChain read_chain(Bytes pem);
/// PEM, one or more.
[[nodiscard]] std::vector<X509CrlHandle> read_crls(Bytes pem);
/// PEM: PKCS #8 or the older forms, encrypted or not.
[[nodiscard]] PkeyHandle read_private_key(const SecretSource& source);
/// DER with a key and its certificate.
[[nodiscard]] Pkcs12Contents read_pkcs12(const SecretSource& source);
/// PEM.
[[nodiscard]] PkeyHandle read_dh_parameters(Bytes pem);

}  // namespace iocp::tls
