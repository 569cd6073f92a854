#include "backend/winsock/datagram_message.h"

#include <mswsock.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <type_traits>

#include "backend/net/datagram_words.h"

namespace iocp::winsock {
namespace {

/// Numbers of ws2ipdef.h that not every SDK has.
constexpr int kIpTos = 3;
constexpr int kIpTtl = 4;
constexpr int kHopLimit = 21;  // IP_HOPLIMIT and IPV6_HOPLIMIT
constexpr int kIpv6TrafficClass = 39;

/// Where the sender and the control messages are in a slot. What stands before is the header's.
constexpr std::size_t kNameOffset = 64;
constexpr std::size_t kNameBytes = 32;
constexpr std::size_t kControlOffset = kNameOffset + kNameBytes;
constexpr std::size_t kControlBytes = std::size_t{limit::kDatagramOffset} - kControlOffset;
static_assert(sizeof(sockaddr_in6) <= kNameBytes && kControlOffset % alignof(WSACMSGHDR) == 0);

/// Control messages have their data and their successor at multiples of this (WSA_CMSG_DATA).
constexpr std::size_t align(std::size_t bytes) noexcept {
  constexpr std::size_t kAlignment = alignof(WSACMSGHDR);
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}
constexpr std::size_t kDataOffset = align(sizeof(WSACMSGHDR));

/// Windows takes IP_TOS and does not follow it, but for those versions that know IPV6_TCLASS, and these follow both.
bool follows_traffic_class() noexcept {
  static const bool follows = [] {
    const SOCKET socket =
        ::WSASocketW(AF_INET6, SOCK_DGRAM, 0, nullptr, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (socket == INVALID_SOCKET) return false;
    const DWORD lower_effort = 1;
    const int failed = ::setsockopt(socket, IPPROTO_IPV6, kIpv6TrafficClass,
                                    reinterpret_cast<const char*>(&lower_effort), sizeof lower_effort);
    static_cast<void>(::closesocket(socket));
    return failed == 0;
  }();
  return follows;
}

// ---------------------------------------------------------------------------------------------------------- to be sent

/// Appends a control message.
template <typename Value>
void add_control(OutgoingMessage& message, int level, int type, const Value& value) noexcept {
  static_assert(std::is_trivially_copyable_v<Value>);
  char* const place = message.control.data() + message.header.Control.len;
  const WSACMSGHDR header{.cmsg_len = kDataOffset + sizeof value, .cmsg_level = level, .cmsg_type = type};
  std::memcpy(place, &header, sizeof header);
  std::memcpy(place + kDataOffset, &value, sizeof value);
  message.header.Control.buf = message.control.data();
  message.header.Control.len += static_cast<ULONG>(kDataOffset + align(sizeof value));
}
static_assert(2 * kDataOffset + align(sizeof(IN6_PKTINFO)) + align(sizeof(INT)) <=
              OutgoingMessage::kControlBytes);

void add_source(OutgoingMessage& message, const net::DatagramRoute& route,
                std::int32_t interface_index) noexcept {
  const auto number = static_cast<ULONG>(interface_index);
  if (route.ipv6) {
    IN6_PKTINFO info{};
    info.ipi6_ifindex = number;
    std::memcpy(&info.ipi6_addr, route.source.data(), sizeof info.ipi6_addr);
    return add_control(message, IPPROTO_IPV6, IPV6_PKTINFO, info);
  }
  IN_PKTINFO info{};
  info.ipi_ifindex = number;
  std::memcpy(&info.ipi_addr, route.source.data(), sizeof info.ipi_addr);
  add_control(message, IPPROTO_IP, IP_PKTINFO, info);
}

// ------------------------------------------------------------------------------------------------------------ received

void read_ip(net::IncomingHeader& header, int type, std::span<const std::byte> data) noexcept {
  switch (type) {
    case kIpTos: return header.set_tos(net::read_raw<INT>(data));
    case kIpTtl:
    case kHopLimit: return header.set_ttl(net::read_raw<INT>(data));
    case IP_PKTINFO: {
      const auto info = net::read_raw<IN_PKTINFO>(data);
      return header.set_local(info.ipi_addr, static_cast<std::int32_t>(info.ipi_ifindex));
    }
    default: return;
  }
}

void read_ipv6(net::IncomingHeader& header, int type, std::span<const std::byte> data) noexcept {
  switch (type) {
    case kIpv6TrafficClass: return header.set_tos(net::read_raw<INT>(data));
    case kHopLimit: return header.set_ttl(net::read_raw<INT>(data));
    case IPV6_PKTINFO: {
      const auto info = net::read_raw<IN6_PKTINFO>(data);
      return header.set_local(info.ipi6_addr, static_cast<std::int32_t>(info.ipi6_ifindex));
    }
    default: return;
  }
}

void read_control(net::IncomingHeader& header, std::span<const std::byte> control) noexcept {
  while (control.size() >= kDataOffset) {
    const auto message = net::read_raw<WSACMSGHDR>(control);
    if (message.cmsg_len < kDataOffset || message.cmsg_len > control.size()) return;
    const auto data = control.subspan(kDataOffset, message.cmsg_len - kDataOffset);
    if (message.cmsg_level == IPPROTO_IP) read_ip(header, message.cmsg_type, data);
    if (message.cmsg_level == IPPROTO_IPV6) read_ipv6(header, message.cmsg_type, data);
    control = control.subspan(std::min(align(message.cmsg_len), control.size()));
  }
}

}  // namespace

std::int32_t prepare_message(OutgoingMessage& message, const OutgoingDatagram& datagram,
                             SocketKind kind) noexcept {
  net::DatagramRoute route;
  if (const std::int32_t error = net::find_route(datagram, kind, route); error != 0) return error;
  const auto control = static_cast<std::uint32_t>(datagram.words[outgoing_word::kControl]);
  const bool has_tos = (route.flags & outgoing_flag::kTos) != 0;
  if ((control & 0xffff) != 0 || (route.flags & outgoing_flag::kTtl) != 0 ||
      (has_tos && !follows_traffic_class())) {
    return -error_number::kEOPNOTSUPP;
  }

  message.payload = {.len = static_cast<ULONG>(datagram.payload.length),
                     .buf = static_cast<char*>(datagram.payload.base)};
  message.header = {};
  message.header.lpBuffers = &message.payload;
  message.header.dwBufferCount = 1;
  if (route.peer_bytes > 0) {
    message.peer = route.peer;
    message.header.name = reinterpret_cast<sockaddr*>(&message.peer);
    message.header.namelen = static_cast<INT>(route.peer_bytes);
  }
  if (has_tos) {
    const auto tos = static_cast<INT>((control >> 16) & 0xff);
    if (route.ipv6) {
      add_control(message, IPPROTO_IPV6, kIpv6TrafficClass, tos);
    } else {
      add_control(message, IPPROTO_IP, kIpTos, tos);
    }
  }
  if ((route.flags & outgoing_flag::kSource) != 0) {
    add_source(message, route, datagram.words[outgoing_word::kInterface]);
  }
  return 0;
}

void prepare_message(IncomingMessage& message, std::byte* slot, std::size_t slot_bytes) noexcept {
  // What a predecessor left there must not be read where the system writes nothing.
  std::memset(slot + kNameOffset, 0, kNameBytes + sizeof(WSACMSGHDR));
  constexpr std::size_t kOffset = limit::kDatagramOffset;
  message.payload = {.len = static_cast<ULONG>(slot_bytes - kOffset),
                     .buf = reinterpret_cast<char*>(slot + kOffset)};
  message.header = {};
  message.header.name = reinterpret_cast<sockaddr*>(slot + kNameOffset);
  message.header.namelen = kNameBytes;
  message.header.lpBuffers = &message.payload;
  message.header.dwBufferCount = 1;
  message.header.Control = {.len = kControlBytes, .buf = reinterpret_cast<char*>(slot + kControlOffset)};
}

void describe(const IncomingMessage& message, std::byte* slot, bool truncated) noexcept {
  net::IncomingHeader header;
  header.set_sender({slot + kNameOffset, kNameBytes});
  read_control(header,
               {slot + kControlOffset, std::min<std::size_t>(message.header.Control.len, kControlBytes)});
  if (truncated) header.set_truncated();
  header.write(slot);
}

}  // namespace iocp::winsock
