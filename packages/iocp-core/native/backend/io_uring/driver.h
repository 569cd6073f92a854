#pragma once

#include <memory>

#include "core/driver.h"

namespace iocp {

/// Completions from io_uring: multishot accept and receive, provided buffers, task work deferred to our own calls.
/// Needs Linux 6.1; what is there is found out by using it, not by the version.
/// @param slots the pool's memory, which must outlive the driver
/// @param entries length of the submission queue
/// @param probe says why when the result is null
[[nodiscard]] std::unique_ptr<Driver> make_uring_driver(const BufferSlots& slots, unsigned entries,
                                                        Probe& probe);

}  // namespace iocp
