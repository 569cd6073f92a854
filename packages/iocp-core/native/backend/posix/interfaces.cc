#include "backend/net/interfaces.h"

#include <ifaddrs.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "backend/net/os_sockets.h"

namespace iocp::net {
namespace {

/// Nothing for the addresses of other families.
std::optional<AddressBytes> ip_of(const sockaddr* raw) noexcept {
  if (raw == nullptr || (raw->sa_family != AF_INET && raw->sa_family != AF_INET6)) return std::nullopt;
  AddressBytes address;
  address.length = raw->sa_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  std::memcpy(address.bytes.data(), raw, address.length);
  return address;
}

}  // namespace

Result<std::vector<NetworkInterface>> network_interfaces() {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return last_error("getifaddrs");
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(first, ::freeifaddrs);
  std::vector<NetworkInterface> interfaces;
  // One entry for every address, and one without for the interface itself.
  for (const ifaddrs* entry = first; entry != nullptr; entry = entry->ifa_next) {
    auto found = std::ranges::find(interfaces, entry->ifa_name, &NetworkInterface::name);
    if (found == interfaces.end()) {
      interfaces.push_back({::if_nametoindex(entry->ifa_name), entry->ifa_name, {}});
      found = interfaces.end() - 1;
    }
    if (const std::optional<AddressBytes> address = ip_of(entry->ifa_addr))
      found->addresses.push_back(*address);
  }
  return interfaces;
}

}  // namespace iocp::net
