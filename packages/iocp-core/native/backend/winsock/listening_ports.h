#pragma once

#include <cstdint>

namespace iocp::winsock {

/// Whether some socket of this machine, of any program and at any address, listens on a TCP port. False where the system
/// does not tell.
[[nodiscard]] bool is_listened_on(std::uint16_t port);

/// The same for a datagram socket bound to a UDP port.
[[nodiscard]] bool is_bound(std::uint16_t port);

}  // namespace iocp::winsock
