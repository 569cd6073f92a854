#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "backend/net/address.h"
#include "backend/net/owned_socket.h"
#include "backend/net/result.h"
#include "backend/net/socket_options.h"

namespace iocp::net {

/// A datagram socket (UDP) to make. IPv4 addresses of an IPv6 socket are taken as mapped ones (`::ffff:192.0.2.1`).
struct DatagramSpec {
  Family family = Family::Ipv4;      // not Unix
  Endpoint local;                    // where to bind; port 0 lets the system choose
  std::optional<Endpoint> remote;    // where to connect
  bool ipv6_only = false;            // IPv6: not for IPv4 as well
  bool reuse_address = false;        // several sockets that all ask for it may have the address
  bool reuse_port = false;           // the same, and Linux spreads the datagrams over them
  std::vector<NamedOption> options;  // set before bind
};

/// Makes a socket, binds it, and connects it when asked to. EADDRINUSE when another socket has the address,
/// EADDRNOTAVAIL when this machine does not have it, EAFNOSUPPORT for an address that is not of the socket's family.
///
/// `reuse_address` is SO_REUSEADDR: on Linux unicast datagrams then go to the socket that was bound last. On Windows
/// which one gets them is not defined; without `reuse_address` the address is exclusively ours (SO_EXCLUSIVEADDRUSE).
/// `reuse_port` is EOPNOTSUPP on Windows.
[[nodiscard]] Result<OwnedSocket> open_datagram(const DatagramSpec& spec);

/// Connects a datagram socket, anew when it is connected. When that fails the socket is not connected (Linux). A socket with
/// a peer is told when the network answers that nobody has the peer's port (ECONNREFUSED), one without is not.
[[nodiscard]] Status connect_datagram(NativeHandle native, const Endpoint& remote);

/// Takes the connection back; nothing when there is none. The socket keeps its port: where the system had chosen it, Linux
/// takes it away and it is bound anew, which is EADDRINUSE when another socket got it in this very moment.
[[nodiscard]] Status disconnect_datagram(NativeHandle native);

/// What the network answered to a datagram that was sent before.
struct DatagramError {
  std::int32_t error = 0;                 // positive
  SocketAddress destination;              // of that datagram
  std::optional<SocketAddress> offender;  // who answered; nobody when it was this machine
};

/// The next answer of the network, oldest first, or nothing. Linux keeps them with the option `receiveErrors` (ip(7),
/// IP_RECVERR); Windows keeps none, there a receive fails instead.
[[nodiscard]] Result<std::optional<DatagramError>> take_datagram_error(NativeHandle native);

/// Datagrams that the system dropped because the socket's receive buffer was full, since it was made. -1 where the system
/// does not say: on Windows.
[[nodiscard]] std::int64_t dropped_datagrams(NativeHandle native) noexcept;

}  // namespace iocp::net
