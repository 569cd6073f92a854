#pragma once

#include <string>

#include "backend/net/result.h"
#include "core/handle.h"

namespace iocp::net {

/// Joins or leaves a multicast group.
struct MembershipChange {
  bool join = true;
  std::string group;   // numeric; the scope of an IPv6 address (`ff02::1%eth0`) names an interface as well
  std::string source;  // numeric address of the only sender that is wanted (RFC 4607); empty for any
  std::string interface_text;  // name, number or one of the addresses; empty lets the system choose
};

/// Changes what a datagram socket is a member of (RFC 3678). EINVAL when the group is not a multicast address,
/// EAFNOSUPPORT when it is an IPv6 one and the socket of IPv4, or the source of another family than the group; ENODEV for
/// an unknown interface and where the system finds none; EADDRINUSE when the socket is a member already; EADDRNOTAVAIL
/// when it leaves what it has not joined; Linux says EINVAL then when there is a source.
[[nodiscard]] Status change_membership(NativeHandle native, const MembershipChange& change);

}  // namespace iocp::net
