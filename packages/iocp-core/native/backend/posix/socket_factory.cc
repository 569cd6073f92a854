#include "backend/net/socket_factory.h"

#include "backend/net/os.h"
#include "backend/net/os_sockets.h"

namespace iocp::net {

namespace {

Result<OwnedSocket> make_socket(int family, int type) noexcept {
  OwnedSocket made(::socket(family, type | SOCK_CLOEXEC, 0));
  if (!made) return last_error("socket");
  return made;
}

}  // namespace

Result<OwnedSocket> make_stream_socket(int family) noexcept { return make_socket(family, SOCK_STREAM); }

Result<OwnedSocket> make_datagram_socket(int family) noexcept { return make_socket(family, SOCK_DGRAM); }

Status os::prepare_listener(NativeHandle native, const ListenSpec& spec) noexcept {
  if (spec.reuse_address) {
    const Status set = write_option(native, SOL_SOCKET, SO_REUSEADDR, 1);
    if (!set) return set;
  }
  if (spec.reuse_port) return write_option(native, SOL_SOCKET, SO_REUSEPORT, 1);
  return std::monostate{};
}

Status os::prepare_chosen_port(NativeHandle native) noexcept {
  // The port is then chosen when the peer is known, so that more than 64 Ki connections may go out (ip(7)).
  return write_option(native, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
}

SystemError os::bind_error(NativeHandle /*native*/, const AddressBytes& /*address*/) {
  return last_error("bind");
}

int os::listen_backlog(int connections) noexcept { return connections; }

Result<int> os::socket_family(NativeHandle native) noexcept {
  return read_option<int>(native, SOL_SOCKET, SO_DOMAIN);
}

}  // namespace iocp::net
