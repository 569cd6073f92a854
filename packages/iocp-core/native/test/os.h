#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "backend/net/owned_socket.h"
#include "core/handle.h"

/// What the tests need of the system itself, for the other end of a connection: plain calls that know nothing of a port.
/// Results are bytes or 0, or a negated error number (`error_number`).
namespace iocp::test::os {

/// Waits until the connection stands. The socket does not block afterwards. Fails the test when it is refused.
[[nodiscard]] net::OwnedSocket connect(const AddressBytes& address);

/// Waits for a connection. Its socket does not block. Fails the test when there is none.
[[nodiscard]] net::OwnedSocket accept(NativeHandle listener);

[[nodiscard]] std::int32_t send(NativeHandle socket, std::string_view text);
[[nodiscard]] std::int32_t receive(NativeHandle socket, std::span<char> memory);

/// Sends no more: the end of the stream.
[[nodiscard]] std::int32_t end(NativeHandle socket);

/// Whether an abortive close resets the peer. Not in Wine, which ends the stream before it closes.
[[nodiscard]] bool close_resets();

/// Whether the source that is given for one datagram holds. Not in Wine, which ignores it.
[[nodiscard]] bool sources_hold();

/// Whether a socket is refused an address that this machine does not have. Not in Wine, which takes any.
[[nodiscard]] bool foreign_addresses_fail();

/// Whether a datagram socket that is disconnected keeps its port. Not in Wine, where one that the system had chosen is lost.
[[nodiscard]] bool ports_outlive_connections();

/// Whether `descriptor`, one that a driver gave, becomes readable within `milliseconds`.
[[nodiscard]] bool wait_readable(int descriptor, int milliseconds);

/// How many descriptors (Windows: handles of every kind) this process has open.
[[nodiscard]] std::size_t open_descriptors();

}  // namespace iocp::test::os
