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

template <typename Table>
bool has_listener(ULONG family, std::uint16_t port) {
  std::vector<std::byte> memory;
  DWORD size = 0;
  DWORD result = NO_ERROR;
  do {  // until it does not grow under our hands any more
    memory.resize(size);
    result = ::GetExtendedTcpTable(memory.data(), &size, FALSE, family, TCP_TABLE_OWNER_PID_LISTENER, 0);
  } while (result == ERROR_INSUFFICIENT_BUFFER);
  if (result != NO_ERROR || memory.size() < sizeof(Table)) return false;
  const auto& table = *reinterpret_cast<const Table*>(memory.data());
  return std::ranges::any_of(std::span(table.table, table.dwNumEntries),
                             [port](const auto& row) { return row.dwLocalPort == ::htons(port); });
}

}  // namespace

bool is_listened_on(std::uint16_t port) {
  return has_listener<MIB_TCPTABLE_OWNER_PID>(AF_INET, port) ||
         has_listener<MIB_TCP6TABLE_OWNER_PID>(AF_INET6, port);
}

}  // namespace iocp::winsock
