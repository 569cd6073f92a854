#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include "backend/net/os_sockets.h"
#include "core/handle.h"
#include "core/outgoing_datagram.h"
#include "core/protocol.gen.h"

/// Datagrams between our records (`outgoing_word`, `incoming_word`) and the addresses of the system. Nothing here calls
/// the system.
namespace iocp::net {

/// An address as records have it: four words in network byte order, IPv4 in the first.
using AddressWords = std::array<std::int32_t, 4>;

/// What there is of a structure; the rest is 0.
template <typename Raw>
[[nodiscard]] Raw read_raw(std::span<const std::byte> bytes) noexcept {
  static_assert(std::is_trivially_copyable_v<Raw>);
  Raw raw{};
  std::memcpy(&raw, bytes.data(), std::min(sizeof raw, bytes.size()));
  return raw;
}

/// Where a datagram goes and how.
struct DatagramRoute {
  std::int32_t flags = 0;      // outgoing_flag
  sockaddr_in6 peer{};         // or a sockaddr_in
  std::size_t peer_bytes = 0;  // 0: it goes to the peer that the socket is connected to
  bool ipv4 = false;           // it travels with IPv4, possibly from an IPv6 socket
  bool ipv6 = false;           // with IPv6; both: the peer is the connected one, of either family
  AddressWords source{};       // with SOURCE, in the form of what it travels with
};

/// Reads the words of `datagram` for a socket of `kind`. An IPv4 address on an IPv6 socket becomes an IPv4-mapped one
/// (RFC 4291, section 2.5.5.2), and the other way round.
/// @returns 0, or a negated error number: -EAFNOSUPPORT when the socket cannot carry the addresses, -EINVAL when the
///          words name no family
[[nodiscard]] std::int32_t find_route(const OutgoingDatagram& datagram, SocketKind kind,
                                      DatagramRoute& out) noexcept;

/// The header of a received datagram (`incoming_word`), empty at first.
class IncomingHeader {
 public:
  /// @param name a sockaddr_in or sockaddr_in6; of anything else, or nothing, the sender stays unknown
  void set_sender(std::span<const std::byte> name) noexcept;
  /// After `set_sender`: on an IPv6 socket that carries IPv4, both addresses have the same form.
  void set_local(const in_addr& address, std::int32_t interface_index) noexcept;
  void set_local(const in6_addr& address, std::int32_t interface_index) noexcept;
  void set_tos(std::int32_t tos) noexcept { set(incoming_flag::kTos, incoming_word::kTos, tos); }
  void set_ttl(std::int32_t ttl) noexcept { set(incoming_flag::kTtl, incoming_word::kTtl, ttl); }
  void set_segment_bytes(std::int32_t bytes) noexcept { words_[incoming_word::kSegmentBytes] = bytes; }
  void set_truncated() noexcept { flags_ |= incoming_flag::kTruncated; }

  /// Writes it to the start of `slot`.
  void write(std::byte* slot) const noexcept;

 private:
  void set(std::int32_t flag, std::size_t word, std::int32_t value) noexcept {
    flags_ |= flag;
    words_[word] = value;
  }

  std::int32_t flags_ = 0;
  std::array<std::int32_t, incoming_word::kSegmentBytes + 1> words_{};
};

}  // namespace iocp::net
