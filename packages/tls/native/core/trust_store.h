#pragma once

#include <string>
#include <vector>

#include "core/openssl_handles.h"

namespace iocp::tls {

/// The certificates that are trusted when no others are given. Parsed when first needed; one store serves all contexts.
class DefaultRoots {
 public:
  /// PEM; replaces what was given before, for contexts made from then on.
  void set(std::vector<std::string> pem);

  /// Shared: must not be changed.
  [[nodiscard]] X509StoreHandle store();
  /// A store of the caller's own with the same certificates.
  [[nodiscard]] X509StoreHandle copy();

 private:
  void parse();

  std::vector<std::string> pem_;
  std::vector<X509Handle> certificates_;
  X509StoreHandle store_;
};

/// Who among these has issued `certificate`, or null. Throws OpensslFailure when out of memory.
[[nodiscard]] X509Handle find_issuer(X509_STORE* trusted, X509* certificate);

/// Whom a context trusts: nobody at first. The default roots stay shared until something is added to them.
class Trust {
 public:
  Trust(SSL_CTX* ctx, DefaultRoots& roots) noexcept : ctx_(ctx), roots_(roots) {}

  // All of these throw OpensslFailure.

  void add_default_roots();
  /// They are also named to clients that are asked for a certificate.
  void add(const std::vector<X509Handle>& certificates);
  /// From then on every certificate of a chain needs a list that covers it.
  void add_crls(const std::vector<X509CrlHandle>& crls);
  /// A trusted certificate is the end of a chain, whether it is a root or not.
  void allow_partial_chains();

  /// Who has issued `certificate`, or null.
  [[nodiscard]] X509Handle find_issuer(X509* certificate) const;

 private:
  X509_STORE* own_store();
  void set_flags(unsigned long flags);

  SSL_CTX* ctx_;
  DefaultRoots& roots_;
  bool shared_ = false;
};

}  // namespace iocp::tls
