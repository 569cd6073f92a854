#include "backend/posix/socket_system.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>

namespace iocp::posix {

// The calls below are made while a socket is taken down. What they could complain of (not a TCP socket, not
// connected any more) changes nothing about what has to be done next, and that is why their results are
// dropped.

void PosixSocketSystem::set_abortive_close(NativeHandle native) noexcept {
  const linger reset{.l_onoff = 1, .l_linger = 0};
  static_cast<void>(::setsockopt(static_cast<int>(native), SOL_SOCKET, SO_LINGER, &reset, sizeof reset));
}

void PosixSocketSystem::close_now(NativeHandle native) noexcept {
  // Never tried again: on Linux the number is free even after EINTR, and may be somebody else's by then.
  static_cast<void>(::close(static_cast<int>(native)));
}

void PosixSocketSystem::discard_pages(std::span<std::byte> memory) noexcept {
  static const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto start = reinterpret_cast<std::uintptr_t>(memory.data());
  const std::uintptr_t skipped = (page - start % page) % page;
  if (skipped >= memory.size()) return;
  const std::size_t whole = (memory.size() - skipped) / page * page;
  if (whole != 0) static_cast<void>(::madvise(memory.data() + skipped, whole, MADV_DONTNEED));
}

}  // namespace iocp::posix
