#include "backend/winsock/listening_ports.h"

#include <winsock2.h>
#include <ws2tcpip.h>
#include <iphlpapi.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace iocp::winsock {
namespace {

/// `ask` fills memory with a table, or says how much it takes.
template <typename Table, typename Ask>
bool has_port(Ask ask, std::uint16_t port) {
  std::vector<std::byte> memory;
  DWORD size = 0;
  DWORD result = NO_ERROR;
  do {  // until it does not grow under our hands any more
    memory.resize(size);
    result = ask(memory.data(), &size);
  } while (result == ERROR_INSUFFICIENT_BUFFER);
  if (result != NO_ERROR || memory.size() < sizeof(Table)) return false;
  const auto& table = *reinterpret_cast<const Table*>(memory.data());
  return std::ranges::any_of(std::span(table.table, table.dwNumEntries),
                             [port](const auto& row) { return row.dwLocalPort == ::htons(port); });
}

template <typename Table>
bool has_listener(ULONG family, std::uint16_t port) {
  const auto ask = [family](void* memory, DWORD* size) {
    return ::GetExtendedTcpTable(memory, size, FALSE, family, TCP_TABLE_OWNER_PID_LISTENER, 0);
  };
  return has_port<Table>(ask, port);
}

template <typename Table>
bool has_datagrams(ULONG family, std::uint16_t port) {
  const auto ask = [family](void* memory, DWORD* size) {
    return ::GetExtendedUdpTable(memory, size, FALSE, family, UDP_TABLE_OWNER_PID, 0);
  };
  return has_port<Table>(ask, port);
}

}  // namespace

bool is_listened_on(std::uint16_t port) {
  return has_listener<MIB_TCPTABLE_OWNER_PID>(AF_INET, port) ||
         has_listener<MIB_TCP6TABLE_OWNER_PID>(AF_INET6, port);
}

bool is_bound(std::uint16_t port) {
  return has_datagrams<MIB_UDPTABLE_OWNER_PID>(AF_INET, port) ||
         has_datagrams<MIB_UDP6TABLE_OWNER_PID>(AF_INET6, port);
}

}  // namespace iocp::winsock
