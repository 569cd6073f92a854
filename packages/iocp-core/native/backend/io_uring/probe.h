#pragma once

#include "backend/io_uring/ring.h"
#include "core/driver.h"

namespace iocp::uring {

/// The first operation the driver needs and this kernel lacks, or null.
[[nodiscard]] const char* missing_operation(const Ring& ring) noexcept;

/// Why a system call of the set-up was refused, and what to do about it.
[[nodiscard]] Probe explain_refusal(const RingError& error);

[[nodiscard]] Probe explain_missing(const char* operation);

}  // namespace iocp::uring
