#pragma once

#include <span>

#include "core/engine.h"

namespace iocp::posix {

/// What the engine needs of a POSIX system besides a driver.
class PosixSocketSystem final : public SocketSystem {
 public:
  /// SO_LINGER with zero seconds (socket(7)). Without effect on sockets other than TCP.
  void set_abortive_close(NativeHandle native) noexcept override;
  void close_now(NativeHandle native) noexcept override;
  /// madvise(MADV_DONTNEED) on the whole pages inside `memory`.
  void discard_pages(std::span<std::byte> memory) noexcept override;
};

}  // namespace iocp::posix
