#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "backend/net/address.h"
#include "backend/net/owned_socket.h"
#include "backend/net/result.h"
#include "backend/net/socket_options.h"

namespace iocp::net {

/// A listening stream socket to make.
struct ListenSpec {
  /// With neither host nor path: every address of the machine, IPv6 and IPv4 (IPv4 only where there is no
  /// IPv6).
  Endpoint local;
  int backlog = 511;          // Linux caps it at net.core.somaxconn, Windows at 65535
  bool ipv6_only = false;     // IPv6: do not take IPv4 connections as well
  bool reuse_port = false;    // several sockets may listen at the address; the kernel spreads the connections
  bool reuse_address = true;  // POSIX: listen although connections of a predecessor are in TIME_WAIT
  std::vector<NamedOption> options;  // set before bind; accepted sockets inherit most of them
};

/// A stream socket to make that will be connected. An IPv6 one may go to IPv4 addresses (`::ffff:10.0.0.1`) as well.
struct OpenSpec {
  Endpoint remote;
  std::optional<Endpoint> local;     // where to bind before; port 0 lets the kernel choose at connect
  std::vector<NamedOption> options;  // set before bind and connect
};

/// A socket that is ready for the port, and where its CONNECT goes.
struct OpenedSocket {
  OwnedSocket socket;
  std::unique_ptr<AddressBytes> remote;
};

/// A bare stream socket of a family (AF_INET, AF_INET6, AF_UNIX) that child processes do not inherit. Whether it blocks
/// is up to the driver on Linux; on Windows it is overlapped and does not block.
[[nodiscard]] Result<OwnedSocket> make_stream_socket(int family) noexcept;

/// A bare datagram socket of a family (AF_INET, AF_INET6), otherwise like a stream socket. Windows: what the network
/// answers to earlier datagrams does not fail later calls, unless it gets a peer, or the option `receiveErrors`.
[[nodiscard]] Result<OwnedSocket> make_datagram_socket(int family) noexcept;

/// Sets what a new socket begins with: `ipv6_only` when it is of AF_INET6, then the options.
[[nodiscard]] Status configure(NativeHandle native, int family, bool ipv6_only,
                               const std::vector<NamedOption>& options);

/// bind(2). EADDRINUSE, EADDRNOTAVAIL, EACCES.
[[nodiscard]] Status bind_to(NativeHandle native, const AddressBytes& address);

/// Makes a socket, binds it and listens. EADDRINUSE where another socket listens, or when the file of a Unix socket
/// exists, alive or not.
///
/// Windows: the address is always exclusively ours (SO_EXCLUSIVEADDRUSE); otherwise another program could take over a
/// part of it. EADDRINUSE is then also the answer while connections that a predecessor accepted are still open.
/// `reuse_address` is without effect: SO_REUSEADDR there would mean to take over the address of others. `reuse_port` is
/// EOPNOTSUPP. EACCES is a port that the system has reserved ("netsh int ipv4 show excludedportrange tcp").
[[nodiscard]] Result<OwnedSocket> open_listener(const ListenSpec& spec);

/// Makes a socket and binds it when asked to; connecting is an operation of the port.
[[nodiscard]] Result<OpenedSocket> open_socket(const OpenSpec& spec);

/// Checks a descriptor that somebody else opened: a stream socket. EBADF, ENOTSOCK or EPROTOTYPE when it is not;
/// Windows says ENOTSOCK for EBADF.
[[nodiscard]] Status check_stream_socket(NativeHandle native) noexcept;

}  // namespace iocp::net
