#pragma once

#include <memory>

#include "core/driver.h"

namespace iocp {

/// Completions of the I/O completion ports of Windows: one port and one thread that waits on it per driver. Null when the
/// system refuses something; `probe` then says what.
/// @param slots the pool's memory, which must outlive the driver; only its place and sizes are looked at
[[nodiscard]] std::unique_ptr<Driver> make_iocp_driver(const BufferSlots& slots, Probe& probe);

}  // namespace iocp
