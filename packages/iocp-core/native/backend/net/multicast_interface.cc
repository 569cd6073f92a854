#include "backend/net/multicast_interface.h"

#include <array>
#include <cstdint>

#include "backend/net/address.h"
#include "backend/net/interfaces.h"
#include "backend/net/os_sockets.h"

namespace iocp::net {
namespace {

/// The number or the address of the interface, whichever the system keeps; '' when there is none.
Result<std::string> read_choice(NativeHandle native, const os::OptionPlace& place, int family) {
  std::uint32_t number = 0;
  if (family == AF_INET6) {
    const Result<std::uint32_t> read = read_option<std::uint32_t>(native, IPPROTO_IPV6, place.ipv6_option);
    if (!read) return read.error();
    number = read.value();
  } else {
    const Result<in_addr> read = read_option<in_addr>(native, place.level, place.option);
    if (!read) return read.error();
    // Windows keeps a number in place of an address; no address begins with 0.
    constexpr std::uint32_t kNumberMax = 0x00FFFFFF;
    number = ::ntohl(read.value().s_addr);
    if (number > kNumberMax) {
      std::array<char, INET_ADDRSTRLEN> text{};
      if (::inet_ntop(AF_INET, &read.value(), text.data(), static_cast<socklen_t>(text.size())) == nullptr) {
        return last_error("inet_ntop");
      }
      return std::string(text.data());
    }
  }
  return number == 0 ? std::string() : std::to_string(number);
}

}  // namespace

Result<OptionValue> read_multicast_interface(NativeHandle native, const os::OptionPlace& place) {
  const Result<int> family = os::socket_family(native);
  if (!family) return family.error();
  const Result<std::string> choice = read_choice(native, place, family.value());
  if (!choice) return choice.error();
  if (choice.value().empty()) return OptionValue(std::string());
  const Result<ChosenInterface> found = find_interface(choice.value());
  return OptionValue(found ? found.value().name : choice.value());
}

Status write_multicast_interface(NativeHandle native, const os::OptionPlace& place, const std::string& text) {
  const Result<int> family = os::socket_family(native);
  if (!family) return family.error();
  ChosenInterface chosen;
  if (!text.empty()) {
    const Result<ChosenInterface> found = find_interface(text);
    if (!found) return found.error();
    chosen = found.value();
  }
  if (family.value() != AF_INET6) return os::choose_ipv4_multicast(native, chosen);
  const Status set = write_option(native, IPPROTO_IPV6, place.ipv6_option, chosen.index);
  // A socket for IPv6 alone need not take the same for IPv4.
  if (set) static_cast<void>(os::choose_ipv4_multicast(native, chosen));
  return set;
}

}  // namespace iocp::net
