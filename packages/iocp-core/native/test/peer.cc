#include "test/peer.h"

#include <array>
#include <utility>

#include "backend/net/socket_system.h"
#include "test/harness.h"
#include "test/os.h"

namespace iocp::test {

Peer::Peer(net::OwnedSocket socket) : socket_(std::move(socket)) {}

Peer::Peer(TestPort& port, HandleRef listener) : Peer(os::connect(port.address_of(listener))) {}

std::size_t Peer::send_some(std::string_view text) {
  const std::int32_t sent = os::send(socket_.native(), text);
  if (sent >= 0) return static_cast<std::size_t>(sent);
  check_equal(sent, -error_number::kEAGAIN, "why the peer cannot send");
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
  const std::int32_t got = os::receive(socket_.native(), buffer);
  if (got == -error_number::kEAGAIN) return false;
  if (got > 0) {
    data_.append(buffer.data(), static_cast<std::size_t>(got));
  } else {
    ended_ = true;
    error_ = -got;
  }
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

void Peer::end() { check_equal(os::end(socket_.native()), 0, "the end of the peer's stream"); }

void Peer::reset() {
  net::NativeSocketSystem().set_abortive_close(socket_.native());
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
