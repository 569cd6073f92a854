#pragma once

#include <linux/io_uring.h>

#include "core/operation.h"

namespace iocp::uring {

/// Fills a zeroed submission entry for Accept, Connect, Recv, Send or RecvFrom. The operation's address becomes the
/// entry's user data: it stays where it is until its last completion.
void prepare_operation(io_uring_sqe& entry, Operation& operation) noexcept;

/// Asks for the end of `target`. Completes as nobody's, and only on failure.
void prepare_cancel(io_uring_sqe& entry, const Operation& target) noexcept;

/// Closes the descriptor of the operation's handle.
void prepare_close(io_uring_sqe& entry, Operation& close) noexcept;

/// The operation a completion is for; null when it is nobody's.
[[nodiscard]] inline Operation* operation_of(std::uint64_t user_data) noexcept {
  return reinterpret_cast<Operation*>(user_data);
}

}  // namespace iocp::uring
