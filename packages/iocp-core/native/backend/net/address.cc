#include "backend/net/address.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <type_traits>

#include "backend/net/interfaces.h"
#include "backend/net/os_sockets.h"
#include "core/protocol.gen.h"

namespace iocp::net {
namespace {

static_assert(sizeof(sockaddr_storage) <= sizeof(AddressBytes::bytes));
constexpr std::size_t kPathOffset = offsetof(sockaddr_un, sun_path);
constexpr std::size_t kPathMax = sizeof(sockaddr_un::sun_path);

SystemError invalid(std::int32_t error, const char* function) { return {error, function}; }

template <typename Raw>
AddressBytes pack(const Raw& raw, std::size_t length) {
  static_assert(std::is_trivially_copyable_v<Raw>);
  AddressBytes bytes;
  bytes.length = static_cast<std::uint32_t>(length);
  std::memcpy(bytes.bytes.data(), &raw, length);
  return bytes;
}

template <typename Raw>
Raw unpack(const AddressBytes& bytes) {
  Raw raw{};
  std::memcpy(&raw, bytes.bytes.data(), std::min<std::size_t>(sizeof raw, bytes.length));
  return raw;
}

Result<AddressBytes> ipv6_address(const std::string& host, std::uint16_t port) {
  const std::size_t percent = host.find('%');
  sockaddr_in6 raw{};
  raw.sin6_family = AF_INET6;
  raw.sin6_port = htons(port);
  if (::inet_pton(AF_INET6, host.substr(0, percent).c_str(), &raw.sin6_addr) != 1) {
    return invalid(error_number::kEINVAL, "inet_pton");
  }
  if (percent != std::string::npos) {
    const Result<std::uint32_t> scope = interface_number(host.substr(percent + 1));
    if (!scope) return scope.error();
    raw.sin6_scope_id = scope.value();
  }
  return pack(raw, sizeof raw);
}

std::string host_text(int family, const void* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const char* const written = ::inet_ntop(family, address, text.data(), static_cast<socklen_t>(text.size()));
  return written == nullptr ? std::string() : std::string(written);
}

SocketAddress describe_unix(const AddressBytes& bytes) {
  SocketAddress out;
  out.family = Family::Unix;
  const std::size_t length = std::min<std::size_t>(bytes.length, sizeof(sockaddr_un));
  if (length <= kPathOffset) return out;
  const sockaddr_un raw = unpack<sockaddr_un>(bytes);
  const std::size_t size = length - kPathOffset;
  // In the abstract namespace every byte counts; a path ends at its NUL.
  const bool abstract = kAbstractNames && raw.sun_path[0] == '\0';
  out.path.assign(raw.sun_path, abstract ? size : ::strnlen(raw.sun_path, size));
  return out;
}

template <typename Call>
Result<AddressBytes> ask_name(NativeHandle native, Call call, const char* name) noexcept {
  sockaddr_storage raw{};
  socklen_t length = sizeof raw;
  if (call(socket_of(native), reinterpret_cast<sockaddr*>(&raw), &length) != 0) return last_error(name);
  return pack(raw, std::min<std::size_t>(length, sizeof raw));
}

}  // namespace

const char* family_name(Family family) noexcept {
  switch (family) {
    case Family::Ipv4: return "ipv4";
    case Family::Ipv6: return "ipv6";
    case Family::Unix: break;
  }
  return "unix";
}

Result<AddressBytes> ip_address(std::string_view host, std::uint16_t port) {
  const std::string text(host);
  if (text.size() != std::strlen(text.c_str())) return invalid(error_number::kEINVAL, "inet_pton");
  if (text.find(':') != std::string::npos) return ipv6_address(text, port);
  sockaddr_in raw{};
  raw.sin_family = AF_INET;
  raw.sin_port = htons(port);
  if (::inet_pton(AF_INET, text.c_str(), &raw.sin_addr) != 1)
    return invalid(error_number::kEINVAL, "inet_pton");
  return pack(raw, sizeof raw);
}

Result<AddressBytes> unix_address(std::string_view path) {
  if (path.empty()) return invalid(error_number::kEINVAL, "bind");
  const bool abstract = path.front() == '\0';
  if (abstract && !kAbstractNames) return invalid(error_number::kEOPNOTSUPP, "bind");
  if (!abstract && path.find('\0') != std::string_view::npos) return invalid(error_number::kEINVAL, "bind");
  if (path.size() > (abstract ? kPathMax : kPathMax - 1)) return invalid(error_number::kENAMETOOLONG, "bind");
  sockaddr_un raw{};
  raw.sun_family = AF_UNIX;
  std::memcpy(raw.sun_path, path.data(), path.size());
  return pack(raw, kPathOffset + path.size() + (abstract ? 0 : 1));
}

Result<AddressBytes> to_bytes(const Endpoint& endpoint) {
  return endpoint.path.empty() ? ip_address(endpoint.host, endpoint.port) : unix_address(endpoint.path);
}

Result<SocketAddress> from_bytes(const AddressBytes& bytes) {
  SocketAddress out;
  switch (address_family(bytes)) {
    case AF_INET: {
      const sockaddr_in raw = unpack<sockaddr_in>(bytes);
      out.host = host_text(AF_INET, &raw.sin_addr);
      out.port = ntohs(raw.sin_port);
      return out;
    }
    case AF_INET6: {
      const sockaddr_in6 raw = unpack<sockaddr_in6>(bytes);
      out.family = Family::Ipv6;
      out.host = host_text(AF_INET6, &raw.sin6_addr);
      out.port = ntohs(raw.sin6_port);
      out.scope_id = raw.sin6_scope_id;
      return out;
    }
    case AF_UNIX: return describe_unix(bytes);
    default: return invalid(error_number::kEAFNOSUPPORT, "getsockname");
  }
}

int address_family(const AddressBytes& bytes) noexcept {
  if (bytes.length < sizeof(FamilyNumber)) return AF_UNSPEC;
  FamilyNumber family = AF_UNSPEC;
  std::memcpy(&family, bytes.bytes.data() + offsetof(sockaddr, sa_family), sizeof family);
  return family;
}

Result<AddressBytes> fit_family(const AddressBytes& address, int family) {
  constexpr std::size_t kPrefixBytes = 12;
  const int own = address_family(address);
  if (own == family) return address;
  if (own == AF_INET && family == AF_INET6) {
    const sockaddr_in raw = unpack<sockaddr_in>(address);
    sockaddr_in6 mapped{};
    mapped.sin6_family = AF_INET6;
    mapped.sin6_port = raw.sin_port;
    auto* const bytes = reinterpret_cast<std::uint8_t*>(&mapped.sin6_addr);
    bytes[kPrefixBytes - 2] = bytes[kPrefixBytes - 1] = 0xFF;
    std::memcpy(bytes + kPrefixBytes, &raw.sin_addr, sizeof raw.sin_addr);
    return pack(mapped, sizeof mapped);
  }
  const sockaddr_in6 raw = unpack<sockaddr_in6>(address);
  if (own != AF_INET6 || family != AF_INET || !IN6_IS_ADDR_V4MAPPED(&raw.sin6_addr)) {
    return invalid(error_number::kEAFNOSUPPORT, "socket");
  }
  sockaddr_in plain{};
  plain.sin_family = AF_INET;
  plain.sin_port = raw.sin6_port;
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(&raw.sin6_addr);
  std::memcpy(&plain.sin_addr, bytes + kPrefixBytes, sizeof plain.sin_addr);
  return pack(plain, sizeof plain);
}

const sockaddr* as_sockaddr(const AddressBytes& bytes) noexcept {
  return reinterpret_cast<const sockaddr*>(bytes.bytes.data());
}

Result<AddressBytes> local_address(NativeHandle native) noexcept {
  return ask_name(native, ::getsockname, "getsockname");
}

Result<AddressBytes> peer_address(NativeHandle native) noexcept {
  return ask_name(native, ::getpeername, "getpeername");
}

}  // namespace iocp::net
