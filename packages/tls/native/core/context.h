#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/credentials.h"
#include "core/openssl_handles.h"
#include "core/ticket_keys.h"
#include "core/trust_store.h"

namespace iocp::tls {

enum class DhParameters { None, Auto, Given };

/// What a context is made from: `NativeContextOptions` of `src/engine/native/binding.ts`.
struct ContextOptions {
  std::vector<Bytes> certificates;
  std::vector<SecretSource> keys;
  std::vector<SecretSource> pfx;
  /// None: `roots`.
  std::optional<std::vector<Bytes>> ca;
  std::vector<Bytes> crl;
  std::string cipher_list;
  std::string cipher_suites;
  /// Empty: OpenSSL's own.
  std::string groups;
  /// Empty: OpenSSL's own.
  std::string signature_algorithms;
  int min_version = 0;
  int max_version = 0;
  bool honor_cipher_order = true;
  bool allow_partial_trust_chain = false;
  long session_timeout_seconds = 0;
  Bytes session_id_context;
  /// None: a random one.
  std::vector<Bytes> ticket_keys;
  std::uint64_t secure_options = 0;
  DhParameters dh = DhParameters::None;
  Bytes dh_parameters;
};

/// An SSL_CTX with all that belongs to it. Connections hold it by `shared_ptr` as long as they live: the callbacks of the
/// SSL_CTX find the Context, which the reference that OpenSSL itself counts does not keep. Of one thread.
class Context {
 public:
  /// Throws OpensslFailure, with the code that `tls.createSecureContext` would give.
  [[nodiscard]] static std::shared_ptr<Context> make(const ContextOptions& options, DefaultRoots& roots);

  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  [[nodiscard]] SSL_CTX* get() const noexcept { return ctx_.get(); }
  /// The context that made `ssl`, or that it was `adopt`ed by since.
  [[nodiscard]] static Context& of(const SSL* ssl) noexcept;

  /// Makes a connection that has just read a ClientHello use this context, in everything but the session timeout. The caller keeps
  /// the former context alive too, as OpenSSL goes on using it for what was settled when the SSL was made.
  /// @returns false when out of memory
  [[nodiscard]] bool adopt(SSL* ssl) const noexcept;

  TicketKeys& ticket_keys() noexcept { return ticket_keys_; }
  /// The first certificate, and its issuer as far as it was given; null otherwise.
  [[nodiscard]] X509* certificate() const noexcept { return certificate_.get(); }
  [[nodiscard]] X509* issuer() const noexcept { return issuer_.get(); }

 private:
  Context() = default;

  SslCtxHandle ctx_;
  std::string groups_;
  TicketKeys ticket_keys_;
  X509Handle certificate_;
  X509Handle issuer_;
};

}  // namespace iocp::tls
