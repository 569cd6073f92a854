#pragma once

#include <cstddef>

namespace iocp {

/// One piece of memory to send. Laid out like POSIX `struct iovec`.
struct IoVector {
  void* base = nullptr;
  std::size_t length = 0;
};

}  // namespace iocp
