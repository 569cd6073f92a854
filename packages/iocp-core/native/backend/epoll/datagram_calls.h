#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/buffer_slots.h"
#include "core/handle.h"
#include "core/protocol.gen.h"

namespace iocp::attempt {

/// Datagrams that one call of `DatagramCalls::receive` takes at most.
inline constexpr std::size_t kReceivedMax = 64;

/// Tries to receive and to send many datagrams with one system call, without waiting, and has the memory that the system
/// wants for it. One per driver, for all sockets.
class DatagramCalls {
 public:
  /// @param slots the pool's memory, which must outlive this
  explicit DatagramCalls(const BufferSlots& slots) noexcept;

  /// One recvmmsg(2) into the last slots of `free`, the last one first, with the header of each filled in.
  /// @param free not empty
  /// @returns how many slots were filled, or a negated error: -EAGAIN when there is nothing
  [[nodiscard]] std::int32_t receive(int descriptor, std::span<const std::uint32_t> free) noexcept;

  /// Bytes of the datagram with this number of the last `receive`.
  [[nodiscard]] std::int32_t received_bytes(std::size_t number) const noexcept {
    return static_cast<std::int32_t>(incoming_[number].msg_len);
  }

  /// Prepares `datagrams`, at most `limit::kDatagramsMax`, in order, for `send`.
  /// @returns how many there are before the first that cannot be sent at all; `refusal` says why it cannot
  [[nodiscard]] std::size_t prepare(std::span<OutgoingDatagram> datagrams, SocketKind kind,
                                    std::int32_t& refusal) noexcept;

  /// One sendmmsg(2) of what was prepared.
  /// @param first number of the first to send
  /// @param count how many, at least 1
  /// @returns how many the system has taken, or a negated error about the first: -EAGAIN when there is no room
  [[nodiscard]] std::int32_t send(int descriptor, std::size_t first, std::size_t count) noexcept;

 private:
  const BufferSlots& slots_;
  std::array<iovec, kReceivedMax> memory_{};
  std::array<mmsghdr, kReceivedMax> incoming_{};
  std::array<mmsghdr, limit::kDatagramsMax> outgoing_{};
};

}  // namespace iocp::attempt
