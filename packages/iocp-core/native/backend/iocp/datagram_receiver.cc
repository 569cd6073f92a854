#include "backend/iocp/datagram_receiver.h"

#include "backend/iocp/socket.h"
#include "core/protocol.gen.h"

namespace iocp {
namespace {

constexpr std::size_t kWaitingMax = 2;
constexpr std::size_t kUnderWayMax = 32;

/// The word of Linux for why a receive failed. Where the socket is to (winsock/error_reports.h), it does so for what
/// the network answered to datagrams that were sent before.
std::int32_t meaning_of(std::int32_t error) noexcept {
  switch (-error) {
    case error_number::kECONNRESET: return -error_number::kECONNREFUSED;
    case error_number::kENETRESET: return -error_number::kEHOSTUNREACH;
    // For the engine this is a lack of slots, which it waits out.
    case error_number::kENOBUFS: return -error_number::kENOMEM;
    default: return error;
  }
}

}  // namespace

std::int32_t DatagramReceiver::start() {
  result_ = 0;
  if (receive_message_ == nullptr) {
    packets_.count_call();
    receive_message_ = load_extension<LPFN_WSARECVMSG>(socket_.native(), WSAID_WSARECVMSG);
    if (receive_message_ == nullptr) return -winsock::from_wsa(::WSAGetLastError());
  }
  return refill();
}

std::int32_t DatagramReceiver::refill() {
  while (waiting_ < kWaitingMax && under_way() < kUnderWayMax) {
    const std::int32_t error = slots_.empty() ? -error_number::kENOBUFS : post(idle_packet());
    // Fewer will do: each that comes back is a reason to try again.
    if (error != 0) return under_way() > 0 ? 0 : error;
  }
  return 0;
}

std::int32_t DatagramReceiver::post(DatagramPacket& packet) {
  packet.slot = slots_.lend();
  packet.state = DatagramPacket::State::Waiting;
  winsock::prepare_message(packet.message, slots_.address(packet.slot), slots_.slot_bytes());
  const std::int32_t error = packets_.issue(packet, [&](OVERLAPPED* overlapped) {
    const bool failed =
        receive_message_(socket_.native(), &packet.message.header, nullptr, overlapped, nullptr) != 0;
    // A datagram that was there and had to be cut is a warning, after which a packet comes as after success.
    if (failed && ::WSAGetLastError() != WSAEMSGSIZE) return false;
    packet.state = DatagramPacket::State::DoneAtOnce;
    return true;
  });
  if (error != 0) {
    slots_.take_back(packet.slot);
    put_back(packet);
  } else if (packet.state == DatagramPacket::State::Waiting) {
    ++waiting_;
  }
  return meaning_of(error);
}

void DatagramReceiver::put_back(DatagramPacket& packet) {
  packet.state = DatagramPacket::State::Idle;
  idle_.push_back(&packet);
}

DatagramPacket& DatagramReceiver::idle_packet() {
  if (idle_.empty()) {
    all_.push_back(std::make_unique<DatagramPacket>());
    all_.back()->kind = Packet::Kind::ReceiveFrom;
    all_.back()->socket = &socket_;
    return *all_.back();
  }
  DatagramPacket& packet = *idle_.back();
  idle_.pop_back();
  return packet;
}

void DatagramReceiver::take(DatagramPacket& packet, EventQueue& done) {
  if (packet.state == DatagramPacket::State::Waiting) --waiting_;
  put_back(packet);
  const std::int32_t status = packet.status();
  const bool truncated = status == -error_number::kEMSGSIZE;
  if (status == 0 || truncated) {
    winsock::describe(packet.message, slots_.address(packet.slot), truncated);
    slots_.end_loan();
    return done.push({.operation = socket_.receiving,
                      .result = static_cast<std::int32_t>(packet.overlapped.InternalHigh),
                      .slot = static_cast<std::int32_t>(packet.slot),
                      .more = true});
  }
  slots_.take_back(packet.slot);
  if (!ending()) end(meaning_of(status));
}

void DatagramReceiver::end(std::int32_t result) noexcept {
  result_ = result;
  for (const std::unique_ptr<DatagramPacket>& packet : all_) {
    if (packet->state == DatagramPacket::State::Waiting) packets_.cancel(socket_.native(), *packet);
  }
}

}  // namespace iocp
