#include "backend/net/socket_options.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "backend/net/multicast_interface.h"
#include "backend/net/os.h"
#include "backend/net/os_sockets.h"
#include "core/protocol.gen.h"

namespace iocp::net {
namespace {

enum class Kind : std::uint8_t { Number, Linger, Text, Interface };

struct OptionEntry {
  std::string_view name;
  Kind kind = Kind::Number;
};

/// All options, whether this system has them or not.
constexpr auto kOptions = std::to_array<OptionEntry>({
    {"noDelay"},
    {"cork"},
    {"quickAck"},
    {"keepAlive"},
    {"keepAliveIdle"},
    {"keepAliveInterval"},
    {"keepAliveCount"},
    {"userTimeout"},
    {"synCount"},
    {"maxSegment"},
    {"notSentLowWater"},
    {"deferAccept"},
    {"fastOpen"},
    {"fastOpenConnect"},
    {"congestion", Kind::Text},
    {"receiveBuffer"},
    {"sendBuffer"},
    {"receiveLowWater"},
    {"linger", Kind::Linger},
    {"reuseAddress"},
    {"reusePort"},
    {"bindToDevice", Kind::Text},
    {"mark"},
    {"priority"},
    {"busyPoll"},
    {"incomingCpu"},
    {"tos"},
    {"ttl"},
    {"ipv6Only"},
    {"broadcast"},
    {"multicastTtl"},
    {"multicastLoop"},
    {"multicastInterface", Kind::Interface},
    {"receiveDestination"},
    {"receiveTos"},
    {"receiveTtl"},
    {"receiveErrors"},
    {"receiveSegments"},
});

constexpr SystemError kUnknown{error_number::kEINVAL, "setsockopt"};
constexpr SystemError kNotHere{error_number::kENOPROTOOPT, "setsockopt"};

/// An option that this system has.
struct Option {
  Kind kind;
  os::OptionPlace place;
};

Result<Option> find_option(std::string_view name) noexcept {
  const auto entry = std::ranges::find(kOptions, name, &OptionEntry::name);
  if (entry == kOptions.end()) return kUnknown;
  const auto places = os::option_places();
  const auto place = std::ranges::find(places, name, &os::OptionPlace::name);
  if (place == places.end()) return kNotHere;
  return Option{entry->kind, *place};
}

/// True when the option is to be read and set at the level of IPv6.
bool is_of_ipv6(NativeHandle native, const os::OptionPlace& place) noexcept {
  if (place.ipv6_option < 0) return false;
  const Result<int> family = os::socket_family(native);
  return family && family.value() == AF_INET6;
}

Result<OptionValue> read_number(NativeHandle native, const os::OptionPlace& place) {
  const Result<int> read = is_of_ipv6(native, place)
                               ? read_option<int>(native, IPPROTO_IPV6, place.ipv6_option)
                               : read_option<int>(native, place.level, place.option);
  if (!read) return read.error();
  return OptionValue(std::int32_t{read.value()});
}

Result<OptionValue> read_linger(NativeHandle native) {
  const Result<linger> read = read_option<linger>(native, SOL_SOCKET, SO_LINGER);
  if (!read) return read.error();
  return OptionValue(read.value().l_onoff == 0 ? std::int32_t{-1} : std::int32_t{read.value().l_linger});
}

Result<OptionValue> read_text(NativeHandle native, const os::OptionPlace& place) {
  std::array<char, 64> text{};
  auto length = static_cast<socklen_t>(text.size());
  if (::getsockopt(socket_of(native), place.level, place.option, text.data(), &length) != 0) {
    return last_error("getsockopt");
  }
  return OptionValue(std::string(text.data(), ::strnlen(text.data(), static_cast<std::size_t>(length))));
}

Status write_number(NativeHandle native, const os::OptionPlace& place, std::int32_t number) noexcept {
  if (!is_of_ipv6(native, place)) return write_option(native, place.level, place.option, number);
  const Status set = write_option(native, IPPROTO_IPV6, place.ipv6_option, number);
  // A socket for IPv6 alone need not take the same for IPv4.
  if (set) static_cast<void>(write_option(native, place.level, place.option, number));
  return set;
}

Status write_linger(NativeHandle native, std::int32_t seconds) noexcept {
  constexpr std::int32_t kSecondsMax = std::numeric_limits<std::uint16_t>::max();  // u_short on Windows
  linger value{};
  value.l_onoff = seconds < 0 ? 0 : 1;
  value.l_linger = static_cast<decltype(value.l_linger)>(std::clamp(seconds, 0, kSecondsMax));
  return write_option(native, SOL_SOCKET, SO_LINGER, value);
}

Status write_text(NativeHandle native, const os::OptionPlace& place, const std::string& text) noexcept {
  const auto length = static_cast<socklen_t>(text.size());
  if (::setsockopt(socket_of(native), place.level, place.option, text.data(), length) != 0) {
    return last_error("setsockopt");
  }
  return std::monostate{};
}

}  // namespace

std::vector<std::string_view> option_names() {
  std::vector<std::string_view> names;
  names.reserve(kOptions.size());
  for (const OptionEntry& entry : kOptions) names.push_back(entry.name);
  return names;
}

Result<OptionValue> get_option(NativeHandle native, std::string_view name) {
  const Result<Option> option = find_option(name);
  if (!option) return SystemError{option.error().error, "getsockopt"};
  if (option.value().place.write != nullptr) return SystemError{error_number::kENOPROTOOPT, "getsockopt"};
  switch (option.value().kind) {
    case Kind::Number: return read_number(native, option.value().place);
    case Kind::Linger: return read_linger(native);
    case Kind::Interface: return read_multicast_interface(native, option.value().place);
    case Kind::Text: break;
  }
  return read_text(native, option.value().place);
}

Status set_option(NativeHandle native, std::string_view name, const OptionValue& value) {
  const Result<Option> option = find_option(name);
  if (!option) return option.error();
  const auto& [kind, place] = option.value();
  const std::string* const text = std::get_if<std::string>(&value);
  if ((kind == Kind::Text || kind == Kind::Interface) != (text != nullptr)) return kUnknown;
  if (kind == Kind::Interface) return write_multicast_interface(native, place, *text);
  if (text != nullptr) return write_text(native, place, *text);
  const std::int32_t number = *std::get_if<std::int32_t>(&value);
  if (place.write != nullptr) return place.write(native, number);
  return kind == Kind::Linger ? write_linger(native, number) : write_number(native, place, number);
}

}  // namespace iocp::net
