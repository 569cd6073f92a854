#include "backend/posix/socket_factory.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <utility>

#include "core/protocol.gen.h"

namespace iocp::posix {
namespace {

Status set_flag(int descriptor, int level, int option, bool on) noexcept {
  const int value = on ? 1 : 0;
  if (::setsockopt(descriptor, level, option, &value, sizeof value) != 0) return last_error("setsockopt");
  return std::monostate{};
}

Result<Descriptor> make_socket(int family, const std::vector<NamedOption>& options) {
  Descriptor descriptor(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!descriptor) return last_error("socket");
  for (const NamedOption& option : options) {
    const Status set = set_option(descriptor.native(), option.name, option.value);
    if (!set) return set.error();
  }
  return descriptor;
}

Status bind_to(int descriptor, const AddressBytes& address) noexcept {
  if (::bind(descriptor, as_sockaddr(address), static_cast<socklen_t>(address.length)) != 0) {
    return last_error("bind");
  }
  return std::monostate{};
}

Status prepare_listener(int descriptor, int family, const ListenSpec& spec) noexcept {
  if (family == AF_UNIX) return std::monostate{};
  if (family == AF_INET6) {
    const Status set = set_flag(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, spec.ipv6_only);
    if (!set) return set;
  }
  if (spec.reuse_address) {
    const Status set = set_flag(descriptor, SOL_SOCKET, SO_REUSEADDR, true);
    if (!set) return set;
  }
  return spec.reuse_port ? set_flag(descriptor, SOL_SOCKET, SO_REUSEPORT, true) : Status(std::monostate{});
}

Result<Descriptor> listen_at(const AddressBytes& address, const ListenSpec& spec) {
  const int family = address_family(address);
  Result<Descriptor> made = make_socket(family, spec.options);
  if (!made) return made;
  const int descriptor = made.value().get();
  const Status prepared = prepare_listener(descriptor, family, spec);
  if (!prepared) return prepared.error();
  const Status bound = bind_to(descriptor, address);
  if (!bound) return bound.error();
  if (::listen(descriptor, spec.backlog) != 0) return last_error("listen");
  return made;
}

/// Errors that mean "no IPv6 on this machine" and not "you may not listen here".
bool is_missing_ipv6(const SystemError& error) noexcept {
  return error.error == error_number::kEAFNOSUPPORT || error.error == error_number::kEADDRNOTAVAIL;
}

Result<Descriptor> listen_everywhere(const ListenSpec& spec) {
  const Result<AddressBytes> ipv6 = ip_address("::", spec.local.port);
  if (!ipv6) return ipv6.error();
  Result<Descriptor> made = listen_at(ipv6.value(), spec);
  if (made || spec.ipv6_only || !is_missing_ipv6(made.error())) return made;
  const Result<AddressBytes> ipv4 = ip_address("0.0.0.0", spec.local.port);
  if (!ipv4) return ipv4.error();
  return listen_at(ipv4.value(), spec);
}

Status bind_before_connect(int descriptor, const AddressBytes& local, std::uint16_t port) noexcept {
  if (port == 0 && address_family(local) != AF_UNIX) {
    // The port is then chosen when the peer is known, so that more than 64 Ki connections may go out (ip(7)).
    const Status set = set_flag(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, true);
    if (!set) return set;
  }
  return bind_to(descriptor, local);
}

}  // namespace

Result<Descriptor> open_listener(const ListenSpec& spec) {
  if (spec.local.host.empty() && spec.local.path.empty()) return listen_everywhere(spec);
  const Result<AddressBytes> address = to_bytes(spec.local);
  if (!address) return address.error();
  return listen_at(address.value(), spec);
}

Result<OpenedSocket> open_socket(const OpenSpec& spec) {
  const Result<AddressBytes> remote = to_bytes(spec.remote);
  if (!remote) return remote.error();
  Result<Descriptor> made = make_socket(address_family(remote.value()), spec.options);
  if (!made) return made.error();
  if (spec.local) {
    const Result<AddressBytes> local = to_bytes(*spec.local);
    if (!local) return local.error();
    const Status bound = bind_before_connect(made.value().get(), local.value(), spec.local->port);
    if (!bound) return bound.error();
  }
  return OpenedSocket{std::move(made).value(), std::make_unique<AddressBytes>(remote.value())};
}

Status check_stream_socket(NativeHandle native) noexcept {
  int type = 0;
  socklen_t length = sizeof type;
  if (::getsockopt(static_cast<int>(native), SOL_SOCKET, SO_TYPE, &type, &length) != 0) {
    return last_error("getsockopt");
  }
  if (type != SOCK_STREAM) return SystemError{error_number::kEPROTOTYPE, "getsockopt"};
  return std::monostate{};
}

}  // namespace iocp::posix
