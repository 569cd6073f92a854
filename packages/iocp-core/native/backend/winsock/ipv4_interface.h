#pragma once

#include "backend/net/interfaces.h"
#include "backend/net/os_sockets.h"

namespace iocp::winsock {

/// An interface as the options of IPv4 take it: its address, or else its number as an address that begins with 0.
[[nodiscard]] inline in_addr ipv4_interface(const net::ChosenInterface& chosen) noexcept {
  if (chosen.ipv4) return reinterpret_cast<const sockaddr_in*>(net::as_sockaddr(*chosen.ipv4))->sin_addr;
  in_addr number{};
  number.s_addr = ::htonl(chosen.index);
  return number;
}

}  // namespace iocp::winsock
