#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend/net/result.h"
#include "core/handle.h"

namespace iocp::net {

/// A network interface of this machine.
struct NetworkInterface {
  std::uint32_t index = 0;
  std::string name;
  std::vector<AddressBytes> addresses;
};

/// An interface that somebody named.
struct ChosenInterface {
  std::uint32_t index = 0;
  std::string name;
  std::optional<AddressBytes> ipv4;  // the address that named it, else its first one
};

/// The interfaces as they are now. Windows calls them as people do ("Ethernet 2").
[[nodiscard]] Result<std::vector<NetworkInterface>> network_interfaces();

/// An interface by its name, number or one of its addresses. ENODEV when there is none.
[[nodiscard]] Result<ChosenInterface> find_interface(const std::string& text);

/// The number of an interface by its number or the name that the system has for it; ENODEV when it has none by that name.
[[nodiscard]] Result<std::uint32_t> interface_number(const std::string& text);

}  // namespace iocp::net
