#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "backend/posix/address.h"
#include "backend/posix/descriptor.h"
#include "backend/posix/result.h"
#include "backend/posix/socket_options.h"

namespace iocp::posix {

/// A listening stream socket to make.
struct ListenSpec {
  /// With neither host nor path: every address of the machine, IPv6 and IPv4 (IPv4 only where there is no
  /// IPv6).
  Endpoint local;
  int backlog = 511;          // the kernel caps it at net.core.somaxconn
  bool ipv6_only = false;     // IPv6: do not take IPv4 connections as well
  bool reuse_port = false;    // several sockets may listen at the address; the kernel spreads the connections
  bool reuse_address = true;  // listen although connections of a predecessor are in TIME_WAIT
  std::vector<NamedOption> options;  // set before bind; accepted sockets inherit most of them
};

/// A stream socket to make that will be connected.
struct OpenSpec {
  Endpoint remote;
  std::optional<Endpoint> local;     // where to bind before; port 0 lets the kernel choose at connect
  std::vector<NamedOption> options;  // set before bind and connect
};

/// A socket that is ready for the port, and where its CONNECT goes.
struct OpenedSocket {
  Descriptor descriptor;
  std::unique_ptr<AddressBytes> remote;
};

/// Makes a socket, binds it and listens. A Unix socket file that exists is reported as EADDRINUSE, alive or
/// not. All sockets are close-on-exec; whether they block is up to the driver that they are attached to.
[[nodiscard]] Result<Descriptor> open_listener(const ListenSpec& spec);

/// Makes a socket and binds it when asked to; connecting is an operation of the port.
[[nodiscard]] Result<OpenedSocket> open_socket(const OpenSpec& spec);

/// Checks a descriptor that somebody else opened: a stream socket. ENOTSOCK or EPROTOTYPE when it is not.
[[nodiscard]] Status check_stream_socket(NativeHandle native) noexcept;

}  // namespace iocp::posix
