#pragma once

#include <winsock2.h>
#include <ws2tcpip.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/handle.h"
#include "core/outgoing_datagram.h"
#include "core/protocol.gen.h"

/// Datagrams between our records and what WSASendMsg and WSARecvMsg want.
namespace iocp::winsock {

/// What the system reads of one datagram to send; it stays in place while a call is under way with it.
struct OutgoingMessage {
  /// Room for a source and a traffic class.
  static constexpr std::size_t kControlBytes = 80;

  WSAMSG header{};
  WSABUF payload{};
  sockaddr_in6 peer{};  // or a sockaddr_in
  alignas(std::max_align_t) std::array<char, kControlBytes> control{};
};

/// Lays out `datagram` for a socket of `kind`. `header.name` is null when it goes to the connected peer, `header.Control.len`
/// is 0 when it has no controls.
/// @returns 0, or a negated error number, and then there is nothing to send: what `net::find_route` says, or -EOPNOTSUPP
///          for what Windows cannot do for one datagram: a time to live, cutting, and before 11 and Server 2022 a traffic
///          class
[[nodiscard]] std::int32_t prepare_message(OutgoingMessage& message, const OutgoingDatagram& datagram,
                                           SocketKind kind) noexcept;

/// What the system writes of one received datagram. The sender and the control messages go into the slot, before the
/// datagram.
struct IncomingMessage {
  WSAMSG header{};
  WSABUF payload{};
};

/// Makes ready for WSARecvMsg into `slot`, of `slot_bytes`.
void prepare_message(IncomingMessage& message, std::byte* slot, std::size_t slot_bytes) noexcept;

/// Writes the header (`incoming_word`) to the start of `slot`, once WSARecvMsg is done.
/// @param truncated whether the system says that it cut the datagram
void describe(const IncomingMessage& message, std::byte* slot, bool truncated) noexcept;

}  // namespace iocp::winsock
