#include <cstring>

#include "backend/net/os.h"
#include "backend/net/os_sockets.h"
#include "backend/winsock/ipv4_interface.h"

// MCAST_JOIN_GROUP and its kin would do for all. The older options do the same, and Wine has only those.
namespace iocp::net {
namespace {

in_addr ipv4_of(const AddressBytes& address) noexcept {
  return reinterpret_cast<const sockaddr_in*>(as_sockaddr(address))->sin_addr;
}

Status change_ipv4(NativeHandle native, const os::Membership& membership) noexcept {
  if (!membership.source) {
    ip_mreq request{};
    request.imr_multiaddr = ipv4_of(membership.group);
    request.imr_interface = winsock::ipv4_interface(membership.via);
    return write_option(native, IPPROTO_IP, membership.join ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP,
                        request);
  }
  ip_mreq_source request{};
  request.imr_multiaddr = ipv4_of(membership.group);
  request.imr_sourceaddr = ipv4_of(*membership.source);
  request.imr_interface = winsock::ipv4_interface(membership.via);
  return write_option(native, IPPROTO_IP,
                      membership.join ? IP_ADD_SOURCE_MEMBERSHIP : IP_DROP_SOURCE_MEMBERSHIP, request);
}

Status change_ipv6(NativeHandle native, const os::Membership& membership) noexcept {
  if (!membership.source) {
    ipv6_mreq request{};
    request.ipv6mr_multiaddr =
        reinterpret_cast<const sockaddr_in6*>(as_sockaddr(membership.group))->sin6_addr;
    request.ipv6mr_interface = membership.via.index;
    return write_option(native, IPPROTO_IPV6, membership.join ? IPV6_ADD_MEMBERSHIP : IPV6_DROP_MEMBERSHIP,
                        request);
  }
  group_source_req request{};
  request.gsr_interface = membership.via.index;
  std::memcpy(&request.gsr_group, membership.group.bytes.data(), membership.group.length);
  std::memcpy(&request.gsr_source, membership.source->bytes.data(), membership.source->length);
  return write_option(native, IPPROTO_IPV6,
                      membership.join ? MCAST_JOIN_SOURCE_GROUP : MCAST_LEAVE_SOURCE_GROUP, request);
}

}  // namespace

Status os::change_membership(NativeHandle native, const Membership& membership) noexcept {
  return address_family(membership.group) == AF_INET6 ? change_ipv6(native, membership)
                                                      : change_ipv4(native, membership);
}

}  // namespace iocp::net
