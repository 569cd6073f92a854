#include "core/session_facts.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include <array>

#include "core/openssl_error.h"
#include "core/trust_store.h"

namespace iocp::tls {

namespace {

/// A chain that is longer leads in circles.
constexpr std::size_t kChainLengthMax = 100;

std::string text_or_empty(const char* text) { return text == nullptr ? std::string() : std::string(text); }

/// @param encode an `i2d_` function
template <typename Object>
OwnBytes encode(int (*encode)(const Object*, unsigned char**), const Object* object) {
  unsigned char* der = nullptr;
  const int size = object == nullptr ? 0 : encode(object, &der);
  const OpensslBytes owned(der);
  return size > 0 ? OwnBytes(der, der + size) : OwnBytes();
}

bool has_issued(X509* issuer, X509* certificate) noexcept {
  return X509_check_issued(issuer, certificate) == X509_V_OK;
}

const char* signature_name(int kind) noexcept {
  switch (kind) {
    case EVP_PKEY_RSA: return "RSA";
    case EVP_PKEY_RSA_PSS: return "RSA-PSS";
    case EVP_PKEY_DSA: return "DSA";
    case EVP_PKEY_EC: return "ECDSA";
    case EVP_PKEY_ED25519: return "Ed25519";
    case EVP_PKEY_ED448: return "Ed448";
    default: return OBJ_nid2sn(kind);
  }
}

std::string name_or_undefined(const char* name) { return name == nullptr ? "UNDEF" : name; }

std::vector<std::pair<int, int>> read_signature_algorithms(SSL* ssl) {
  const int count = SSL_get_shared_sigalgs(ssl, 0, nullptr, nullptr, nullptr, nullptr, nullptr);
  std::vector<std::pair<int, int>> result;
  for (int i = 0; i < count; ++i) {
    auto& [kind, hash] = result.emplace_back(NID_undef, NID_undef);
    SSL_get_shared_sigalgs(ssl, i, &kind, &hash, nullptr, nullptr, nullptr);
  }
  return result;
}

/// @param read SSL_get_finished or SSL_get_peer_finished, which tell the length of all whatever room there is
OwnBytes read_finished(std::size_t (*read)(const SSL*, void*, std::size_t), const SSL* ssl) {
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> bytes;
  const std::size_t size = read(ssl, bytes.data(), bytes.size());
  return {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)};
}

OwnBytes read_ocsp_response(SSL* ssl) {
  const unsigned char* response = nullptr;
  const long size = SSL_get_tlsext_status_ocsp_resp(ssl, &response);
  return response == nullptr || size <= 0 ? OwnBytes() : OwnBytes(response, response + size);
}

std::string read_alpn_protocol(const SSL* ssl) {
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl, &name, &size);
  return name == nullptr ? std::string() : std::string(name, name + size);
}

PkeyHandle read_ephemeral_key(SSL* ssl) noexcept {
  EVP_PKEY* key = nullptr;
  if (SSL_get_peer_tmp_key(ssl, &key) != 1) ERR_clear_error();
  return PkeyHandle(key);
}

}  // namespace

SessionFacts::SessionFacts(SSL* ssl)
    : trusted_(share(SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl)))),
      protocol_(SSL_get_version(ssl)),
      cipher_(SSL_get_current_cipher(ssl)),
      alpn_protocol_(read_alpn_protocol(ssl)),
      servername_(text_or_empty(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name))),
      session_reused_(SSL_session_reused(ssl) == 1),
      verify_result_(SSL_get_verify_result(ssl)),
      peer_(SSL_get1_peer_certificate(ssl)),
      certificate_(share(SSL_get_certificate(ssl))),
      session_(SSL_get1_session(ssl)),
      finished_(read_finished(SSL_get_finished, ssl)),
      peer_finished_(read_finished(SSL_get_peer_finished, ssl)) {
  if (STACK_OF(X509)* sent = SSL_get_peer_cert_chain(ssl); sent != nullptr) {
    sent_.reset(X509_chain_up_ref(sent));
  }
  if (SSL_is_server(ssl) != 0) {
    signature_algorithms_ = read_signature_algorithms(ssl);
  } else {
    ephemeral_key_ = read_ephemeral_key(ssl);
    ocsp_response_ = read_ocsp_response(ssl);
  }
}

std::optional<CipherFacts> SessionFacts::cipher() const {
  if (cipher_ == nullptr) return std::nullopt;
  return CipherFacts{SSL_CIPHER_get_name(cipher_), text_or_empty(SSL_CIPHER_standard_name(cipher_)),
                     SSL_CIPHER_get_version(cipher_)};
}

std::optional<VerificationFacts> SessionFacts::verification() const {
  if (peer_ == nullptr) return std::nullopt;
  return VerificationFacts{verify_result_, verification_code(verify_result_),
                           X509_verify_cert_error_string(verify_result_)};
}

X509Handle SessionFacts::find_issuer(X509* certificate) const {
  for (int i = 0; sent_ != nullptr && i < sk_X509_num(sent_.get()); ++i) {
    X509* candidate = sk_X509_value(sent_.get(), i);
    if (candidate != certificate && has_issued(candidate, certificate)) return share(candidate);
  }
  return tls::find_issuer(trusted_.get(), certificate);
}

std::vector<OwnBytes> SessionFacts::peer_certificates() const {
  std::vector<OwnBytes> result;
  X509Handle certificate = share(peer_.get());
  while (certificate != nullptr && result.size() < kChainLengthMax) {
    result.push_back(encode(i2d_X509, certificate.get()));
    if (has_issued(certificate.get(), certificate.get())) break;
    certificate = find_issuer(certificate.get());
  }
  return result;
}

bool SessionFacts::peer_is(const std::string& host, bool is_address) const noexcept {
  // OpenSSL takes an empty name for any.
  if (peer_ == nullptr || host.empty()) return false;
  if (is_address) return X509_check_ip_asc(peer_.get(), host.c_str(), 0) == 1;
  constexpr unsigned int flags = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
  return X509_check_host(peer_.get(), host.data(), host.size(), flags, nullptr) == 1;
}

OwnBytes SessionFacts::certificate() const { return encode<X509>(i2d_X509, certificate_.get()); }

OwnBytes SessionFacts::session() const { return encode<SSL_SESSION>(i2d_SSL_SESSION, session_.get()); }

OwnBytes SessionFacts::ticket() const {
  const unsigned char* ticket = nullptr;
  std::size_t size = 0;
  if (session_ != nullptr) SSL_SESSION_get0_ticket(session_.get(), &ticket, &size);
  return ticket == nullptr ? OwnBytes() : OwnBytes(ticket, ticket + size);
}

std::optional<EphemeralKeyFacts> SessionFacts::ephemeral_key() const {
  if (ephemeral_key_ == nullptr) return std::nullopt;
  const int kind = EVP_PKEY_get_id(ephemeral_key_.get());
  const int bits = EVP_PKEY_get_bits(ephemeral_key_.get());
  switch (kind) {
    case EVP_PKEY_DH: return EphemeralKeyFacts{"DH", {}, bits};
    case EVP_PKEY_X25519:
    case EVP_PKEY_X448: return EphemeralKeyFacts{"ECDH", OBJ_nid2sn(kind), bits};
    case EVP_PKEY_EC: {
      std::array<char, 64> group{};
      EVP_PKEY_get_group_name(ephemeral_key_.get(), group.data(), group.size(), nullptr);
      return EphemeralKeyFacts{"ECDH", group.data(), bits};
    }
    default: return std::nullopt;
  }
}

std::vector<std::string> SessionFacts::shared_signature_algorithms() const {
  std::vector<std::string> result;
  for (const auto& [kind, hash] : signature_algorithms_) {
    result.push_back(name_or_undefined(signature_name(kind)) + '+' + name_or_undefined(OBJ_nid2sn(hash)));
  }
  return result;
}

std::optional<OwnBytes> export_keying_material(SSL* ssl, std::size_t length, const std::string& label,
                                               const std::optional<Bytes>& context) {
  ERR_clear_error();
  OwnBytes result(length);
  const Bytes bytes = context.value_or(Bytes());
  if (SSL_export_keying_material(ssl, result.data(), length, label.data(), label.size(), bytes.data(),
                                 bytes.size(), context ? 1 : 0) != 1) {
    return std::nullopt;
  }
  return result;
}

}  // namespace iocp::tls
