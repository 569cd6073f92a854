#include "backend/winsock/startup.h"

#include <winsock2.h>

#include "backend/winsock/error_table.h"

namespace iocp::winsock {
namespace {

net::Status start() noexcept {
  WSADATA data{};
  // The error is the result: before Winsock has started there is no WSAGetLastError.
  const int error = ::WSAStartup(MAKEWORD(2, 2), &data);
  if (error != 0) return net::SystemError{from_wsa(error), "WSAStartup"};
  return std::monostate{};
}

}  // namespace

net::Status startup() noexcept {
  static const net::Status started = start();
  return started;
}

}  // namespace iocp::winsock

namespace iocp {

net::SystemError net::last_error(const char* syscall) noexcept {
  return {winsock::from_wsa(::WSAGetLastError()), syscall};
}

}  // namespace iocp
