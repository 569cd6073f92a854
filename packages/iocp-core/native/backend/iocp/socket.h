#pragma once

#include <memory>
#include <vector>

#include "backend/iocp/acceptor.h"
#include "backend/iocp/datagram_receiver.h"
#include "backend/iocp/datagram_sender.h"
#include "backend/iocp/packet.h"
#include "core/handle.h"
#include "core/operation.h"

namespace iocp {

/// A gathered send, with its pieces as Winsock wants them.
struct SendPacket : Packet {
  /// Room for as many pieces is kept from send to send.
  static constexpr std::size_t kPiecesKept = 16;
  std::vector<WSABUF> pieces;
};

/// What the driver keeps of a handle: a packet for everything that can be in flight on it, and whom it is for. Used again
/// for the next owner of the handle's place, once all packets are back.
struct IocpSocket {
  Handle* handle = nullptr;

  Operation* receiving = nullptr;
  Operation* sending = nullptr;
  Operation* connecting = nullptr;
  Operation* accepting = nullptr;

  Packet receive;
  SendPacket send;
  Packet connect;
  std::unique_ptr<Acceptor> acceptor;
  std::unique_ptr<DatagramReceiver> datagram_receiver;
  std::unique_ptr<DatagramSender> datagram_sender;

  bool receive_waits = false;  // the zero-byte receive is in flight
  bool receive_canceled = false;
  bool readable = false;        // the zero-byte receive has said so, and nothing was read since
  bool read_shut_down = false;  // from here on a receive finds the end of the stream

  IocpSocket() {
    receive.kind = Packet::Kind::Receive;
    send.kind = Packet::Kind::Send;
    connect.kind = Packet::Kind::Connect;
    receive.socket = send.socket = connect.socket = this;
  }
  IocpSocket(const IocpSocket&) = delete;
  IocpSocket& operator=(const IocpSocket&) = delete;

  [[nodiscard]] SOCKET native() const noexcept { return static_cast<SOCKET>(handle->native); }
};

}  // namespace iocp
