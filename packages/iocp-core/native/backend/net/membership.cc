#include "backend/net/membership.h"

#include <optional>

#include "backend/net/address.h"
#include "backend/net/interfaces.h"
#include "backend/net/os.h"
#include "backend/net/os_sockets.h"
#include "core/protocol.gen.h"

namespace iocp::net {
namespace {

/// A numeric address; a mapped one is meant for IPv4.
Result<AddressBytes> read_address(const std::string& text) {
  const Result<AddressBytes> address = ip_address(text, 0);
  if (!address) return SystemError{address.error().error, "setsockopt"};
  const Result<AddressBytes> plain = fit_family(address.value(), AF_INET);
  return plain ? plain : address;
}

/// The scope of a group names an interface as well.
Result<ChosenInterface> chosen_interface(const MembershipChange& change, const AddressBytes& group) {
  if (!change.interface_text.empty()) return find_interface(change.interface_text);
  const Result<SocketAddress> described = from_bytes(group);
  if (!described) return described.error();
  ChosenInterface chosen;
  chosen.index = described.value().scope_id;
  return chosen;
}

}  // namespace

Status change_membership(NativeHandle native, const MembershipChange& change) {
  constexpr SystemError kOtherFamily{error_number::kEAFNOSUPPORT, "setsockopt"};
  const Result<int> socket_family = os::socket_family(native);
  if (!socket_family) return socket_family.error();
  const Result<AddressBytes> group = read_address(change.group);
  if (!group) return group.error();
  const int family = address_family(group.value());
  if (family == AF_INET6 && socket_family.value() != AF_INET6) return kOtherFamily;
  const Result<ChosenInterface> via = chosen_interface(change, group.value());
  if (!via) return via.error();
  os::Membership membership{change.join, group.value(), std::nullopt, via.value()};
  if (!change.source.empty()) {
    const Result<AddressBytes> source = read_address(change.source);
    if (!source) return source.error();
    if (address_family(source.value()) != family) return kOtherFamily;
    membership.source = source.value();
  }
  return os::change_membership(native, membership);
}

}  // namespace iocp::net
