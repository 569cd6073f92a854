#include "backend/net/datagram_socket.h"

#include <cerrno>

// Uses timespec without including it.
#include <ctime>

#include <linux/errqueue.h>
#include <linux/sock_diag.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <span>

#include "backend/net/os.h"
#include "backend/net/os_sockets.h"
#include "backend/net/socket_factory.h"
#include "backend/posix/errno.h"

namespace iocp::net {
namespace {

bool tells_error(const cmsghdr& control) noexcept {
  return (control.cmsg_level == IPPROTO_IP && control.cmsg_type == IP_RECVERR) ||
         (control.cmsg_level == IPPROTO_IPV6 && control.cmsg_type == IPV6_RECVERR);
}

AddressBytes address_of(std::span<const std::byte> bytes) noexcept {
  AddressBytes address;
  address.length = static_cast<std::uint32_t>(std::min(bytes.size(), address.bytes.size()));
  std::ranges::copy(bytes.first(address.length), address.bytes.begin());
  return address;
}

/// The error in a control message: the structure, and behind it the address of who told it.
DatagramError read_error(const cmsghdr& control) {
  const std::span<const std::byte> data(reinterpret_cast<const std::byte*>(CMSG_DATA(&control)),
                                        control.cmsg_len - CMSG_LEN(0));
  sock_extended_err raw{};
  std::memcpy(&raw, data.data(), std::min(sizeof raw, data.size()));
  DatagramError error;
  error.error = posix::from_errno(static_cast<int>(raw.ee_errno));
  if (raw.ee_origin == SO_EE_ORIGIN_LOCAL || data.size() <= sizeof raw) return error;
  const Result<SocketAddress> offender = from_bytes(address_of(data.subspan(sizeof raw)));
  if (offender) error.offender = offender.value();
  return error;
}

constexpr std::size_t kPortOffset = offsetof(sockaddr_in, sin_port);
static_assert(kPortOffset == offsetof(sockaddr_in6, sin6_port));

in_port_t port_of(const AddressBytes& address) noexcept {
  in_port_t port = 0;
  std::memcpy(&port, address.bytes.data() + kPortOffset, sizeof port);
  return port;
}

}  // namespace

Status os::prepare_datagram(NativeHandle native, const DatagramSpec& spec) noexcept {
  if (spec.reuse_address) {
    const Status set = write_option(native, SOL_SOCKET, SO_REUSEADDR, 1);
    if (!set) return set;
  }
  if (spec.reuse_port) return write_option(native, SOL_SOCKET, SO_REUSEPORT, 1);
  return std::monostate{};
}

Status os::prepare_other_peer(NativeHandle native) {
  // Linux would keep the local address that led to the previous peer, from which the new one may be out of reach.
  return disconnect_datagram(native);
}

Status os::peer_changed(NativeHandle /*native*/) noexcept { return std::monostate{}; }

Status os::keep_port(NativeHandle native, const AddressBytes& before) {
  // Linux lets go of a port that it had chosen itself (udp_disconnect).
  Result<AddressBytes> now = local_address(native);
  if (!now) return now.error();
  if (port_of(now.value()) != 0) return std::monostate{};
  const in_port_t port = port_of(before);
  std::memcpy(now.value().bytes.data() + kPortOffset, &port, sizeof port);
  return bind_to(native, now.value());
}

Result<std::optional<DatagramError>> take_datagram_error(NativeHandle native) {
  sockaddr_storage destination{};
  // Also for what the options for received datagrams add to an answer.
  alignas(cmsghdr) std::array<std::byte, 512> controls{};
  msghdr message{};
  message.msg_name = &destination;
  message.msg_namelen = sizeof destination;
  message.msg_control = controls.data();
  message.msg_controllen = controls.size();
  if (::recvmsg(socket_of(native), &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
    if (errno == EAGAIN) return std::optional<DatagramError>();
    return last_error("recvmsg");
  }
  std::optional<DatagramError> error;
  for (cmsghdr* control = CMSG_FIRSTHDR(&message); control != nullptr;
       control = CMSG_NXTHDR(&message, control)) {
    if (tells_error(*control)) error = read_error(*control);
  }
  if (!error) return error;
  const Result<SocketAddress> address =
      from_bytes(address_of(std::as_bytes(std::span(&destination, 1)).first(message.msg_namelen)));
  if (address) error->destination = address.value();
  return error;
}

std::int64_t dropped_datagrams(NativeHandle native) noexcept {
  // The counter that SO_RXQ_OVFL tells, without a control message for every datagram.
  std::array<std::uint32_t, SK_MEMINFO_VARS> counts{};
  constexpr socklen_t kNeeded = (SK_MEMINFO_DROPS + 1) * sizeof counts[0];
  socklen_t length = sizeof counts;
  // Emulators of Linux may not know the option, or take it for one of a single number.
  if (::getsockopt(socket_of(native), SOL_SOCKET, SO_MEMINFO, counts.data(), &length) != 0) return -1;
  return length < kNeeded ? -1 : std::int64_t{counts[SK_MEMINFO_DROPS]};
}

}  // namespace iocp::net
