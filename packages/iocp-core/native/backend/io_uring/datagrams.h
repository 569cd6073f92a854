#pragma once

#include <linux/io_uring.h>

#include <cstddef>
#include <cstdint>

#include "core/operation.h"
#include "core/outgoing_datagram.h"

namespace iocp::uring {

/// Fills a zeroed submission entry for a RecvFrom: each datagram goes into a provided slot, at
/// `limit::kDatagramOffset`.
void prepare_receive_from(io_uring_sqe& entry, Operation& operation) noexcept;

/// Makes the header of a slot (`incoming_word`) out of what the kernel has written before the datagram.
/// @param result of the completion, not negative
/// @returns bytes of the datagram in the slot
[[nodiscard]] std::int32_t finish_receive_from(std::byte* slot, std::int32_t result) noexcept;

/// Fills a zeroed submission entry for a datagram that `posix::prepare_message` has laid out. It completes when it is
/// submitted, with EAGAIN when the socket's buffer is full: the kernel wakes those that it lets wait in no order.
void prepare_send_to(io_uring_sqe& entry, OutgoingDatagram& datagram) noexcept;

/// Fills a zeroed submission entry that completes for a SendTo when the socket's buffer has room again.
void prepare_wait_for_room(io_uring_sqe& entry, Operation& operation) noexcept;

/// The datagram that a completion is for; null when it is not for one.
[[nodiscard]] OutgoingDatagram* datagram_of(std::uint64_t user_data) noexcept;

/// A datagram was taken or refused: its `operation` becomes null.
void settle(OutgoingDatagram& datagram) noexcept;

}  // namespace iocp::uring
