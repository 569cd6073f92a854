#pragma once

#include <winsock2.h>
#include <windows.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "backend/winsock/error_table.h"

namespace iocp {

struct IocpSocket;

/// What the system holds of a call until it is done: from `PacketCounter::issue` until the completion packet was taken
/// off the port it stays where it is, whatever happens to the socket meanwhile.
struct Packet {
  enum class Kind : std::uint8_t { Receive, Send, Connect, Accept, ReceiveFrom, SendTo };

  OVERLAPPED overlapped{};          // first: completion packets name it by its address
  Packet* handover_next = nullptr;  // from the poller to the port's thread
  IocpSocket* socket = nullptr;
  Kind kind = Kind::Receive;

  [[nodiscard]] static Packet* of(OVERLAPPED* overlapped) noexcept {
    return reinterpret_cast<Packet*>(overlapped);
  }

  /// 0 or a negated error number; once the packet has come back.
  [[nodiscard]] std::int32_t status() const noexcept {
    const auto status =
        static_cast<std::int32_t>(overlapped.Internal);  // an NTSTATUS: negative is no success
    return status >= 0 ? 0 : -winsock::from_ntstatus(status);
  }

  /// The bytes that were moved, or the error; once the packet has come back.
  [[nodiscard]] std::int32_t result() const noexcept {
    const std::int32_t error = status();
    return error == 0 ? static_cast<std::int32_t>(overlapped.InternalHigh) : error;
  }
};
static_assert(std::is_standard_layout_v<Packet> && offsetof(Packet, overlapped) == 0);

/// Counts calls, and the packets that the system has.
class PacketCounter {
 public:
  /// Makes a call that takes an OVERLAPPED: `call` returns whether it succeeded. Success at once brings a packet as
  /// well, so that there is one way back for all. Returns 0 or a negated error number: then no packet comes.
  template <typename Call>
  [[nodiscard]] std::int32_t issue(Packet& packet, Call call) {
    packet.overlapped = {};
    ++calls_;
    if (!call(&packet.overlapped)) {
      const int error = ::WSAGetLastError();
      if (error != WSA_IO_PENDING) return -winsock::from_wsa(error);
    }
    ++in_flight_;
    return 0;
  }

  /// Asks for an early end of `packet`, which comes back in any case.
  void cancel(SOCKET socket, Packet& packet) noexcept {
    ++calls_;
    // Fails when the call is done already and its packet on the way: there is nothing to cancel then.
    static_cast<void>(::CancelIoEx(reinterpret_cast<HANDLE>(socket), &packet.overlapped));
  }

  void came_back() noexcept { --in_flight_; }
  void count_call() noexcept { ++calls_; }

  [[nodiscard]] std::size_t in_flight() const noexcept { return in_flight_; }
  [[nodiscard]] std::uint64_t calls() const noexcept { return calls_; }

 private:
  std::size_t in_flight_ = 0;
  std::uint64_t calls_ = 0;
};

}  // namespace iocp
