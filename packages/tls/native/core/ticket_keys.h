#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "core/openssl_handles.h"

namespace iocp::tls {

/// Keys for session tickets (RFC 5077 section 4). The first encrypts, all decrypt; what another than the first decrypts is
/// renewed. Wiped when replaced.
class TicketKeys {
 public:
  /// As in `node:tls`: 16 bytes of name, 16 for HMAC-SHA-256, 16 for AES-128-CBC.
  static constexpr std::size_t kKeyBytes = 48;
  using Key = std::array<std::uint8_t, kKeyBytes>;

  /// Without keys: no ticket is made or accepted. Throws OpensslFailure.
  TicketKeys();
  ~TicketKeys();
  TicketKeys(const TicketKeys&) = delete;
  TicketKeys& operator=(const TicketKeys&) = delete;

  /// Throws OpensslFailure when there is no randomness.
  void make_random();
  /// Each of `kKeyBytes`; at least one.
  void replace(std::span<const std::span<const std::uint8_t>> keys);

  /// What SSL_CTX_set_tlsext_ticket_key_evp_cb asks for; the arguments are its.
  int use(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
          bool encrypt) const noexcept;

 private:
  void wipe() noexcept;

  /// Looked up once: by its name it would be looked up for every ticket.
  Handle<EVP_CIPHER, EVP_CIPHER_free> cipher_;
  std::vector<Key> keys_;
};

}  // namespace iocp::tls
