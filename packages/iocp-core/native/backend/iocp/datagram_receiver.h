#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "backend/iocp/extension.h"
#include "backend/iocp/free_slots.h"
#include "backend/iocp/packet.h"
#include "backend/winsock/datagram_message.h"
#include "core/event_queue.h"

namespace iocp {

/// One WSARecvMsg, and the slot that it fills.
struct DatagramPacket : Packet {
  winsock::IncomingMessage message;
  std::uint32_t slot = 0;
  enum class State : std::uint8_t { Idle, Waiting, DoneAtOnce } state = State::Idle;
};

/// The receives under way on a datagram socket, each with a slot of its own: 2 that wait, and while datagrams are there
/// already as many as fetch them, 32 in all. With too few free slots there are fewer.
class DatagramReceiver {
 public:
  DatagramReceiver(IocpSocket& socket, PacketCounter& packets, FreeSlots& slots)
      : socket_(socket), packets_(packets), slots_(slots) {}

  /// Lets receives wait. Returns 0 or a negated error number: then none is under way. -ENOBUFS is a lack of slots.
  [[nodiscard]] std::int32_t start();

  /// Takes what a packet that has come back brought, and tells `done`. An error ends all the others.
  void take(DatagramPacket& packet, EventQueue& done);

  /// Starts more, when there is need. Returns 0 or a negated error number: then none is under way.
  [[nodiscard]] std::int32_t refill();

  /// Ends all that wait; from here on nothing is refilled, and when `under_way` is 0 the receive ends with `result`.
  void end(std::int32_t result) noexcept;
  [[nodiscard]] bool ending() const noexcept { return result_ != 0; }
  [[nodiscard]] std::int32_t result() const noexcept { return result_; }
  [[nodiscard]] std::size_t under_way() const noexcept { return all_.size() - idle_.size(); }

 private:
  [[nodiscard]] std::int32_t post(DatagramPacket& packet);
  void put_back(DatagramPacket& packet);
  [[nodiscard]] DatagramPacket& idle_packet();

  IocpSocket& socket_;
  PacketCounter& packets_;
  FreeSlots& slots_;
  LPFN_WSARECVMSG receive_message_ = nullptr;
  std::vector<std::unique_ptr<DatagramPacket>> all_;
  std::vector<DatagramPacket*> idle_;
  std::size_t waiting_ = 0;  // those that were not done at once
  std::int32_t result_ = 0;
};

}  // namespace iocp
