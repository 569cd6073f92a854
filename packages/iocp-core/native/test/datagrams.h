#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/handle.h"
#include "test/test_port.h"

namespace iocp::test {

/// An IP address and port as records carry them; without a family: the peer that a socket is connected to.
struct WordAddress {
  std::int32_t family = 0;
  std::int32_t port = 0;
  std::int32_t scope = 0;
  std::array<std::int32_t, 4> words{};

  bool operator==(const WordAddress&) const = default;
};

[[nodiscard]] WordAddress words_of(const AddressBytes& address);
[[nodiscard]] WordAddress words_of(std::string_view host, std::uint16_t port);
/// The IPv4-mapped form of an IPv4 address, and back.
[[nodiscard]] WordAddress mapped(const WordAddress& ipv4);
[[nodiscard]] WordAddress unmapped(const WordAddress& ipv6);

/// Who sent a received datagram, and where to.
[[nodiscard]] WordAddress sender_of(const ReceivedDatagram& datagram);
[[nodiscard]] WordAddress destination_of(const ReceivedDatagram& datagram);
[[nodiscard]] std::int32_t flags_of(const ReceivedDatagram& datagram);

/// The records of a datagram with `data`, which is pinned.
[[nodiscard]] OutgoingWords datagram_to(TestPort& port, std::string data, const WordAddress& peer);

/// Controls of a datagram to send.
void set_tos(OutgoingWords& datagram, std::uint8_t tos);
void set_ttl(OutgoingWords& datagram, std::uint8_t ttl);
void set_source(OutgoingWords& datagram, const WordAddress& source);
void set_segment(OutgoingWords& datagram, std::uint16_t bytes);

/// Specifications of sockets on a free port. `host` also says which family.
[[nodiscard]] net::DatagramSpec socket_at(const std::string& host,
                                          std::vector<net::NamedOption> options = {});

/// Two sockets on the loopback address, the second of which receives.
struct DatagramPair {
  explicit DatagramPair(TestPort& port, const std::string& host = "127.0.0.1",
                        std::vector<net::NamedOption> options = {});

  HandleRef sender;
  HandleRef receiver;
  WordAddress from;
  WordAddress to;
  Token received;
};

/// Whether a socket can be bound to `host`. Not for IPv6 where there is none.
[[nodiscard]] bool is_here(const std::string& host);

/// Waits until `count` datagrams have come, and says what was in them.
[[nodiscard]] std::vector<std::string> wait_for(TestPort& port, Token received, std::size_t count);

/// What a SendTo has reported about single datagrams: number and error.
[[nodiscard]] std::map<std::int32_t, std::int32_t> refusals_of(const Outcome& sent);

/// Sends one datagram. False when the backend does not know one of its controls, and says so.
[[nodiscard]] bool send_if_supported(TestPort& port, HandleRef sender, const OutgoingWords& datagram);

}  // namespace iocp::test
