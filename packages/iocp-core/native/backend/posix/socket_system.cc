#include <sys/mman.h>
#include <unistd.h>

#include "backend/net/os.h"
#include "backend/net/owned_socket.h"

namespace iocp::net {

void close_socket(NativeHandle native) noexcept {
  // Never tried again: on Linux the number is free even after EINTR, and may be somebody else's by then.
  static_cast<void>(::close(static_cast<int>(native)));
}

std::size_t os::page_bytes() noexcept { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

void os::discard(std::span<std::byte> pages) noexcept {
  // Where it fails the memory stays with us, which is right as well.
  static_cast<void>(::madvise(pages.data(), pages.size(), MADV_DONTNEED));
}

}  // namespace iocp::net
