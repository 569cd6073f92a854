#pragma once

// The socket headers of the system that we are built for, and the few things in which the two differ by name alone.
// What differs in behaviour is in os.h.

#ifdef _WIN32
#include <winsock2.h>
#include <ws2tcpip.h>
#include <afunix.h>
#include <iphlpapi.h>
#else
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#endif

#include "backend/net/address.h"
#include "backend/net/result.h"
#include "core/handle.h"

namespace iocp::net {

#ifdef _WIN32
using NativeSocket = SOCKET;
using FamilyNumber = ADDRESS_FAMILY;
inline constexpr bool kAbstractNames = false;  // of Unix sockets
#else
using NativeSocket = int;
using FamilyNumber = sa_family_t;
inline constexpr bool kAbstractNames = true;
#endif

[[nodiscard]] inline NativeSocket socket_of(NativeHandle native) noexcept {
  return static_cast<NativeSocket>(native);
}

[[nodiscard]] inline socklen_t length_of(const AddressBytes& address) noexcept {
  return static_cast<socklen_t>(address.length);
}

/// setsockopt; Winsock wants bytes where POSIX takes any memory.
template <typename Value>
[[nodiscard]] Status write_option(NativeHandle native, int level, int option, const Value& value) noexcept {
  const auto* const bytes = reinterpret_cast<const char*>(&value);
  if (::setsockopt(socket_of(native), level, option, bytes, socklen_t{sizeof value}) != 0) {
    return last_error("setsockopt");
  }
  return std::monostate{};
}

/// getsockopt of a value of known size.
template <typename Value>
[[nodiscard]] Result<Value> read_option(NativeHandle native, int level, int option) noexcept {
  Value value{};
  socklen_t length = sizeof value;
  if (::getsockopt(socket_of(native), level, option, reinterpret_cast<char*>(&value), &length) != 0) {
    return last_error("getsockopt");
  }
  return value;
}

}  // namespace iocp::net
