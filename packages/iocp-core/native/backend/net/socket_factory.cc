#include "backend/net/socket_factory.h"

#include <utility>

#include "backend/net/os.h"
#include "backend/net/os_sockets.h"
#include "core/protocol.gen.h"

namespace iocp::net {
namespace {

Result<OwnedSocket> make_socket(int family, bool ipv6_only, const std::vector<NamedOption>& options) {
  Result<OwnedSocket> made = make_stream_socket(family);
  if (!made) return made;
  const Status configured = configure(made.value().native(), family, ipv6_only, options);
  if (!configured) return configured.error();
  return made;
}

Result<OwnedSocket> listen_at(const AddressBytes& address, const ListenSpec& spec) {
  const int family = address_family(address);
  Result<OwnedSocket> made = make_socket(family, spec.ipv6_only, spec.options);
  if (!made) return made;
  const NativeHandle native = made.value().native();
  if (family != AF_UNIX) {
    const Status prepared = os::prepare_listener(native, spec);
    if (!prepared) return prepared.error();
  }
  const Status bound = bind_to(native, address);
  if (!bound) return bound.error();
  if (::listen(socket_of(native), os::listen_backlog(spec.backlog)) != 0) return last_error("listen");
  return made;
}

/// Errors that mean "no IPv6 on this machine" and not "you may not listen here".
bool is_missing_ipv6(const SystemError& error) noexcept {
  return error.error == error_number::kEAFNOSUPPORT || error.error == error_number::kEADDRNOTAVAIL;
}

Result<OwnedSocket> listen_everywhere(const ListenSpec& spec) {
  const Result<AddressBytes> ipv6 = ip_address("::", spec.local.port);
  if (!ipv6) return ipv6.error();
  Result<OwnedSocket> made = listen_at(ipv6.value(), spec);
  if (made || spec.ipv6_only || !is_missing_ipv6(made.error())) return made;
  const Result<AddressBytes> ipv4 = ip_address("0.0.0.0", spec.local.port);
  if (!ipv4) return ipv4.error();
  return listen_at(ipv4.value(), spec);
}

Status bind_before_connect(NativeHandle native, const AddressBytes& local, std::uint16_t port) {
  if (port == 0 && address_family(local) != AF_UNIX) {
    const Status prepared = os::prepare_chosen_port(native);
    if (!prepared) return prepared;
  }
  return bind_to(native, local);
}

}  // namespace

Status configure(NativeHandle native, int family, bool ipv6_only, const std::vector<NamedOption>& options) {
  // First, and never left to the system: its default differs, and options may be for the IPv4 inside IPv6 as well.
  if (family == AF_INET6) {
    const Status set = write_option(native, IPPROTO_IPV6, IPV6_V6ONLY, int{ipv6_only});
    if (!set) return set;
  }
  for (const NamedOption& option : options) {
    const Status set = set_option(native, option.name, option.value);
    if (!set) return set;
  }
  return std::monostate{};
}

Status bind_to(NativeHandle native, const AddressBytes& address) {
  if (::bind(socket_of(native), as_sockaddr(address), length_of(address)) != 0) {
    return os::bind_error(native, address);
  }
  return std::monostate{};
}

Result<OwnedSocket> open_listener(const ListenSpec& spec) {
  if (spec.local.host.empty() && spec.local.path.empty()) return listen_everywhere(spec);
  const Result<AddressBytes> address = to_bytes(spec.local);
  if (!address) return address.error();
  return listen_at(address.value(), spec);
}

Result<OpenedSocket> open_socket(const OpenSpec& spec) {
  const Result<AddressBytes> remote = to_bytes(spec.remote);
  if (!remote) return remote.error();
  Result<OwnedSocket> made = make_socket(address_family(remote.value()), false, spec.options);
  if (!made) return made.error();
  if (spec.local) {
    const Result<AddressBytes> local = to_bytes(*spec.local);
    if (!local) return local.error();
    const Status bound = bind_before_connect(made.value().native(), local.value(), spec.local->port);
    if (!bound) return bound.error();
  }
  return OpenedSocket{std::move(made).value(), std::make_unique<AddressBytes>(remote.value())};
}

Status check_stream_socket(NativeHandle native) noexcept {
  const Result<int> type = read_option<int>(native, SOL_SOCKET, SO_TYPE);
  if (!type) return type.error();
  if (type.value() != SOCK_STREAM) return SystemError{error_number::kEPROTOTYPE, "getsockopt"};
  return std::monostate{};
}

}  // namespace iocp::net
