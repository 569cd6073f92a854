#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/outgoing_datagram.h"

namespace iocp {

struct Operation;

/// A socket address as the system lays it out, without naming the system's types here.
struct AddressBytes {
  std::uint32_t length = 0;
  alignas(8) std::array<std::byte, 128> bytes{};
};

/// A descriptor of the system (Windows: a SOCKET).
using NativeHandle = std::int64_t;
inline constexpr NativeHandle kNoNativeHandle = -1;

/// What a socket carries: a stream, or datagrams with IPv4 or IPv6 addresses.
enum class SocketKind : std::uint8_t { Stream, DatagramIpv4, DatagramIpv6 };

/// A socket that belongs to the port. Lives in the engine's slab; `generation` tells owners of the same place apart.
struct Handle {
  enum class State : std::uint8_t {
    Free,
    Open,
    Closing,  // close was asked for; joining what is in flight
  };

  NativeHandle native = kNoNativeHandle;
  std::uint32_t index = 0;
  std::uint32_t generation = 0;
  State state = State::Free;
  SocketKind kind = SocketKind::Stream;
  Operation* operations = nullptr;         // all that have not settled, but for the close itself
  Operation* close_operation = nullptr;    // waits for the join
  std::unique_ptr<AddressBytes> remote;    // where CONNECT goes
  std::vector<OutgoingDatagram> outgoing;  // of the SendTo in flight; they stay in place until its last event

  /// For drivers that track readiness.
  std::uint32_t driver_flags = 0;
  Operation* driver_reader = nullptr;
  Operation* driver_writer = nullptr;
};

}  // namespace iocp
