#include "backend/net/interfaces.h"

#include <cstddef>
#include <cstring>

#include "backend/net/os_sockets.h"
#include "backend/winsock/error_table.h"

namespace iocp::net {
namespace {

std::string utf8(const wchar_t* text) {
  const int size = ::WideCharToMultiByte(CP_UTF8, 0, text, -1, nullptr, 0, nullptr, nullptr);
  if (size <= 0) return {};
  std::string result(static_cast<std::size_t>(size), '\0');
  static_cast<void>(::WideCharToMultiByte(CP_UTF8, 0, text, -1, result.data(), size, nullptr, nullptr));
  result.resize(result.size() - 1);  // its NUL
  return result;
}

NetworkInterface describe(const IP_ADAPTER_ADDRESSES& adapter) {
  // One of the numbers is 0 when the interface does not speak that version; otherwise they are the same.
  NetworkInterface result{
      adapter.IfIndex != 0 ? adapter.IfIndex : adapter.Ipv6IfIndex, utf8(adapter.FriendlyName), {}};
  for (const auto* entry = adapter.FirstUnicastAddress; entry != nullptr; entry = entry->Next) {
    AddressBytes address;
    if (entry->Address.iSockaddrLength < 0 ||
        static_cast<std::size_t>(entry->Address.iSockaddrLength) > address.bytes.size()) {
      continue;
    }
    address.length = static_cast<std::uint32_t>(entry->Address.iSockaddrLength);
    std::memcpy(address.bytes.data(), entry->Address.lpSockaddr, address.length);
    result.addresses.push_back(address);
  }
  return result;
}

}  // namespace

Result<std::vector<NetworkInterface>> network_interfaces() {
  constexpr ULONG kOnlyUnicast = GAA_FLAG_SKIP_ANYCAST | GAA_FLAG_SKIP_MULTICAST | GAA_FLAG_SKIP_DNS_SERVER;
  constexpr ULONG kFirstGuess = 16384;
  std::vector<std::max_align_t> memory;
  ULONG size = kFirstGuess;
  ULONG result = ERROR_BUFFER_OVERFLOW;
  IP_ADAPTER_ADDRESSES* first = nullptr;
  while (result == ERROR_BUFFER_OVERFLOW) {  // until it does not grow under our hands any more
    memory.resize(size / sizeof(std::max_align_t) + 1);
    first = reinterpret_cast<IP_ADAPTER_ADDRESSES*>(memory.data());
    result = ::GetAdaptersAddresses(AF_UNSPEC, kOnlyUnicast, nullptr, first, &size);
  }
  std::vector<NetworkInterface> interfaces;
  if (result == ERROR_NO_DATA) return interfaces;
  // The error is the result: the call sets nothing for GetLastError.
  if (result != NO_ERROR) {
    return SystemError{winsock::from_wsa(static_cast<int>(result)), "GetAdaptersAddresses"};
  }
  for (const auto* adapter = first; adapter != nullptr; adapter = adapter->Next) {
    interfaces.push_back(describe(*adapter));
  }
  return interfaces;
}

}  // namespace iocp::net
