#pragma once

#include <winsock2.h>

#include <mswsock.h>

namespace iocp {

/// A function of Winsock that has to be asked for by number, as the provider of `socket` has it; null when it has not,
/// and WSAGetLastError then says why.
/// @param Function the type of the function, LPFN_ACCEPTEX for WSAID_ACCEPTEX
template <typename Function>
[[nodiscard]] Function load_extension(SOCKET socket, GUID number) noexcept {
  Function function = nullptr;
  DWORD bytes = 0;
  const int failed = ::WSAIoctl(socket, SIO_GET_EXTENSION_FUNCTION_POINTER, &number, sizeof number, &function,
                                sizeof function, &bytes, nullptr, nullptr);
  return failed == 0 ? function : nullptr;
}

}  // namespace iocp
