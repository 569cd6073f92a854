#include "backend/net/socket_system.h"

#include <cstdint>

#include "backend/net/os.h"
#include "backend/net/os_sockets.h"
#include "backend/net/owned_socket.h"

namespace iocp::net {

// The calls below are made while a socket is taken down. What they could complain of (not a TCP socket, not
// connected any more) changes nothing about what has to be done next, and that is why their results are
// dropped.

void NativeSocketSystem::set_abortive_close(NativeHandle native) noexcept {
  linger reset{};
  reset.l_onoff = 1;
  static_cast<void>(write_option(native, SOL_SOCKET, SO_LINGER, reset));
}

void NativeSocketSystem::close_now(NativeHandle native) noexcept { close_socket(native); }

void NativeSocketSystem::discard_pages(std::span<std::byte> memory) noexcept {
  static const std::size_t page = os::page_bytes();
  const auto start = reinterpret_cast<std::uintptr_t>(memory.data());
  const std::size_t skipped = (page - start % page) % page;
  if (skipped >= memory.size()) return;
  const std::size_t whole = (memory.size() - skipped) / page * page;
  if (whole != 0) os::discard(memory.subspan(skipped, whole));
}

}  // namespace iocp::net
