#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "backend/net/result.h"
#include "core/handle.h"

struct sockaddr;

namespace iocp::net {

enum class Family : std::uint8_t { Ipv4, Ipv6, Unix };

/// "ipv4", "ipv6" or "unix".
[[nodiscard]] const char* family_name(Family family) noexcept;

/// An address as people read it.
struct SocketAddress {
  Family family = Family::Ipv4;
  std::string host;  // numeric, without the scope; empty for Unix sockets
  std::uint16_t port = 0;
  std::uint32_t scope_id = 0;  // IPv6 link-local addresses: the number of the interface
  std::string path;            // Unix sockets; starts with '\0' in the abstract namespace; empty when unnamed
};

/// Where to bind or connect to: a Unix socket when `path` is set, else a numeric host and a port.
struct Endpoint {
  std::string host;
  std::uint16_t port = 0;
  std::string path;
};

/// A numeric IPv4 or IPv6 address, the latter with an optional scope (`fe80::1%eth0`, `fe80::1%2`). EINVAL
/// when it is not one (names are not resolved here), ENODEV when there is no interface of that name.
[[nodiscard]] Result<AddressBytes> ip_address(std::string_view host, std::uint16_t port);

/// The address of a Unix socket. A leading '\0' means the abstract namespace (unix(7)). EINVAL when empty,
/// ENAMETOOLONG when it does not fit (107 bytes, 108 in the abstract namespace), EOPNOTSUPP for an abstract name on
/// Windows, which has none.
[[nodiscard]] Result<AddressBytes> unix_address(std::string_view path);

[[nodiscard]] Result<AddressBytes> to_bytes(const Endpoint& endpoint);

/// EAFNOSUPPORT when the bytes are of a family we do not speak.
[[nodiscard]] Result<SocketAddress> from_bytes(const AddressBytes& bytes);

/// AF_INET, AF_INET6, AF_UNIX, or AF_UNSPEC for an empty address.
[[nodiscard]] int address_family(const AddressBytes& bytes) noexcept;

/// The address as a socket of `family` (AF_INET, AF_INET6) takes it: an IPv4 address becomes a mapped one
/// (`::ffff:192.0.2.1`, RFC 4291) for AF_INET6, and a mapped one an IPv4 address for AF_INET. EAFNOSUPPORT when it
/// has no such form.
[[nodiscard]] Result<AddressBytes> fit_family(const AddressBytes& address, int family);

/// For system calls.
[[nodiscard]] const sockaddr* as_sockaddr(const AddressBytes& bytes) noexcept;

/// The address that a socket is bound to (getsockname).
[[nodiscard]] Result<AddressBytes> local_address(NativeHandle native) noexcept;

/// The address that a socket is connected to (getpeername).
[[nodiscard]] Result<AddressBytes> peer_address(NativeHandle native) noexcept;

}  // namespace iocp::net
