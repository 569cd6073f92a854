#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "backend/posix/result.h"
#include "core/handle.h"

namespace iocp::posix {

/// What the number of an option counts; `Linger` is seconds, or -1 for off.
enum class OptionUnit : std::uint8_t { Flag, Count, Bytes, Seconds, Milliseconds, Linger, Text };

using OptionValue = std::variant<std::int32_t, std::string>;

struct NamedOption {
  std::string name;
  OptionValue value;
};

/// The names that `get_option` and `set_option` know.
[[nodiscard]] std::vector<std::string_view> option_names();

/// Reads an option. EINVAL for a name that is not in the table. Buffer sizes come back as the kernel holds
/// them, twice of what was set (socket(7)).
[[nodiscard]] Result<OptionValue> get_option(NativeHandle native, std::string_view name);

/// Sets an option. EINVAL for a name that is not in the table, or text for a number or the other way round.
/// `tos` and `ttl` of an IPv6 socket are set for IPv6 and for the IPv4 it may carry.
[[nodiscard]] Status set_option(NativeHandle native, std::string_view name, const OptionValue& value);

/// What the kernel knows about a TCP connection (TCP_INFO of tcp(7)); fields that this kernel does not have
/// are left out. Times are in the unit that ends their name.
using NamedNumber = std::pair<const char*, double>;
[[nodiscard]] Result<std::vector<NamedNumber>> tcp_info(NativeHandle native);

}  // namespace iocp::posix
