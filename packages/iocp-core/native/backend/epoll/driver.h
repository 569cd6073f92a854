#pragma once

#include <memory>

#include "core/driver.h"

namespace iocp {

/// Completions on top of epoll(7): an operation is tried at once and, where the kernel says EAGAIN, again
/// when the descriptor is reported ready. Null when the kernel refuses the descriptors it needs;
/// `probe_epoll` says why.
/// @param slots the pool's memory, which must outlive the driver; only its place and sizes are looked at
[[nodiscard]] std::unique_ptr<Driver> make_epoll_driver(const BufferSlots& slots);

}  // namespace iocp
