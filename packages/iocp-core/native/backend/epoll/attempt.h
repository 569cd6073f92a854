#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/handle.h"
#include "core/operation.h"

/// One try of an operation, without waiting. All return what the system call returned, or a negated error
/// number: -EAGAIN means "not now". Calls that a signal interrupted are made again.
namespace iocp::attempt {

/// Reads into `memory`. 0 is the end of the stream.
[[nodiscard]] std::int32_t receive(int descriptor, std::span<std::byte> memory) noexcept;

/// Sends what is left of `send`, gathered into one call.
[[nodiscard]] std::int32_t send(int descriptor, const Operation& send) noexcept;

/// How much `send` tries to send.
[[nodiscard]] std::size_t bytes_left(const Operation& send) noexcept;

/// Starts to connect, or asks how it stands: -EINPROGRESS and -EALREADY mean "not yet". The descriptor must
/// not block.
[[nodiscard]] std::int32_t connect(int descriptor, const AddressBytes& remote) noexcept;

/// Takes a connection. Returns its descriptor. The listening descriptor must not block.
[[nodiscard]] std::int32_t accept(int descriptor) noexcept;

/// @param direction one of `shutdown_direction`
[[nodiscard]] std::int32_t shutdown(int descriptor, std::int32_t direction) noexcept;

/// Sets O_NONBLOCK.
[[nodiscard]] std::int32_t set_nonblocking(int descriptor) noexcept;

/// True when an error of `accept` is about the one connection that was taken off the queue, which is gone,
/// and not about the listening socket: accept(2) says to go on.
[[nodiscard]] bool concerns_one_connection(std::int32_t accept_result) noexcept;

}  // namespace iocp::attempt
