#include <cstring>

#include "backend/net/os.h"
#include "backend/net/os_sockets.h"

namespace iocp::net {
namespace {

void copy_address(const AddressBytes& from, sockaddr_storage& to) noexcept {
  std::memcpy(&to, from.bytes.data(), from.length);
}

}  // namespace

Status os::change_membership(NativeHandle native, const Membership& membership) noexcept {
  const int level = address_family(membership.group) == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
  if (!membership.source) {
    group_req request{};
    request.gr_interface = membership.via.index;
    copy_address(membership.group, request.gr_group);
    return write_option(native, level, membership.join ? MCAST_JOIN_GROUP : MCAST_LEAVE_GROUP, request);
  }
  group_source_req request{};
  request.gsr_interface = membership.via.index;
  copy_address(membership.group, request.gsr_group);
  copy_address(*membership.source, request.gsr_source);
  return write_option(native, level, membership.join ? MCAST_JOIN_SOURCE_GROUP : MCAST_LEAVE_SOURCE_GROUP,
                      request);
}

}  // namespace iocp::net
