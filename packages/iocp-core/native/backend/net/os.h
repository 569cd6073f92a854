#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "backend/net/address.h"
#include "backend/net/result.h"
#include "backend/net/socket_factory.h"
#include "core/handle.h"

/// What systems do each in its own way: the files of this folder call it, posix/ and winsock/ implement it.
namespace iocp::net::os {

/// Sets what only listening sockets have, before bind. Not for Unix sockets.
[[nodiscard]] Status prepare_listener(NativeHandle native, const ListenSpec& spec) noexcept;

/// Sets what a socket needs that is bound to port 0 and then connected. Not for Unix sockets.
[[nodiscard]] Status prepare_chosen_port(NativeHandle native) noexcept;

/// Why binding to `address` failed just now.
[[nodiscard]] SystemError bind_error(const AddressBytes& address);

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
};

/// The options that this system has.
[[nodiscard]] std::span<const OptionPlace> option_places() noexcept;

/// The size of a page in bytes.
[[nodiscard]] std::size_t page_bytes() noexcept;

/// Gives whole pages back: their content is lost, or may be lost at any time until they are written again.
void discard(std::span<std::byte> pages) noexcept;

}  // namespace iocp::net::os
