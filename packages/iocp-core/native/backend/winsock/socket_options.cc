#include "backend/net/socket_options.h"

#include <array>

#include "backend/net/os.h"
#include "backend/net/os_sockets.h"
#include "backend/winsock/error_reports.h"
#include "backend/winsock/ipv4_interface.h"

namespace iocp::net {
namespace {

// Numbers of ws2ipdef.h that not every SDK has.
constexpr int kTcpKeepIdle = 3;    // Windows 10 1709
constexpr int kTcpFastOpen = 15;   // Windows 10 1607
constexpr int kTcpKeepCount = 16;  // Windows 10 1703
constexpr int kTcpKeepInterval = 17;
constexpr int kReceiveTos = 40;  // IP_RECVTOS and IPV6_RECVTCLASS, Windows 10 1703

// Left out although Windows knows the numbers: IP_TOS and IPV6_TCLASS, which it takes and does not follow; SO_REUSEADDR,
// which would take over the address of another program; TCP_MAXRT, which bounds retransmission and not, like
// TCP_USER_TIMEOUT, the time that data may stay unacknowledged.
constexpr auto kOptions = std::to_array<os::OptionPlace>({
    {"noDelay", IPPROTO_TCP, TCP_NODELAY},
    {"keepAlive", SOL_SOCKET, SO_KEEPALIVE},
    {"keepAliveIdle", IPPROTO_TCP, kTcpKeepIdle},
    {"keepAliveInterval", IPPROTO_TCP, kTcpKeepInterval},
    {"keepAliveCount", IPPROTO_TCP, kTcpKeepCount},
    {"fastOpen", IPPROTO_TCP, kTcpFastOpen},
    {"receiveBuffer", SOL_SOCKET, SO_RCVBUF},
    {"sendBuffer", SOL_SOCKET, SO_SNDBUF},
    {"linger", SOL_SOCKET, SO_LINGER},
    {"ttl", IPPROTO_IP, IP_TTL, IPV6_UNICAST_HOPS},
    {"ipv6Only", IPPROTO_IPV6, IPV6_V6ONLY},
    {"broadcast", SOL_SOCKET, SO_BROADCAST},
    {"multicastTtl", IPPROTO_IP, IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS},
    {"multicastLoop", IPPROTO_IP, IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP},
    {"multicastInterface", IPPROTO_IP, IP_MULTICAST_IF, IPV6_MULTICAST_IF},
    {"receiveDestination", IPPROTO_IP, IP_PKTINFO, IPV6_PKTINFO},
    {"receiveTos", IPPROTO_IP, kReceiveTos, kReceiveTos},
    {"receiveTtl", IPPROTO_IP, IP_HOPLIMIT, IPV6_HOPLIMIT},
    {"receiveErrors", 0, 0, -1, winsock::want_errors},
});

}  // namespace

Status os::choose_ipv4_multicast(NativeHandle native, const ChosenInterface& chosen) noexcept {
  return write_option(native, IPPROTO_IP, IP_MULTICAST_IF, winsock::ipv4_interface(chosen));
}

std::span<const os::OptionPlace> os::option_places() noexcept { return kOptions; }

}  // namespace iocp::net
