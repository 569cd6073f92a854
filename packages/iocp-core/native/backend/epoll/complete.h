#pragma once

#include <cerrno>
#include <cstdint>

#include "backend/posix/errno.h"

namespace iocp::attempt {

/// Makes a system call until no signal interrupts it; gives its result or the negated error.
template <typename Call>
[[nodiscard]] std::int32_t complete(Call call) noexcept {
  for (;;) {
    const auto result = call();
    if (result >= 0) return static_cast<std::int32_t>(result);
    if (errno != EINTR) return -posix::from_errno(errno);
  }
}

}  // namespace iocp::attempt
