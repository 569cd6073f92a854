#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/mailbox.h"

/// Mailboxes by number, for posting from one JavaScript thread to the port of another: numbers are all that threads can
/// hand each other. The only state that the threads of a process share.
namespace iocp::mailbox_registry {

/// Opens a mailbox of a port. Numbers are never used again. Any thread, as the others.
[[nodiscard]] std::uint64_t open(std::shared_ptr<Mailbox> mailbox, std::uint32_t token,
                                 std::uint32_t generation);

/// Later posts to it are refused.
void close(std::uint64_t id);

/// Leaves a user completion; false when the mailbox or its port has closed.
[[nodiscard]] bool post(std::uint64_t id, std::int32_t value);

}  // namespace iocp::mailbox_registry
