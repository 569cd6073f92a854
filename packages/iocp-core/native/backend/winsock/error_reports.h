#pragma once

#include <cstdint>

#include "backend/net/result.h"
#include "core/handle.h"

namespace iocp::winsock {

/// Whether a receive of a datagram socket fails when the network has answered to a datagram that was sent before: nobody
/// has the port (SIO_UDP_CONNRESET), its time to live ran out (SIO_UDP_NETRESET). On for every new socket of Windows.
[[nodiscard]] net::Status report_errors(NativeHandle native, std::int32_t on) noexcept;

}  // namespace iocp::winsock
