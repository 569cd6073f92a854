#include <winsock2.h>

#include "backend/net/os.h"
#include "backend/net/owned_socket.h"

namespace iocp::net {

void close_socket(NativeHandle native) noexcept {
  static_cast<void>(::closesocket(static_cast<SOCKET>(native)));
}

std::size_t os::page_bytes() noexcept {
  SYSTEM_INFO info{};
  ::GetSystemInfo(&info);
  return info.dwPageSize;
}

void os::discard(std::span<std::byte> pages) noexcept {
  // The first call says that nobody needs the content; the second takes pages that are not locked out of the working set.
  // What they answer changes nothing: where they fail the memory stays with us, which is right as well.
  if (::VirtualAlloc(pages.data(), pages.size(), MEM_RESET, PAGE_READWRITE) == nullptr) return;
  static_cast<void>(::VirtualUnlock(pages.data(), pages.size()));
}

}  // namespace iocp::net
