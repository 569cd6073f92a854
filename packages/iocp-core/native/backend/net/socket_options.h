#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "backend/net/result.h"
#include "core/handle.h"

namespace iocp::net {

/// A number in the unit of the option (flags are 0 or 1, `linger` is seconds or -1 for off), or a text.
using OptionValue = std::variant<std::int32_t, std::string>;

struct NamedOption {
  std::string name;
  OptionValue value;
};

/// The names that `get_option` and `set_option` know. They are the same on every system.
[[nodiscard]] std::vector<std::string_view> option_names();

/// Reads an option. EINVAL for a name that is not in the table, ENOPROTOOPT for one that this system does not have.
/// Linux reports buffer sizes as the kernel holds them, twice of what was set (socket(7)). `multicastInterface` is read as
/// the name of the interface, and as '' when the system chooses. Windows: `receiveErrors` can be set only (ENOPROTOOPT).
[[nodiscard]] Result<OptionValue> get_option(NativeHandle native, std::string_view name);

/// Sets an option. EINVAL for a name that is not in the table, or text for a number or the other way round;
/// ENOPROTOOPT for an option that this system does not have. What both versions of IP have (`tos`, `ttl`, `multicastTtl`,
/// `multicastLoop`, `multicastInterface`, `receiveDestination`, `receiveTos`, `receiveTtl`, `receiveErrors`) is set on an
/// IPv6 socket for IPv6 and for the IPv4 it may carry. `multicastInterface` takes a name, a number or one of the
/// addresses of an interface (ENODEV when there is none), and '' to let the system choose. Windows: `receiveErrors`
/// makes a receive fail, with or without a peer, when the network has answered to an earlier datagram (SIO_UDP_CONNRESET,
/// SIO_UDP_NETRESET), and `multicastLoop` matters at the socket that receives.
[[nodiscard]] Status set_option(NativeHandle native, std::string_view name, const OptionValue& value);

/// What the system knows about a TCP connection: TCP_INFO of tcp(7) on Linux, SIO_TCP_INFO on Windows (10 1703 and
/// newer). Fields that a system does not have are left out; a name means the same on both, `state` has the numbers of
/// Linux. Units end the names. EOPNOTSUPP where there is no such call.
using NamedNumber = std::pair<const char*, double>;
[[nodiscard]] Result<std::vector<NamedNumber>> tcp_info(NativeHandle native);

}  // namespace iocp::net
