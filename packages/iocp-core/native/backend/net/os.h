#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "backend/net/address.h"
#include "backend/net/datagram_socket.h"
#include "backend/net/interfaces.h"
#include "backend/net/result.h"
#include "backend/net/socket_factory.h"
#include "core/handle.h"

/// What systems do each in its own way: the files of this folder call it, posix/ and winsock/ implement it.
namespace iocp::net::os {

/// Sets what only listening sockets have, before bind. Not for Unix sockets.
[[nodiscard]] Status prepare_listener(NativeHandle native, const ListenSpec& spec) noexcept;

/// Sets what a socket needs that is bound to port 0 and then connected. Not for Unix sockets.
[[nodiscard]] Status prepare_chosen_port(NativeHandle native) noexcept;

/// Sets how a datagram socket shares its address, before bind.
[[nodiscard]] Status prepare_datagram(NativeHandle native, const DatagramSpec& spec) noexcept;

/// Makes a datagram socket that may be connected ready to be connected to another peer.
[[nodiscard]] Status prepare_other_peer(NativeHandle native);

/// Sees to what a datagram socket is told of, once it has a peer or has none any more.
[[nodiscard]] Status peer_changed(NativeHandle native) noexcept;

/// Gives a datagram socket whose connection was taken back just now the port that it had before.
[[nodiscard]] Status keep_port(NativeHandle native, const AddressBytes& before);

/// Why binding a socket to `address` failed just now.
[[nodiscard]] SystemError bind_error(NativeHandle native, const AddressBytes& address);

/// The length of the accept queue as `listen` takes it.
[[nodiscard]] int listen_backlog(int connections) noexcept;

/// The family that a socket was made with (AF_INET, ...).
[[nodiscard]] Result<int> socket_family(NativeHandle native) noexcept;

/// Where the system keeps an option. For IPv6 sockets there may be a second number at the level of IPv6.
struct OptionPlace {
  std::string_view name;
  int level;
  int option;
  int ipv6_option = -1;
  /// Sets an option that is not one of setsockopt here; it cannot be read.
  Status (*write)(NativeHandle native, std::int32_t value) = nullptr;
};

/// Joins or leaves a multicast group. `via` has no number when the system is to choose; `source`, of the family of the
/// group, is the only sender that is wanted.
struct Membership {
  bool join = true;
  AddressBytes group;
  std::optional<AddressBytes> source;
  ChosenInterface via;
};
[[nodiscard]] Status change_membership(NativeHandle native, const Membership& membership) noexcept;

/// Sets the interface that multicast to IPv4 groups leaves through.
[[nodiscard]] Status choose_ipv4_multicast(NativeHandle native, const ChosenInterface& chosen) noexcept;

/// The options that this system has.
[[nodiscard]] std::span<const OptionPlace> option_places() noexcept;

/// The size of a page in bytes.
[[nodiscard]] std::size_t page_bytes() noexcept;

/// Gives whole pages back: their content is lost, or may be lost at any time until they are written again.
void discard(std::span<std::byte> pages) noexcept;

}  // namespace iocp::net::os
