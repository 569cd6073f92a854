#pragma once

#include <cstdint>

#include "backend/iocp/packet.h"
#include "backend/winsock/datagram_message.h"
#include "core/event_queue.h"
#include "core/operation.h"

namespace iocp {

/// The datagram that waits until the socket's buffer has room.
struct WaitingDatagramPacket : Packet {
  winsock::OutgoingMessage message;
};

/// Sends the datagrams of a SendTo in order. Each is tried at once, which costs no packet; the first for which the socket's
/// buffer has no room waits in an overlapped call, and the others behind it.
class DatagramSender {
 public:
  DatagramSender(IocpSocket& socket, PacketCounter& packets, EventQueue& done);

  /// Sends on from the first datagram that has not settled, and tells of those that are refused. True when all have
  /// settled; false when one waits, and then its packet comes.
  [[nodiscard]] bool run(Operation& operation);

  /// The packet has come back. True when all have settled, or are given up because of `cancel`.
  [[nodiscard]] bool resume(Operation& operation);

  /// Gives up what has not been sent.
  void cancel() noexcept;

 private:
  [[nodiscard]] std::int32_t send_at_once() noexcept;
  [[nodiscard]] bool send(OVERLAPPED* overlapped) noexcept;
  void settle(Operation& operation, std::int32_t error);
  [[nodiscard]] std::int32_t meaning_of(std::int32_t error, const OutgoingDatagram& datagram) const noexcept;

  IocpSocket& socket_;
  PacketCounter& packets_;
  EventQueue& done_;
  WaitingDatagramPacket packet_;
  bool canceled_ = false;
};

}  // namespace iocp
