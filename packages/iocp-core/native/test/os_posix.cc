#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <filesystem>

#include "backend/net/address.h"
#include "backend/posix/errno.h"
#include "test/harness.h"
#include "test/os.h"

namespace iocp::test::os {
namespace {

int descriptor_of(NativeHandle socket) noexcept { return static_cast<int>(socket); }

std::int32_t result_of(ssize_t result) noexcept {
  return result >= 0 ? static_cast<std::int32_t>(result) : -posix::from_errno(errno);
}

}  // namespace

net::OwnedSocket connect(const AddressBytes& address) {
  net::OwnedSocket socket(::socket(net::address_family(address), SOCK_STREAM | SOCK_CLOEXEC, 0));
  check(static_cast<bool>(socket), "the peer gets a socket");
  const int descriptor = descriptor_of(socket.native());
  const int connected =
      ::connect(descriptor, net::as_sockaddr(address), static_cast<socklen_t>(address.length));
  check_equal(connected, 0, "connect of the peer");
  check(::fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0, "the peer does not block");
  return socket;
}

net::OwnedSocket accept(NativeHandle listener) {
  net::OwnedSocket socket(::accept4(descriptor_of(listener), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  check(static_cast<bool>(socket), "the peer accepts");
  return socket;
}

std::int32_t send(NativeHandle socket, std::string_view text) {
  return result_of(::send(descriptor_of(socket), text.data(), text.size(), MSG_NOSIGNAL));
}

std::int32_t receive(NativeHandle socket, std::span<char> memory) {
  return result_of(::recv(descriptor_of(socket), memory.data(), memory.size(), 0));
}

std::int32_t end(NativeHandle socket) { return result_of(::shutdown(descriptor_of(socket), SHUT_WR)); }

bool close_resets() { return true; }

bool sources_hold() { return true; }

bool foreign_addresses_fail() { return true; }

bool ports_outlive_connections() { return true; }

bool wait_readable(int descriptor, int milliseconds) {
  pollfd waited{.fd = descriptor, .events = POLLIN, .revents = 0};
  return ::poll(&waited, 1, milliseconds) > 0;
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

}  // namespace iocp::test::os
