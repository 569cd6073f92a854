#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/handle.h"
#include "core/outgoing_datagram.h"
#include "core/protocol.gen.h"

/// Datagrams between our records and what recvmsg(2) and sendmsg(2) want. Nothing here calls the system.
namespace iocp::posix {

/// What the kernel reads to send one datagram; lives in `OutgoingDatagram::driver_storage`. The bytes to send are
/// described by `OutgoingDatagram::payload`.
struct OutgoingMessage {
  /// Room for every control at once; TOS and TTL for both families, see `prepare_message`.
  static constexpr std::size_t kControlBytes =
      4 * CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(std::uint16_t));

  msghdr header;
  sockaddr_in6 address;  // or a sockaddr_in
  alignas(cmsghdr) std::array<std::byte, kControlBytes> control;
};
static_assert(sizeof(OutgoingMessage) <= sizeof(OutgoingDatagram::driver_storage));

/// Lays out the message of `datagram` from its words and payload, for a socket of `kind`. An IPv4 address on an IPv6
/// socket becomes an IPv4-mapped one (RFC 4291, section 2.5.5.2), and the other way round.
/// @returns 0, or a negated error number, and then there is nothing to send: -EAFNOSUPPORT when the socket cannot carry
///          the addresses, -EINVAL when the words name no family
[[nodiscard]] std::int32_t prepare_message(OutgoingDatagram& datagram, SocketKind kind) noexcept;

/// The message that `prepare_message` has laid out.
[[nodiscard]] msghdr& message_of(OutgoingDatagram& datagram) noexcept;

/// Where the kernel writes the address of the sender and the control messages of a received datagram: in the slot,
/// before the datagram. The first 16 bytes are free; io_uring writes its own header there.
inline constexpr std::size_t kNameOffset = 16;
inline constexpr std::size_t kNameBytes = 32;
inline constexpr std::size_t kControlOffset = kNameOffset + kNameBytes;
inline constexpr std::size_t kControlBytes = 208;
static_assert(sizeof(sockaddr_in6) <= kNameBytes && kControlOffset % alignof(cmsghdr) == 0);
static_assert(kControlOffset + kControlBytes == limit::kDatagramOffset);

/// Writes the header (`incoming_word`) to the start of `slot`.
/// @param name the sender's address; empty when the system gave none
/// @param control the control messages. It and `name` may lie in the slot itself: they are read first
/// @param truncated whether the system says that it cut the datagram
void describe(std::byte* slot, std::span<const std::byte> name, std::span<const std::byte> control,
              bool truncated) noexcept;

}  // namespace iocp::posix
