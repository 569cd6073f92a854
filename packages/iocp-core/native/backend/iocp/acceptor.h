#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "backend/iocp/extension.h"
#include "backend/iocp/inherited_options.h"
#include "backend/iocp/packet.h"
#include "backend/net/owned_socket.h"

namespace iocp {

/// One AcceptEx: the socket made for the connection to come, and where the system writes the addresses.
struct AcceptPacket : Packet {
  static constexpr std::size_t kAddressBytes = sizeof(sockaddr_storage) + 16;  // as AcceptEx wants it
  net::OwnedSocket connection;
  std::array<std::byte, 2 * kAddressBytes> addresses{};
};

/// The accepts that wait on a listener: 32, up to 256 while connections come faster than they are taken.
class Acceptor {
 public:
  Acceptor(IocpSocket& listener, PacketCounter& packets) : listener_(listener), packets_(packets) {}

  /// Looks at the listener and lets accepts wait. Returns 0 or a negated error number: then none waits.
  [[nodiscard]] std::int32_t start();

  /// Takes the connection out of a packet that has come back; none when it is gone already. An error that is about the
  /// listener ends all the others.
  [[nodiscard]] net::OwnedSocket take(AcceptPacket& packet);

  /// Lets more accepts wait, when there is need. Returns 0 or a negated error number: then none waits.
  [[nodiscard]] std::int32_t refill();

  /// A new turn of the port: adapts the number to what came in the last one.
  void begin_turn(std::uint64_t turn) noexcept;

  /// Ends all that wait; from here on nothing is refilled, and when `waiting` is 0 the accept ends with `result`.
  void end(std::int32_t result) noexcept;
  [[nodiscard]] bool ending() const noexcept { return result_ != 0; }
  [[nodiscard]] std::int32_t result() const noexcept { return result_; }
  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_; }

 private:
  [[nodiscard]] std::int32_t post(AcceptPacket& packet);
  [[nodiscard]] AcceptPacket& idle_packet();

  IocpSocket& listener_;
  PacketCounter& packets_;
  LPFN_ACCEPTEX accept_ex_ = nullptr;
  int family_ = 0;
  InheritedOptions inherited_;
  std::vector<std::unique_ptr<AcceptPacket>> all_;
  std::vector<AcceptPacket*> idle_;
  std::size_t waiting_ = 0;
  std::size_t target_ = 0;
  std::size_t taken_in_turn_ = 0;
  std::uint64_t turn_ = 0;
  std::int32_t result_ = 0;
};

}  // namespace iocp
