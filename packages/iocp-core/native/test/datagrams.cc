#include "test/datagrams.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "backend/net/address.h"
#include "backend/net/datagram_socket.h"
#include "backend/net/os_sockets.h"
#include "test/harness.h"

namespace iocp::test {
namespace {

constexpr std::int32_t kIpv4 = 4;
constexpr std::int32_t kIpv6 = 6;

void add_flag(OutgoingWords& datagram, std::int32_t flag) { datagram[outgoing_word::kFamily] |= flag << 8; }

void add_control(OutgoingWords& datagram, std::uint32_t bits) {
  std::int32_t& word = datagram[outgoing_word::kControl];
  word = static_cast<std::int32_t>(static_cast<std::uint32_t>(word) | bits);
}

std::int32_t mapped_word() { return words_of("::ffff:0.0.0.0", 0).words[2]; }

}  // namespace

WordAddress words_of(const AddressBytes& address) {
  WordAddress out;
  if (net::address_family(address) == AF_INET) {
    sockaddr_in raw{};
    std::memcpy(&raw, address.bytes.data(), sizeof raw);
    out.family = kIpv4;
    out.port = ntohs(raw.sin_port);
    std::memcpy(out.words.data(), &raw.sin_addr, sizeof raw.sin_addr);
    return out;
  }
  check_equal(net::address_family(address), AF_INET6, "the family of an address");
  sockaddr_in6 raw{};
  std::memcpy(&raw, address.bytes.data(), sizeof raw);
  out.family = kIpv6;
  out.port = ntohs(raw.sin6_port);
  out.scope = static_cast<std::int32_t>(raw.sin6_scope_id);
  std::memcpy(out.words.data(), &raw.sin6_addr, sizeof raw.sin6_addr);
  return out;
}

WordAddress words_of(std::string_view host, std::uint16_t port) {
  const net::Result<AddressBytes> address = net::ip_address(host, port);
  check(address.ok(), "the host is an address");
  return words_of(address.value());
}

WordAddress mapped(const WordAddress& ipv4) {
  return {kIpv6, ipv4.port, 0, {0, 0, mapped_word(), ipv4.words[0]}};
}

WordAddress unmapped(const WordAddress& ipv6) {
  check(ipv6.words[0] == 0 && ipv6.words[1] == 0 && ipv6.words[2] == mapped_word(), "the address is mapped");
  return {kIpv4, ipv6.port, 0, {ipv6.words[3], 0, 0, 0}};
}

WordAddress sender_of(const ReceivedDatagram& datagram) {
  WordAddress out{datagram.words[incoming_word::kFamily] & 0xff, datagram.words[incoming_word::kPort],
                  datagram.words[incoming_word::kScope]};
  std::copy_n(datagram.words.begin() + incoming_word::kAddress, out.words.size(), out.words.begin());
  return out;
}

WordAddress destination_of(const ReceivedDatagram& datagram) {
  WordAddress out{datagram.words[incoming_word::kFamily] & 0xff};
  std::copy_n(datagram.words.begin() + incoming_word::kLocal, out.words.size(), out.words.begin());
  return out;
}

std::int32_t flags_of(const ReceivedDatagram& datagram) {
  return datagram.words[incoming_word::kFamily] >> 8;
}

OutgoingWords datagram_to(TestPort& port, std::string data, const WordAddress& peer) {
  const Segment payload = port.pin(std::move(data));
  OutgoingWords words{};
  words[outgoing_word::kPin] = payload.pin;
  words[outgoing_word::kOffset] = payload.offset;
  words[outgoing_word::kLength] = payload.length;
  words[outgoing_word::kFamily] = peer.family;
  words[outgoing_word::kPort] = peer.port;
  words[outgoing_word::kScope] = peer.scope;
  std::ranges::copy(peer.words, words.begin() + outgoing_word::kAddress);
  return words;
}

void set_tos(OutgoingWords& datagram, std::uint8_t tos) {
  add_flag(datagram, outgoing_flag::kTos);
  add_control(datagram, std::uint32_t{tos} << 16);
}

void set_ttl(OutgoingWords& datagram, std::uint8_t ttl) {
  add_flag(datagram, outgoing_flag::kTtl);
  add_control(datagram, std::uint32_t{ttl} << 24);
}

void set_source(OutgoingWords& datagram, const WordAddress& source) {
  add_flag(datagram, outgoing_flag::kSource);
  std::ranges::copy(source.words, datagram.begin() + outgoing_word::kSource);
}

void set_segment(OutgoingWords& datagram, std::uint16_t bytes) { add_control(datagram, bytes); }

net::DatagramSpec socket_at(const std::string& host, std::vector<net::NamedOption> options) {
  net::DatagramSpec spec;
  spec.family = host.find(':') == std::string::npos ? net::Family::Ipv4 : net::Family::Ipv6;
  spec.local.host = host;
  spec.options = std::move(options);
  return spec;
}

DatagramPair::DatagramPair(TestPort& port, const std::string& host, std::vector<net::NamedOption> options)
    : sender(port.open_datagram(socket_at(host))),
      receiver(port.open_datagram(socket_at(host, std::move(options)))),
      from(words_of(port.address_of(sender))),
      to(words_of(port.address_of(receiver))),
      received(port.recv_from(receiver)) {}

bool is_here(const std::string& host) { return net::open_datagram(socket_at(host)).ok(); }

std::vector<std::string> wait_for(TestPort& port, Token received, std::size_t count) {
  port.run_until([&] { return port.outcome(received).datagrams.size() >= count || port.settled(received); },
                 "datagrams arrive");
  std::vector<std::string> texts;
  for (const ReceivedDatagram& datagram : port.outcome(received).datagrams) texts.push_back(datagram.data);
  check_equal(texts.size(), count, "the number of datagrams");
  return texts;
}

std::map<std::int32_t, std::int32_t> refusals_of(const Outcome& sent) {
  std::map<std::int32_t, std::int32_t> refusals;
  for (const Completion& completion : sent.events) {
    if (!completion.more()) continue;
    check(refusals.emplace(completion.value, completion.result).second, "a datagram is refused once");
  }
  return refusals;
}

bool send_if_supported(TestPort& port, HandleRef sender, const OutgoingWords& datagram) {
  const Token sent = port.send_to(sender, {&datagram, 1});
  const std::int32_t taken = port.finish(sent);
  const auto refusals = refusals_of(port.outcome(sent));
  if (taken == 1) return true;
  check_equal(refusals.at(0), -error_number::kEOPNOTSUPP, "why a control is refused");
  return false;
}

}  // namespace iocp::test
