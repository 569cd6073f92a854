#include "backend/net/socket_factory.h"

#include <algorithm>

#include "backend/net/os.h"
#include "backend/net/os_sockets.h"
#include "backend/winsock/listening_ports.h"
#include "backend/winsock/startup.h"
#include "core/protocol.gen.h"

namespace iocp::net {

Result<OwnedSocket> make_stream_socket(int family) noexcept {
  const Status started = winsock::startup();
  if (!started) return started.error();
  const SOCKET raw =
      ::WSASocketW(family, SOCK_STREAM, 0, nullptr, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
  if (raw == INVALID_SOCKET) return last_error("socket");
  OwnedSocket made(static_cast<NativeHandle>(raw));
  u_long non_blocking = 1;
  if (::ioctlsocket(raw, static_cast<long>(FIONBIO), &non_blocking) != 0) return last_error("ioctlsocket");
  return made;
}

Status os::prepare_listener(NativeHandle native, const ListenSpec& spec) noexcept {
  if (spec.reuse_port) return SystemError{error_number::kEOPNOTSUPP, "setsockopt"};
  return write_option(native, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1);
}

Status os::prepare_chosen_port(NativeHandle /*native*/) noexcept { return std::monostate{}; }

SystemError os::bind_error(const AddressBytes& address) {
  const SystemError error = last_error("bind");
  if (error.error != error_number::kEACCES) return error;
  // Windows denies access to a port that the system has reserved, but also to one of the addresses at which a socket
  // listens that took all of them, and to what another user has.
  const Result<SocketAddress> wanted = from_bytes(address);
  if (!wanted || !winsock::is_listened_on(wanted.value().port)) return error;
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
