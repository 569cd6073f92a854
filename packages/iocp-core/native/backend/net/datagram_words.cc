#include "backend/net/datagram_words.h"

#include <algorithm>
#include <bit>

namespace iocp::net {
namespace {

constexpr std::int32_t kIpv4 = 4;
constexpr std::int32_t kIpv6 = 6;

/// The third word of an IPv4-mapped address; the two before it are 0.
constexpr std::uint32_t kMappedWord = std::endian::native == std::endian::little ? 0xffff0000U : 0x0000ffffU;

bool is_mapped(const AddressWords& address) noexcept {
  return address[0] == 0 && address[1] == 0 && static_cast<std::uint32_t>(address[2]) == kMappedWord;
}

AddressWords map(std::int32_t ipv4) noexcept { return {0, 0, static_cast<std::int32_t>(kMappedWord), ipv4}; }

AddressWords address_at(const OutgoingDatagram& datagram, std::int32_t word) noexcept {
  AddressWords address{};
  std::copy_n(datagram.words.begin() + word, address.size(), address.begin());
  return address;
}

/// Brings `address`, of `family` (0: the right one already), into the family of `kind`. False when there is none like it
/// there.
bool convert(AddressWords& address, std::int32_t family, SocketKind kind) noexcept {
  const std::int32_t wanted = kind == SocketKind::DatagramIpv4 ? kIpv4 : kIpv6;
  if (family == wanted || family == 0) return true;
  if (family == kIpv4) {
    address = map(address[0]);
    return true;
  }
  if (!is_mapped(address)) return false;
  address = {address[3], 0, 0, 0};
  return true;
}

void set_peer(DatagramRoute& route, const OutgoingDatagram& datagram, const AddressWords& peer,
              SocketKind kind) noexcept {
  const auto port = static_cast<std::uint16_t>(datagram.words[outgoing_word::kPort]);
  if (kind == SocketKind::DatagramIpv4) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    std::memcpy(&address.sin_addr, peer.data(), sizeof address.sin_addr);
    std::memcpy(&route.peer, &address, sizeof address);
    route.peer_bytes = sizeof address;
    return;
  }
  route.peer.sin6_family = AF_INET6;
  route.peer.sin6_port = htons(port);
  route.peer.sin6_scope_id = static_cast<std::uint32_t>(datagram.words[outgoing_word::kScope]);
  std::memcpy(&route.peer.sin6_addr, peer.data(), sizeof route.peer.sin6_addr);
  route.peer_bytes = sizeof route.peer;
}

}  // namespace

std::int32_t find_route(const OutgoingDatagram& datagram, SocketKind kind, DatagramRoute& out) noexcept {
  out = {};
  const std::int32_t family = datagram.words[outgoing_word::kFamily] & 0xff;
  out.flags = datagram.words[outgoing_word::kFamily] >> 8;
  AddressWords peer{};
  switch (family) {
    case 0: break;
    case kIpv4:
    case kIpv6:
      peer = address_at(datagram, outgoing_word::kAddress);
      if (!convert(peer, family, kind)) return -error_number::kEAFNOSUPPORT;
      set_peer(out, datagram, peer, kind);
      break;
    default: return -error_number::kEINVAL;
  }
  out.ipv4 = kind == SocketKind::DatagramIpv4 || family == 0 || is_mapped(peer);
  out.ipv6 = kind == SocketKind::DatagramIpv6 && !is_mapped(peer);
  if ((out.flags & outgoing_flag::kSource) == 0) return 0;
  out.source = address_at(datagram, outgoing_word::kSource);
  const SocketKind travels = out.ipv6 ? SocketKind::DatagramIpv6 : SocketKind::DatagramIpv4;
  const bool any = out.source == AddressWords{};
  return any || convert(out.source, family, travels) ? 0 : -error_number::kEAFNOSUPPORT;
}

void IncomingHeader::set_sender(std::span<const std::byte> name) noexcept {
  if (name.size() < sizeof(sockaddr_in)) return;
  switch (read_raw<sockaddr_in>(name).sin_family) {
    case AF_INET: {
      const auto raw = read_raw<sockaddr_in>(name);
      words_[incoming_word::kFamily] = kIpv4;
      words_[incoming_word::kPort] = ntohs(raw.sin_port);
      std::memcpy(&words_[incoming_word::kAddress], &raw.sin_addr, sizeof raw.sin_addr);
      return;
    }
    case AF_INET6: {
      const auto raw = read_raw<sockaddr_in6>(name);
      words_[incoming_word::kFamily] = kIpv6;
      words_[incoming_word::kPort] = ntohs(raw.sin6_port);
      words_[incoming_word::kScope] = static_cast<std::int32_t>(raw.sin6_scope_id);
      std::memcpy(&words_[incoming_word::kAddress], &raw.sin6_addr, sizeof raw.sin6_addr);
      return;
    }
    default: return;
  }
}

void IncomingHeader::set_local(const in_addr& address, std::int32_t interface_index) noexcept {
  AddressWords words{};
  std::memcpy(words.data(), &address, sizeof address);
  if (words_[incoming_word::kFamily] == kIpv6) words = map(words[0]);
  set(incoming_flag::kLocal, incoming_word::kInterface, interface_index);
  std::ranges::copy(words, words_.begin() + incoming_word::kLocal);
}

void IncomingHeader::set_local(const in6_addr& address, std::int32_t interface_index) noexcept {
  set(incoming_flag::kLocal, incoming_word::kInterface, interface_index);
  std::memcpy(&words_[incoming_word::kLocal], &address, sizeof address);
}

void IncomingHeader::write(std::byte* slot) const noexcept {
  static_assert(sizeof words_ <= limit::kDatagramOffset);
  auto words = words_;
  words[incoming_word::kFamily] |= flags_ << 8;
  std::memcpy(slot, words.data(), sizeof words);
}

}  // namespace iocp::net
