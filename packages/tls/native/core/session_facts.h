#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/credentials.h"

namespace iocp::tls {

using OwnBytes = std::vector<std::uint8_t>;

struct CipherFacts {
  std::string name;
  std::string standard_name;
  std::string version;
};

struct VerificationFacts {
  long number = 0;
  std::string code;
  std::string message;
};

struct EphemeralKeyFacts {
  std::string type;
  /// Empty: it has none.
  std::string name;
  int bits = 0;
};

/// What is known of a connection whose handshake is done, as it was when this was made: `NativeSession` of
/// `src/engine/native/binding.ts`. Cheap to make, as it mostly takes references; what they say is worked out when it is asked
/// for, also when the SSL is gone. Made of nothing, it knows nothing. Empty bytes and texts are things that there are not.
class SessionFacts {
 public:
  SessionFacts() = default;
  explicit SessionFacts(SSL* ssl);

  /// Null: none.
  [[nodiscard]] const char* protocol() const noexcept { return protocol_; }
  [[nodiscard]] std::optional<CipherFacts> cipher() const;
  [[nodiscard]] const std::string& alpn_protocol() const noexcept { return alpn_protocol_; }
  [[nodiscard]] const std::string& servername() const noexcept { return servername_; }
  [[nodiscard]] bool session_reused() const noexcept { return session_reused_; }
  /// Nothing when the peer has shown no certificate.
  [[nodiscard]] std::optional<VerificationFacts> verification() const;
  /// The peer's, in DER, each followed by who issued it: of what the peer has sent, and then of what we trust, to the root or as
  /// far as it is known.
  [[nodiscard]] std::vector<OwnBytes> peer_certificates() const;
  /// Whether the peer's certificate is for this host name or address: by its subject alternative names alone, and with a `*` in
  /// place of a whole first label only. `tls.checkServerIdentity` accepts all of these, and some more.
  [[nodiscard]] bool peer_is(const std::string& host, bool is_address) const noexcept;
  /// Ours, that the peer was shown, in DER.
  [[nodiscard]] OwnBytes certificate() const;
  /// In DER.
  [[nodiscard]] OwnBytes session() const;
  [[nodiscard]] OwnBytes ticket() const;
  /// Client: what the server has brought to the key exchange, if it is of a kind that Node has a name for.
  [[nodiscard]] std::optional<EphemeralKeyFacts> ephemeral_key() const;
  [[nodiscard]] std::vector<std::string> shared_signature_algorithms() const;
  [[nodiscard]] const OwnBytes& finished() const noexcept { return finished_; }
  [[nodiscard]] const OwnBytes& peer_finished() const noexcept { return peer_finished_; }
  /// Client: in DER.
  [[nodiscard]] const OwnBytes& ocsp_response() const noexcept { return ocsp_response_; }

 private:
  [[nodiscard]] X509Handle find_issuer(X509* certificate) const;

  X509StoreHandle trusted_;
  const char* protocol_ = nullptr;
  const SSL_CIPHER* cipher_ = nullptr;
  std::string alpn_protocol_;
  std::string servername_;
  bool session_reused_ = false;
  long verify_result_ = X509_V_OK;
  X509Handle peer_;
  X509StackHandle sent_;
  X509Handle certificate_;
  SslSessionHandle session_;
  PkeyHandle ephemeral_key_;
  /// Kind of key and hash, as numbers of OpenSSL's.
  std::vector<std::pair<int, int>> signature_algorithms_;
  OwnBytes finished_;
  OwnBytes peer_finished_;
  OwnBytes ocsp_response_;
};

/// RFC 5705, RFC 8446 section 7.5. Nothing when OpenSSL refuses; its error queue says why.
[[nodiscard]] std::optional<OwnBytes> export_keying_material(SSL* ssl, std::size_t length,
                                                             const std::string& label,
                                                             const std::optional<Bytes>& context);

}  // namespace iocp::tls
