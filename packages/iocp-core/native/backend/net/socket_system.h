#pragma once

#include <span>

#include "core/engine.h"

namespace iocp::net {

/// What the engine needs of this system besides a driver.
class NativeSocketSystem final : public SocketSystem {
 public:
  /// SO_LINGER with zero seconds. Without effect on sockets other than TCP.
  void set_abortive_close(NativeHandle native) noexcept override;
  void close_now(NativeHandle native) noexcept override;
  /// The whole pages inside `memory`. Linux: madvise(MADV_DONTNEED), they read as zero. Windows: MEM_RESET, they read as
  /// they were or as zero until they are written again.
  void discard_pages(std::span<std::byte> memory) noexcept override;
};

}  // namespace iocp::net
