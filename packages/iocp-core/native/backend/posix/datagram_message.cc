#include "backend/posix/datagram_message.h"

#include <linux/udp.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <type_traits>

#include "backend/net/datagram_words.h"

namespace iocp::posix {
namespace {

static_assert(sizeof(IoVector) == sizeof(iovec) && offsetof(IoVector, base) == offsetof(iovec, iov_base) &&
              offsetof(IoVector, length) == offsetof(iovec, iov_len));
static_assert(alignof(OutgoingMessage) <= alignof(std::max_align_t));

// ---------------------------------------------------------------------------------------------------------- to be sent

/// Appends a control message. Not with CMSG_NXTHDR, which looks at what stands in the memory behind.
template <typename Value>
void add_control(OutgoingMessage& message, int level, int type, const Value& value) noexcept {
  static_assert(std::is_trivially_copyable_v<Value>);
  std::byte* const place = message.control.data() + message.header.msg_controllen;
  cmsghdr header{};
  header.cmsg_len = CMSG_LEN(sizeof value);
  header.cmsg_level = level;
  header.cmsg_type = type;
  std::memcpy(place, &header, sizeof header);
  std::memcpy(place + CMSG_LEN(0), &value, sizeof value);
  message.header.msg_control = message.control.data();
  message.header.msg_controllen += CMSG_SPACE(sizeof value);
}

void add_source(OutgoingMessage& message, const net::DatagramRoute& route,
                std::int32_t interface_index) noexcept {
  if (!route.ipv6) {
    in_pktinfo info{};
    info.ipi_ifindex = interface_index;
    std::memcpy(&info.ipi_spec_dst, route.source.data(), sizeof info.ipi_spec_dst);
    return add_control(message, IPPROTO_IP, IP_PKTINFO, info);
  }
  in6_pktinfo info{};
  info.ipi6_ifindex = static_cast<decltype(info.ipi6_ifindex)>(interface_index);
  std::memcpy(&info.ipi6_addr, route.source.data(), sizeof info.ipi6_addr);
  add_control(message, IPPROTO_IPV6, IPV6_PKTINFO, info);
}

/// The kernel looks only at the controls of the family that the datagram travels with, and ignores the others.
void add_controls(OutgoingMessage& message, const OutgoingDatagram& datagram,
                  const net::DatagramRoute& route) noexcept {
  const auto control = static_cast<std::uint32_t>(datagram.words[outgoing_word::kControl]);
  if ((route.flags & outgoing_flag::kTos) != 0) {
    const auto tos = static_cast<int>((control >> 16) & 0xff);
    if (route.ipv4) add_control(message, IPPROTO_IP, IP_TOS, tos);
    if (route.ipv6) add_control(message, IPPROTO_IPV6, IPV6_TCLASS, tos);
  }
  if ((route.flags & outgoing_flag::kTtl) != 0) {
    const auto ttl = static_cast<int>(control >> 24);
    if (route.ipv4) add_control(message, IPPROTO_IP, IP_TTL, ttl);
    if (route.ipv6) add_control(message, IPPROTO_IPV6, IPV6_HOPLIMIT, ttl);
  }
  if ((route.flags & outgoing_flag::kSource) != 0) {
    add_source(message, route, datagram.words[outgoing_word::kInterface]);
  }
  if (const auto segment = static_cast<std::uint16_t>(control & 0xffff); segment != 0) {
    add_control(message, IPPROTO_UDP, UDP_SEGMENT, segment);
  }
}

// ------------------------------------------------------------------------------------------------------------ received

/// IP_TOS comes as a byte and everything else as an int.
std::int32_t read_number(std::span<const std::byte> bytes) noexcept {
  return bytes.size() < sizeof(int) ? net::read_raw<std::uint8_t>(bytes) : net::read_raw<int>(bytes);
}

void read_ip(net::IncomingHeader& header, int type, std::span<const std::byte> data) noexcept {
  switch (type) {
    case IP_TOS: return header.set_tos(read_number(data));
    case IP_TTL: return header.set_ttl(read_number(data));
    case IP_PKTINFO: {
      const auto info = net::read_raw<in_pktinfo>(data);
      return header.set_local(info.ipi_addr, info.ipi_ifindex);
    }
    default: return;
  }
}

void read_ipv6(net::IncomingHeader& header, int type, std::span<const std::byte> data) noexcept {
  switch (type) {
    case IPV6_TCLASS: return header.set_tos(read_number(data));
    case IPV6_HOPLIMIT: return header.set_ttl(read_number(data));
    case IPV6_PKTINFO: {
      const auto info = net::read_raw<in6_pktinfo>(data);
      return header.set_local(info.ipi6_addr, static_cast<std::int32_t>(info.ipi6_ifindex));
    }
    default: return;
  }
}

void read_control(net::IncomingHeader& header, std::span<const std::byte> control) noexcept {
  while (control.size() >= sizeof(cmsghdr)) {
    const auto message = net::read_raw<cmsghdr>(control);
    if (message.cmsg_len < CMSG_LEN(0) || message.cmsg_len > control.size()) return;
    const std::span<const std::byte> data =
        control.subspan(CMSG_LEN(0), static_cast<std::size_t>(message.cmsg_len) - CMSG_LEN(0));
    if (message.cmsg_level == IPPROTO_IP) read_ip(header, message.cmsg_type, data);
    if (message.cmsg_level == IPPROTO_IPV6) read_ipv6(header, message.cmsg_type, data);
    if (message.cmsg_level == IPPROTO_UDP && message.cmsg_type == UDP_GRO) {
      header.set_segment_bytes(read_number(data));
    }
    control = control.subspan(std::min<std::size_t>(CMSG_ALIGN(message.cmsg_len), control.size()));
  }
}

}  // namespace

std::int32_t prepare_message(OutgoingDatagram& datagram, SocketKind kind) noexcept {
  net::DatagramRoute route;
  if (const std::int32_t error = net::find_route(datagram, kind, route); error != 0) return error;
  // The control bytes stay as they are: only those that are filled count.
  auto& message = *new (datagram.driver_storage.data()) OutgoingMessage;
  message.header = {};
  message.header.msg_iov = reinterpret_cast<iovec*>(&datagram.payload);
  message.header.msg_iovlen = 1;
  if (route.peer_bytes > 0) {
    message.address = route.peer;
    message.header.msg_name = &message.address;
    message.header.msg_namelen = static_cast<socklen_t>(route.peer_bytes);
  }
  if (route.flags != 0 || datagram.words[outgoing_word::kControl] != 0) {
    add_controls(message, datagram, route);
  }
  return 0;
}

msghdr& message_of(OutgoingDatagram& datagram) noexcept {
  return std::launder(reinterpret_cast<OutgoingMessage*>(datagram.driver_storage.data()))->header;
}

void describe(std::byte* slot, std::span<const std::byte> name, std::span<const std::byte> control,
              bool truncated) noexcept {
  net::IncomingHeader header;
  header.set_sender(name);
  read_control(header, control);
  if (truncated) header.set_truncated();
  header.write(slot);
}

}  // namespace iocp::posix
