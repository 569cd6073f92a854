#include <winsock2.h>
#include <windows.h>

#include "backend/net/address.h"
#include "backend/winsock/error_table.h"
#include "backend/winsock/startup.h"
#include "test/harness.h"
#include "test/os.h"

namespace iocp::test::os {
namespace {

constexpr int kPatienceMs = 20000;

SOCKET native(NativeHandle socket) noexcept { return static_cast<SOCKET>(socket); }

std::int32_t result_of(int result) noexcept {
  return result >= 0 ? result : -winsock::from_wsa(::WSAGetLastError());
}

void set_nonblocking(SOCKET socket) {
  u_long on = 1;
  check(::ioctlsocket(socket, static_cast<long>(FIONBIO), &on) == 0, "the peer does not block");
}

bool is_wine() noexcept {
  const HMODULE system = ::GetModuleHandleW(L"ntdll.dll");
  return system != nullptr && ::GetProcAddress(system, "wine_get_version") != nullptr;
}

}  // namespace

net::OwnedSocket connect(const AddressBytes& address) {
  check(winsock::startup().ok(), "Winsock starts");
  const SOCKET made = ::socket(net::address_family(address), SOCK_STREAM, 0);
  check(made != INVALID_SOCKET, "the peer gets a socket");
  net::OwnedSocket socket(static_cast<NativeHandle>(made));
  const int connected = ::connect(made, net::as_sockaddr(address), static_cast<int>(address.length));
  check_equal(connected, 0, "connect of the peer");
  set_nonblocking(made);
  return socket;
}

net::OwnedSocket accept(NativeHandle listener) {
  WSAPOLLFD waited{.fd = native(listener), .events = POLLRDNORM, .revents = 0};
  check_equal(::WSAPoll(&waited, 1, kPatienceMs), 1, "the number of connections");
  const SOCKET made = ::accept(native(listener), nullptr, nullptr);
  check(made != INVALID_SOCKET, "the peer accepts");
  net::OwnedSocket socket(static_cast<NativeHandle>(made));
  set_nonblocking(made);
  return socket;
}

std::int32_t send(NativeHandle socket, std::string_view text) {
  return result_of(::send(native(socket), text.data(), static_cast<int>(text.size()), 0));
}

std::int32_t receive(NativeHandle socket, std::span<char> memory) {
  return result_of(::recv(native(socket), memory.data(), static_cast<int>(memory.size()), 0));
}

std::int32_t end(NativeHandle socket) { return result_of(::shutdown(native(socket), SD_SEND)); }

bool close_resets() { return !is_wine(); }

bool sources_hold() { return !is_wine(); }

bool foreign_addresses_fail() { return !is_wine(); }

bool ports_outlive_connections() { return !is_wine(); }

bool wait_readable(int /*descriptor*/, int /*milliseconds*/) {
  fail("no driver of Windows has a descriptor");
}

std::size_t open_descriptors() {
  DWORD count = 0;
  check(::GetProcessHandleCount(::GetCurrentProcess(), &count) != FALSE, "the handles are counted");
  return count;
}

}  // namespace iocp::test::os
