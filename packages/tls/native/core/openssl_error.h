#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace iocp::tls {

/// Why OpenSSL refused, in the words of Node. Empty texts are properties that the error does not have.
struct ErrorFacts {
  std::string code;
  std::string message;
  std::string library;
  std::string reason;
};

/// Takes the oldest error of the queue and empties the queue. As `node:crypto` and `tls.createSecureContext` name it:
/// `ERR_SSL_<REASON>` from libssl, `ERR_OSSL_[<LIBRARY>_]<REASON>` from anywhere else.
/// @param otherwise the message when the queue is empty; the code is ERR_CRYPTO_OPERATION_FAILED then
[[nodiscard]] ErrorFacts take_error(const char* otherwise);

/// The same as a connection of `node:tls` names it: `ERR_SSL_<REASON>` whatever library it comes from.
[[nodiscard]] ErrorFacts take_session_error(const char* otherwise);

/// The name of an `X509_V_ERR_*` number, `OK` for X509_V_OK, and `UNSPECIFIED` for those to which Node gives no name.
[[nodiscard]] const char* verification_code(long number) noexcept;

/// What the making of a context throws.
class OpensslFailure final : public std::runtime_error {
 public:
  explicit OpensslFailure(ErrorFacts facts) : std::runtime_error(facts.message), facts_(std::move(facts)) {}
  /// With the oldest error of the queue; `what_failed` is said when there is none.
  explicit OpensslFailure(const char* what_failed) : OpensslFailure(take_error(what_failed)) {}

  [[nodiscard]] const ErrorFacts& facts() const noexcept { return facts_; }

 private:
  ErrorFacts facts_;
};

/// Throws OpensslFailure unless `done`.
inline void require(bool done, const char* what_failed) {
  if (!done) throw OpensslFailure(what_failed);
}

}  // namespace iocp::tls
