#include "backend/net/interfaces.h"

#include <algorithm>
#include <charconv>
#include <span>

#include "backend/net/address.h"
#include "backend/net/os_sockets.h"
#include "core/protocol.gen.h"

namespace iocp::net {
namespace {

constexpr SystemError kNone{error_number::kENODEV, "if_nametoindex"};

/// Whether `address` is the one that is looked for, which may have no scope.
bool is_same(const AddressBytes& address, const SocketAddress& wanted) {
  const Result<SocketAddress> described = from_bytes(address);
  return described && described.value().host == wanted.host &&
         (wanted.scope_id == 0 || described.value().scope_id == wanted.scope_id);
}

bool has_address(const NetworkInterface& candidate, const SocketAddress& wanted) {
  return std::ranges::any_of(candidate.addresses,
                             [&wanted](const AddressBytes& own) { return is_same(own, wanted); });
}

ChosenInterface choose(const NetworkInterface& found) {
  ChosenInterface chosen{found.index, found.name, std::nullopt};
  const auto ipv4 = std::ranges::find(found.addresses, int{AF_INET}, address_family);
  if (ipv4 != found.addresses.end()) chosen.ipv4 = *ipv4;
  return chosen;
}

Result<ChosenInterface> find_by_address(std::span<const NetworkInterface> interfaces,
                                        const AddressBytes& address) {
  const Result<SocketAddress> wanted = from_bytes(address);
  if (!wanted) return wanted.error();
  const auto found = std::ranges::find_if(interfaces, [&wanted](const NetworkInterface& candidate) {
    return has_address(candidate, wanted.value());
  });
  if (found == interfaces.end()) return kNone;
  ChosenInterface chosen = choose(*found);
  if (wanted.value().family == Family::Ipv4) chosen.ipv4 = address;
  return chosen;
}

}  // namespace

Result<std::uint32_t> interface_number(const std::string& text) {
  std::uint32_t number = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  if (!text.empty() && parsed.ec == std::errc{} && parsed.ptr == end) return number;
  number = ::if_nametoindex(text.c_str());
  if (number == 0) return kNone;
  return number;
}

Result<ChosenInterface> find_interface(const std::string& text) {
  const Result<std::vector<NetworkInterface>> listed = network_interfaces();
  if (!listed) return listed.error();
  const std::span<const NetworkInterface> interfaces = listed.value();
  if (const Result<AddressBytes> address = ip_address(text, 0)) {
    return find_by_address(interfaces, address.value());
  }
  const Result<std::uint32_t> number = interface_number(text);
  const auto found = number ? std::ranges::find(interfaces, number.value(), &NetworkInterface::index)
                            : std::ranges::find(interfaces, text, &NetworkInterface::name);
  if (found == interfaces.end()) return kNone;
  return choose(*found);
}

}  // namespace iocp::net
