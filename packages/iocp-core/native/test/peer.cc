#include "test/peer.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "backend/posix/address.h"
#include "test/harness.h"

namespace iocp::test {
namespace {

posix::Descriptor connect_to(const AddressBytes& address) {
  posix::Descriptor descriptor(::socket(posix::address_family(address), SOCK_STREAM | SOCK_CLOEXEC, 0));
  check(static_cast<bool>(descriptor), "the peer gets a socket");
  const int connected =
      ::connect(descriptor.get(), posix::as_sockaddr(address), static_cast<socklen_t>(address.length));
  check_equal(connected, 0, "connect of the peer");
  return descriptor;
}

}  // namespace

Peer::Peer(posix::Descriptor descriptor) : descriptor_(std::move(descriptor)) {
  check(::fcntl(descriptor_.get(), F_SETFL, O_NONBLOCK) == 0, "the peer does not block");
}

Peer::Peer(TestPort& port, HandleRef listener) : Peer(connect_to(port.address_of(listener))) {}

std::size_t Peer::send_some(std::string_view text) {
  const ssize_t sent = ::send(descriptor_.get(), text.data(), text.size(), MSG_NOSIGNAL);
  if (sent >= 0) return static_cast<std::size_t>(sent);
  check(errno == EAGAIN || errno == EINTR, "the peer can send");
  return 0;
}

void Peer::send(TestPort& port, std::string_view text) {
  port.run_until(
      [&] {
        text.remove_prefix(send_some(text));
        return text.empty();
      },
      "the peer sends");
}

bool Peer::read_some() {
  std::array<char, 65536> buffer;
  const ssize_t got = ::recv(descriptor_.get(), buffer.data(), buffer.size(), 0);
  if (got > 0) {
    data_.append(buffer.data(), static_cast<std::size_t>(got));
    return true;
  }
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  ended_ = true;
  error_ = got < 0 ? errno : 0;
  return true;
}

const std::string& Peer::read(TestPort& port, std::size_t bytes) {
  port.run_until(
      [&] {
        while (!ended_ && data_.size() < bytes && read_some()) {
        }
        return ended_ || data_.size() >= bytes;
      },
      "the peer reads");
  return data_;
}

void Peer::read_to_end(TestPort& port) {
  port.run_until(
      [&] {
        while (!ended_ && read_some()) {
        }
        return ended_;
      },
      "the peer reads to the end");
}

void Peer::end() { check(::shutdown(descriptor_.get(), SHUT_WR) == 0, "the peer ends"); }

void Peer::reset() {
  const linger now{.l_onoff = 1, .l_linger = 0};
  check(::setsockopt(descriptor_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0, "the peer can reset");
  close();
}

Pair make_pair(TestPort& port) {
  const HandleRef listener = port.listen();
  const Token accept = port.accept(listener);
  Peer peer(port, listener);
  const HandleRef handle = port.next_accepted(accept);
  const Token closed = port.close(listener);
  check_equal(port.finish(closed), 0, "close of the listener");
  return {handle, std::move(peer)};
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

std::string pattern(std::size_t bytes, std::uint32_t seed) {
  std::string text(bytes, '\0');
  std::uint32_t state = seed;
  for (char& byte : text) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<char>(state >> 24);
  }
  return text;
}

}  // namespace iocp::test
