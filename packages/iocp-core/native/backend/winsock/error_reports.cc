#include "backend/winsock/error_reports.h"

#include <winsock2.h>

#include <mutex>
#include <unordered_set>

#include "backend/net/address.h"
#include "core/protocol.gen.h"

namespace iocp::winsock {
namespace {

// In mstcpip.h or mswsock.h, or in neither: that differs from SDK to SDK.
constexpr DWORD kPortUnreachable = _WSAIOW(IOC_VENDOR, 12);  // SIO_UDP_CONNRESET
constexpr DWORD kTimeExceeded = _WSAIOW(IOC_VENDOR, 15);     // SIO_UDP_NETRESET

/// Sockets with the option `receiveErrors`: Windows does not say what it was told. Who closes a socket need not know of
/// this; it is forgotten when a new socket gets the number.
class WantedErrors {
 public:
  void set(NativeHandle native, bool on) {
    const std::lock_guard lock(mutex_);
    if (on) {
      sockets_.insert(native);
    } else {
      sockets_.erase(native);
    }
  }

  [[nodiscard]] bool has(NativeHandle native) {
    const std::lock_guard lock(mutex_);
    return sockets_.contains(native);
  }

 private:
  std::mutex mutex_;
  std::unordered_set<NativeHandle> sockets_;
};

WantedErrors& wanted_errors() {
  static WantedErrors wanted;
  return wanted;
}

net::Status report(NativeHandle native, DWORD which, bool on) noexcept {
  BOOL value = on ? TRUE : FALSE;
  DWORD length = 0;
  if (::WSAIoctl(static_cast<SOCKET>(native), which, &value, sizeof value, nullptr, 0, &length, nullptr,
                 nullptr) != 0) {
    return net::last_error("WSAIoctl");
  }
  return std::monostate{};
}

net::Status report_time_exceeded(NativeHandle native, bool on) noexcept {
  net::Status time = report(native, kTimeExceeded, on);
  // Newer than the other one, and not in Wine.
  if (!time && time.error().error == error_number::kEOPNOTSUPP) return std::monostate{};
  return time;
}

}  // namespace

net::Status report_no_errors(NativeHandle native) noexcept {
  wanted_errors().set(native, false);
  const net::Status port = report(native, kPortUnreachable, false);
  return port ? report_time_exceeded(native, false) : port;
}

net::Status want_errors(NativeHandle native, std::int32_t on) {
  const bool is_wanted = on != 0;
  wanted_errors().set(native, is_wanted);
  const net::Status port = report_errors_of_peer(native);
  return port ? report_time_exceeded(native, is_wanted) : port;
}

net::Status report_errors_of_peer(NativeHandle native) noexcept {
  return report(native, kPortUnreachable, wanted_errors().has(native) || net::peer_address(native).ok());
}

}  // namespace iocp::winsock
