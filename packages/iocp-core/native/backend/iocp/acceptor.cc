#include "backend/iocp/acceptor.h"

#include <algorithm>
#include <utility>

#include "backend/iocp/socket.h"
#include "backend/net/os.h"
#include "backend/net/socket_factory.h"
#include "core/protocol.gen.h"

namespace iocp {
namespace {

constexpr std::size_t kWaitingMin = 32;
constexpr std::size_t kWaitingMax = 256;

SOCKET native_of(const net::OwnedSocket& socket) noexcept { return static_cast<SOCKET>(socket.native()); }

std::int32_t last_error() noexcept { return -winsock::from_wsa(::WSAGetLastError()); }

/// True when an error of an accept is about the one connection, which is gone, and not about the listener.
bool concerns_one_connection(std::int32_t error) noexcept {
  switch (-error) {
    case error_number::kECONNABORTED:
    case error_number::kECONNRESET:
    case error_number::kENOTCONN:
    case error_number::kEPIPE:
    case error_number::kENETRESET:
    case error_number::kENETUNREACH:
    case error_number::kEHOSTUNREACH:
    case error_number::kETIMEDOUT: return true;
    default: return false;
  }
}

}  // namespace

std::int32_t Acceptor::start() {
  result_ = 0;
  target_ = kWaitingMin;
  taken_in_turn_ = 0;
  if (accept_ex_ == nullptr) {
    accept_ex_ = load_extension<LPFN_ACCEPTEX>(listener_.native(), WSAID_ACCEPTEX);
    if (accept_ex_ == nullptr) return last_error();
  }
  const net::Result<int> family = net::os::socket_family(listener_.handle->native);
  if (!family) return -family.error().error;
  family_ = family.value();
  const net::Result<net::OwnedSocket> fresh = net::make_stream_socket(family_);
  if (!fresh) return -fresh.error().error;
  inherited_.read(listener_.handle->native, fresh.value().native());
  return refill();
}

std::int32_t Acceptor::refill() {
  std::size_t failures = 0;
  while (waiting_ < target_) {
    AcceptPacket& packet = idle_packet();
    const std::int32_t error = post(packet);
    if (error == 0) {
      ++waiting_;
      continue;
    }
    idle_.push_back(&packet);
    if (concerns_one_connection(error) && ++failures < target_) continue;
    // Fewer will do: each that comes back is a reason to try again.
    return waiting_ > 0 ? 0 : error;
  }
  return 0;
}

std::int32_t Acceptor::post(AcceptPacket& packet) {
  packets_.count_call();
  net::Result<net::OwnedSocket> made = net::make_stream_socket(family_);
  if (!made) return -made.error().error;
  packet.connection = std::move(made).value();
  const std::int32_t error = packets_.issue(packet, [&](OVERLAPPED* overlapped) {
    DWORD bytes = 0;
    // No bytes to wait for: a peer that sends nothing must not hold up its accept.
    return accept_ex_(listener_.native(), native_of(packet.connection), packet.addresses.data(), 0,
                      AcceptPacket::kAddressBytes, AcceptPacket::kAddressBytes, &bytes, overlapped) != FALSE;
  });
  if (error != 0) packet.connection.reset();
  return error;
}

AcceptPacket& Acceptor::idle_packet() {
  if (idle_.empty()) {
    all_.push_back(std::make_unique<AcceptPacket>());
    all_.back()->kind = Packet::Kind::Accept;
    all_.back()->socket = &listener_;
    return *all_.back();
  }
  AcceptPacket& packet = *idle_.back();
  idle_.pop_back();
  return packet;
}

net::OwnedSocket Acceptor::take(AcceptPacket& packet) {
  --waiting_;
  ++taken_in_turn_;
  idle_.push_back(&packet);
  net::OwnedSocket connection = std::move(packet.connection);
  std::int32_t error = packet.status();
  if (error == 0) {
    const SOCKET listener = listener_.native();
    packets_.count_call();
    // Without it the socket does not know that it is connected.
    const int updated =
        ::setsockopt(static_cast<SOCKET>(connection.native()), SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT,
                     reinterpret_cast<const char*>(&listener), sizeof listener);
    if (updated == 0) return connection;
    error = last_error();
  }
  if (!ending() && !concerns_one_connection(error)) end(error);
  return {};
}

void Acceptor::begin_turn(std::uint64_t turn) noexcept {
  if (std::exchange(turn_, turn) == turn) return;
  if (taken_in_turn_ >= target_) {
    target_ = std::min(target_ * 2, kWaitingMax);
  } else if (taken_in_turn_ * 4 < target_) {
    target_ = std::max(target_ / 2, kWaitingMin);
  }
  taken_in_turn_ = 0;
}

void Acceptor::end(std::int32_t result) noexcept {
  result_ = result;
  for (const std::unique_ptr<AcceptPacket>& packet : all_) {
    if (packet->connection) packets_.cancel(listener_.native(), *packet);
  }
}

}  // namespace iocp
