#pragma once

#include <cstdint>

namespace iocp::posix {

/// Our number (`error_number`) for a number of `errno`. They are the same on Linux; every result passes here
/// so that another POSIX system needs a change in one place only. The result is positive.
[[nodiscard]] std::int32_t from_errno(int number) noexcept;

}  // namespace iocp::posix
