#pragma once

#include <cstdint>
#include <string>

namespace iocp::net {

/// One of our error numbers (positive) in words, the same on every system: the text of `ERRORS` in protocol.mjs.
[[nodiscard]] std::string describe(std::int32_t error);

/// The release of the running system: uname(2) on POSIX systems, major.minor.build on Windows.
[[nodiscard]] std::string kernel_release();

}  // namespace iocp::net
