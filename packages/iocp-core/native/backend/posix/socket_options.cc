#include "backend/net/socket_options.h"

#include "backend/net/os.h"
#include "backend/net/os_sockets.h"
// After os_sockets.h. Has all options of TCP, unlike older netinet/tcp.h, which cannot be included together with it.
#include <linux/tcp.h>
#include <linux/udp.h>

#include <array>

namespace iocp::net {
namespace {

constexpr std::array kOptions = std::to_array<os::OptionPlace>({
    {"noDelay", IPPROTO_TCP, TCP_NODELAY},
    {"cork", IPPROTO_TCP, TCP_CORK},
    {"quickAck", IPPROTO_TCP, TCP_QUICKACK},
    {"keepAlive", SOL_SOCKET, SO_KEEPALIVE},
    {"keepAliveIdle", IPPROTO_TCP, TCP_KEEPIDLE},
    {"keepAliveInterval", IPPROTO_TCP, TCP_KEEPINTVL},
    {"keepAliveCount", IPPROTO_TCP, TCP_KEEPCNT},
    {"userTimeout", IPPROTO_TCP, TCP_USER_TIMEOUT},
    {"synCount", IPPROTO_TCP, TCP_SYNCNT},
    {"maxSegment", IPPROTO_TCP, TCP_MAXSEG},
    {"notSentLowWater", IPPROTO_TCP, TCP_NOTSENT_LOWAT},
    {"deferAccept", IPPROTO_TCP, TCP_DEFER_ACCEPT},
    {"fastOpen", IPPROTO_TCP, TCP_FASTOPEN},
    {"fastOpenConnect", IPPROTO_TCP, TCP_FASTOPEN_CONNECT},
    {"congestion", IPPROTO_TCP, TCP_CONGESTION},
    {"receiveBuffer", SOL_SOCKET, SO_RCVBUF},
    {"sendBuffer", SOL_SOCKET, SO_SNDBUF},
    {"receiveLowWater", SOL_SOCKET, SO_RCVLOWAT},
    {"linger", SOL_SOCKET, SO_LINGER},
    {"reuseAddress", SOL_SOCKET, SO_REUSEADDR},
    {"reusePort", SOL_SOCKET, SO_REUSEPORT},
    {"bindToDevice", SOL_SOCKET, SO_BINDTODEVICE},
    {"mark", SOL_SOCKET, SO_MARK},
    {"priority", SOL_SOCKET, SO_PRIORITY},
    {"busyPoll", SOL_SOCKET, SO_BUSY_POLL},
    {"incomingCpu", SOL_SOCKET, SO_INCOMING_CPU},
    {"tos", IPPROTO_IP, IP_TOS, IPV6_TCLASS},
    {"ttl", IPPROTO_IP, IP_TTL, IPV6_UNICAST_HOPS},
    {"ipv6Only", IPPROTO_IPV6, IPV6_V6ONLY},
    {"broadcast", SOL_SOCKET, SO_BROADCAST},
    {"multicastTtl", IPPROTO_IP, IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS},
    {"multicastLoop", IPPROTO_IP, IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP},
    {"multicastInterface", IPPROTO_IP, IP_MULTICAST_IF, IPV6_MULTICAST_IF},
    {"receiveDestination", IPPROTO_IP, IP_PKTINFO, IPV6_RECVPKTINFO},
    {"receiveTos", IPPROTO_IP, IP_RECVTOS, IPV6_RECVTCLASS},
    {"receiveTtl", IPPROTO_IP, IP_RECVTTL, IPV6_RECVHOPLIMIT},
    {"receiveErrors", IPPROTO_IP, IP_RECVERR, IPV6_RECVERR},
    {"receiveSegments", IPPROTO_UDP, UDP_GRO},
});

}  // namespace

Status os::choose_ipv4_multicast(NativeHandle native, const ChosenInterface& chosen) noexcept {
  ip_mreqn request{};
  request.imr_ifindex = static_cast<int>(chosen.index);
  // The number alone would do, but only the address can be read again.
  if (chosen.ipv4)
    request.imr_address = reinterpret_cast<const sockaddr_in*>(as_sockaddr(*chosen.ipv4))->sin_addr;
  return write_option(native, IPPROTO_IP, IP_MULTICAST_IF, request);
}

std::span<const os::OptionPlace> os::option_places() noexcept { return kOptions; }

}  // namespace iocp::net
