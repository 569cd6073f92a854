#pragma once

#include <cstdint>

#include "backend/net/result.h"
#include "core/handle.h"

/// Whether a receive of a datagram socket fails when the network has answered to a datagram that was sent before: nobody
/// has the port (SIO_UDP_CONNRESET), its time to live ran out (SIO_UDP_NETRESET). Windows fails it unless told otherwise;
/// here the former is for sockets with a peer, as on Linux, and both are for those with the option `receiveErrors`.
namespace iocp::winsock {

/// For a new socket, which has neither.
[[nodiscard]] net::Status report_no_errors(NativeHandle native) noexcept;

/// The option `receiveErrors`.
[[nodiscard]] net::Status want_errors(NativeHandle native, std::int32_t on);

/// After a socket was connected or disconnected.
[[nodiscard]] net::Status report_errors_of_peer(NativeHandle native) noexcept;

}  // namespace iocp::winsock
