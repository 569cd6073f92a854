#include "backend/net/socket_factory.h"

#include <algorithm>

#include "backend/net/os.h"
#include "backend/net/os_sockets.h"
#include "backend/winsock/error_reports.h"
#include "backend/winsock/listening_ports.h"
#include "backend/winsock/startup.h"
#include "core/protocol.gen.h"

namespace iocp::net {

namespace {

Result<OwnedSocket> make_socket(int family, int type) noexcept {
  const Status started = winsock::startup();
  if (!started) return started.error();
  const SOCKET raw =
      ::WSASocketW(family, type, 0, nullptr, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
  if (raw == INVALID_SOCKET) return last_error("socket");
  OwnedSocket made(static_cast<NativeHandle>(raw));
  u_long non_blocking = 1;
  if (::ioctlsocket(raw, static_cast<long>(FIONBIO), &non_blocking) != 0) return last_error("ioctlsocket");
  return made;
}

/// Whether another socket of the kind of `native` has the port, at any address.
bool is_taken(NativeHandle native, std::uint16_t port) {
  const Result<int> type = read_option<int>(native, SOL_SOCKET, SO_TYPE);
  return type && (type.value() == SOCK_DGRAM ? winsock::is_bound(port) : winsock::is_listened_on(port));
}

}  // namespace

Result<OwnedSocket> make_stream_socket(int family) noexcept { return make_socket(family, SOCK_STREAM); }

Result<OwnedSocket> make_datagram_socket(int family) noexcept {
  Result<OwnedSocket> made = make_socket(family, SOCK_DGRAM);
  if (!made) return made;
  const Status quiet = winsock::report_no_errors(made.value().native());
  if (!quiet) return quiet.error();
  return made;
}

Status os::prepare_listener(NativeHandle native, const ListenSpec& spec) noexcept {
  if (spec.reuse_port) return SystemError{error_number::kEOPNOTSUPP, "setsockopt"};
  return write_option(native, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1);
}

Status os::prepare_chosen_port(NativeHandle /*native*/) noexcept { return std::monostate{}; }

SystemError os::bind_error(NativeHandle native, const AddressBytes& address) {
  const SystemError error = last_error("bind");
  if (error.error != error_number::kEACCES) return error;
  // Windows denies access to a port that the system has reserved, but also to one of the addresses of a socket that took
  // all of them, and to what another user has.
  const Result<SocketAddress> wanted = from_bytes(address);
  if (!wanted || !is_taken(native, wanted.value().port)) return error;
  return {error_number::kEADDRINUSE, error.syscall};
}

int os::listen_backlog(int connections) noexcept {
  // More than this is taken as a request for the default; the hint carries the number.
  constexpr int kPlainMax = 200;
  constexpr int kHintMax = 65535;
  return connections <= kPlainMax ? connections : -std::min(connections, kHintMax);  // SOMAXCONN_HINT
}

Result<int> os::socket_family(NativeHandle native) noexcept {
  const Result<WSAPROTOCOL_INFOW> info =
      read_option<WSAPROTOCOL_INFOW>(native, SOL_SOCKET, SO_PROTOCOL_INFOW);
  if (!info) return info.error();
  return info.value().iAddressFamily;
}

}  // namespace iocp::net
