#include "backend/net/datagram_socket.h"

#include "backend/net/os.h"
#include "backend/net/os_sockets.h"
#include "backend/net/socket_factory.h"
#include "core/protocol.gen.h"

namespace iocp::net {
namespace {

/// What is wrong with an address is told as an error of the call that it was for.
Result<AddressBytes> address_for(int family, const Endpoint& endpoint, const char* syscall) {
  const Result<AddressBytes> address = ip_address(endpoint.host, endpoint.port);
  if (!address) return SystemError{address.error().error, syscall};
  const Result<AddressBytes> fitting = fit_family(address.value(), family);
  if (!fitting) return SystemError{fitting.error().error, syscall};
  return fitting;
}

Status connect_to(NativeHandle native, const AddressBytes& address) noexcept {
  if (::connect(socket_of(native), as_sockaddr(address), length_of(address)) != 0) {
    return last_error("connect");
  }
  return os::peer_changed(native);
}

}  // namespace

Result<OwnedSocket> open_datagram(const DatagramSpec& spec) {
  const int family = spec.family == Family::Ipv6 ? AF_INET6 : AF_INET;
  const Result<AddressBytes> local = address_for(family, spec.local, "bind");
  if (!local) return local.error();
  Result<OwnedSocket> made = make_datagram_socket(family);
  if (!made) return made;
  const NativeHandle native = made.value().native();
  const Status configured = configure(native, family, spec.ipv6_only, spec.options);
  if (!configured) return configured.error();
  const Status prepared = os::prepare_datagram(native, spec);
  if (!prepared) return prepared.error();
  const Status bound = bind_to(native, local.value());
  if (!bound) return bound.error();
  if (!spec.remote) return made;
  const Result<AddressBytes> remote = address_for(family, *spec.remote, "connect");
  if (!remote) return remote.error();
  const Status connected = connect_to(native, remote.value());
  if (!connected) return connected.error();
  return made;
}

Status connect_datagram(NativeHandle native, const Endpoint& remote) {
  const Result<int> family = os::socket_family(native);
  if (!family) return family.error();
  const Result<AddressBytes> address = address_for(family.value(), remote, "connect");
  if (!address) return address.error();
  const Status prepared = os::prepare_other_peer(native);
  if (!prepared) return prepared;
  return connect_to(native, address.value());
}

Status disconnect_datagram(NativeHandle native) {
  const Result<AddressBytes> peer = peer_address(native);
  if (!peer && peer.error().error == error_number::kENOTCONN) return std::monostate{};
  const Result<AddressBytes> before = local_address(native);
  if (!before) return before.error();
  AddressBytes nobody;  // all zero, which is also AF_UNSPEC
  nobody.length = before.value().length;
  const Status disconnected = connect_to(native, nobody);
  if (!disconnected) return disconnected;
  return os::keep_port(native, before.value());
}

}  // namespace iocp::net
