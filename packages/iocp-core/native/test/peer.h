#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "backend/net/owned_socket.h"
#include "test/test_port.h"

namespace iocp::test {

/// The other end of a connection, made with plain system calls: what it sees is what a stranger sees.
class Peer {
 public:
  /// @param socket does not block
  explicit Peer(net::OwnedSocket socket);
  /// Connects to where `listener` listens.
  Peer(TestPort& port, HandleRef listener);

  /// Sends as much as fits now. Returns how much that was.
  std::size_t send_some(std::string_view text);
  /// Sends all of it while the port runs.
  void send(TestPort& port, std::string_view text);

  /// Reads what is there now. True when something was read or has ended.
  bool read_some();
  /// Reads until `bytes` have arrived since the start, or the end, while the port runs.
  const std::string& read(TestPort& port, std::size_t bytes);
  /// Reads until the end while the port runs; `error` then says how it ended: 0 for the end of the stream.
  void read_to_end(TestPort& port);

  [[nodiscard]] const std::string& data() const noexcept { return data_; }
  [[nodiscard]] bool ended() const noexcept { return ended_; }
  [[nodiscard]] int error() const noexcept { return error_; }

  void end();
  void close() { socket_.reset(); }
  /// Closes with a reset.
  void reset();

 private:
  net::OwnedSocket socket_;
  std::string data_;
  bool ended_ = false;
  int error_ = 0;
};

/// An accepted connection of a port and the stranger at its other end.
struct Pair {
  HandleRef handle;
  Peer peer;
};

/// Both ends of a TCP connection on the loopback interface.
[[nodiscard]] Pair make_pair(TestPort& port);

/// Text that is different at every place, so that a mix-up shows.
[[nodiscard]] std::string pattern(std::size_t bytes, std::uint32_t seed = 1);

}  // namespace iocp::test
