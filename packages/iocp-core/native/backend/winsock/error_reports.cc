#include "backend/winsock/error_reports.h"

#include <winsock2.h>

#include "core/protocol.gen.h"

namespace iocp::winsock {
namespace {

// In mstcpip.h or mswsock.h, or in neither: that differs from SDK to SDK.
constexpr DWORD kPortUnreachable = _WSAIOW(IOC_VENDOR, 12);  // SIO_UDP_CONNRESET
constexpr DWORD kTimeExceeded = _WSAIOW(IOC_VENDOR, 15);     // SIO_UDP_NETRESET

net::Status report(NativeHandle native, DWORD which, std::int32_t on) noexcept {
  BOOL value = on != 0 ? TRUE : FALSE;
  DWORD length = 0;
  if (::WSAIoctl(static_cast<SOCKET>(native), which, &value, sizeof value, nullptr, 0, &length, nullptr,
                 nullptr) != 0) {
    return net::last_error("WSAIoctl");
  }
  return std::monostate{};
}

}  // namespace

net::Status report_errors(NativeHandle native, std::int32_t on) noexcept {
  const net::Status port = report(native, kPortUnreachable, on);
  if (!port) return port;
  net::Status time = report(native, kTimeExceeded, on);
  // Newer than the other one, and not in Wine.
  if (!time && time.error().error == error_number::kEOPNOTSUPP) return std::monostate{};
  return time;
}

}  // namespace iocp::winsock
