#pragma once

#include <memory>

#include "core/driver.h"

namespace iocp {

/// Completions of the I/O completion ports of Windows: one port and one thread that waits on it per driver. Null when the
/// system refuses something; `probe` then says what.
/// A receive of datagrams holds slots while it waits: 2 for each socket on which little comes, 32 at most.
/// @param slots the pool's memory, which must outlive the driver; it is told how many slots are held so
[[nodiscard]] std::unique_ptr<Driver> make_iocp_driver(BufferSlots& slots, Probe& probe);

}  // namespace iocp
