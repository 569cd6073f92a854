#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/credentials.h"

namespace iocp::tls {

/// What a server may want to know of a ClientHello before it answers. OpenSSL has looked at its frame only: what is wrong
/// inside an extension counts as absent here, and fails the handshake when OpenSSL reads it later.
struct ClientHello {
  /// SNI (RFC 6066 section 3), lower case.
  std::optional<std::string> servername;
  /// ALPN (RFC 7301), in the client's order; bytes, of any value.
  std::vector<std::string> protocols;
  /// The client asks for an OCSP response (RFC 6066 section 8).
  bool wants_ocsp = false;
  std::vector<std::uint8_t> session_id;
};

/// Only while OpenSSL calls about a ClientHello.
[[nodiscard]] ClientHello read_client_hello(SSL* ssl) noexcept;

// The contents of one extension each.
[[nodiscard]] std::optional<std::string> read_server_name(Bytes extension) noexcept;
[[nodiscard]] std::vector<std::string> read_protocols(Bytes extension) noexcept;
[[nodiscard]] bool asks_for_ocsp(Bytes extension) noexcept;

}  // namespace iocp::tls
