#include "backend/iocp/datagram_sender.h"

#include <utility>

#include "backend/iocp/socket.h"
#include "backend/net/address.h"
#include "core/protocol.gen.h"

namespace iocp {

DatagramSender::DatagramSender(IocpSocket& socket, PacketCounter& packets, EventQueue& done)
    : socket_(socket), packets_(packets), done_(done) {
  packet_.kind = Packet::Kind::SendTo;
  packet_.socket = &socket;
}

bool DatagramSender::run(Operation& operation) {
  const auto& datagrams = socket_.handle->outgoing;
  while (operation.datagrams_settled < datagrams.size()) {
    const OutgoingDatagram& datagram = datagrams[operation.datagrams_settled];
    std::int32_t error = winsock::prepare_message(packet_.message, datagram, socket_.handle->kind);
    if (error == 0) error = send_at_once();
    if (error == -error_number::kEAGAIN) {
      error = packets_.issue(packet_, [this](OVERLAPPED* overlapped) { return send(overlapped); });
      if (error == 0) return false;
    }
    settle(operation, error);
  }
  return true;
}

bool DatagramSender::resume(Operation& operation) {
  const std::int32_t status = packet_.status();
  const bool given_up = std::exchange(canceled_, false);
  if (!given_up || status != -error_number::kECANCELED) settle(operation, status);
  return given_up || run(operation);
}

void DatagramSender::cancel() noexcept {
  canceled_ = true;
  packets_.cancel(socket_.native(), packet_);
}

std::int32_t DatagramSender::send_at_once() noexcept {
  packets_.count_call();
  return send(nullptr) ? 0 : -winsock::from_wsa(::WSAGetLastError());
}

/// Without `overlapped` it does not wait. True when that succeeded.
bool DatagramSender::send(OVERLAPPED* overlapped) noexcept {
  WSAMSG& message = packet_.message.header;
  DWORD sent = 0;
  DWORD* const bytes = overlapped == nullptr ? &sent : nullptr;
  if (message.Control.len > 0) {
    return ::WSASendMsg(socket_.native(), &message, 0, bytes, overlapped, nullptr) == 0;
  }
  return ::WSASendTo(socket_.native(), message.lpBuffers, message.dwBufferCount, bytes, 0, message.name,
                     message.namelen, overlapped, nullptr) == 0;
}

void DatagramSender::settle(Operation& operation, std::int32_t error) {
  const std::uint32_t number = operation.datagrams_settled++;
  if (error == 0) {
    ++operation.datagrams_taken;
    return;
  }
  done_.push({.operation = &operation,
              .result = meaning_of(error, socket_.handle->outgoing[number]),
              .datagram = static_cast<std::int32_t>(number),
              .more = true});
}

/// The word of Linux for why `datagram` was refused.
std::int32_t DatagramSender::meaning_of(std::int32_t error, const OutgoingDatagram& datagram) const noexcept {
  const bool to_peer = (datagram.words[outgoing_word::kFamily] & 0xff) == 0;
  if (to_peer && !net::peer_address(socket_.handle->native)) return -error_number::kEDESTADDRREQ;
  // What the network answered to an earlier datagram.
  return error == -error_number::kECONNRESET ? -error_number::kECONNREFUSED : error;
}

}  // namespace iocp
