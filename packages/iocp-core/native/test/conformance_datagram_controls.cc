#include <array>
#include <memory>
#include <string>
#include <vector>

#include "test/conformance.h"
#include "test/datagrams.h"
#include "test/harness.h"
#include "test/os.h"
#include "test/peer.h"
#include "test/test_port.h"

namespace iocp::test {
namespace {

const std::vector<std::string> kLoopbacks{"127.0.0.1", "::1"};

/// Sockets on `host`, the second of which has `option`. None where the system lacks the option, or `host`.
std::unique_ptr<DatagramPair> pair_with(TestPort& port, const std::string& host, const char* option) {
  if (!is_here(host)) return nullptr;
  const net::Result<net::OwnedSocket> probed = net::open_datagram(socket_at(host, {{option, 1}}));
  if (!probed) {
    check_equal(probed.error().error, error_number::kENOPROTOOPT, "why an option is refused");
    return nullptr;
  }
  return std::make_unique<DatagramPair>(port, host, std::vector<net::NamedOption>{{option, 1}});
}

/// Sends `datagram` and gives it as it arrived. Null when the backend does not know its controls.
const ReceivedDatagram* exchange(TestPort& port, const DatagramPair& pair, const OutgoingWords& datagram) {
  const std::size_t before = port.outcome(pair.received).datagrams.size();
  if (!send_if_supported(port, pair.sender, datagram)) return nullptr;
  static_cast<void>(wait_for(port, pair.received, before + 1));
  return &port.outcome(pair.received).datagrams.back();
}

void the_destination_is_told(const Backend& backend) {
  for (const std::string& host : kLoopbacks) {
    TestPort port(backend);
    const auto pair = pair_with(port, host, "receiveDestination");
    if (pair == nullptr) continue;
    const ReceivedDatagram* datagram = exchange(port, *pair, datagram_to(port, "x", pair->to));
    check_equal(flags_of(*datagram), incoming_flag::kLocal, "the flags of the datagram");
    check(destination_of(*datagram).words == pair->to.words, "the address it was sent to");
    check(datagram->words[incoming_word::kInterface] > 0, "the interface it came in through");
    check(sender_of(*datagram) == pair->from, "the sender's address");
  }
}

void tos_is_set_and_told(const Backend& backend) {
  for (const std::string& host : kLoopbacks) {
    TestPort port(backend);
    const auto pair = pair_with(port, host, "receiveTos");
    if (pair == nullptr) continue;
    for (const int tos : {0xb9, 0x02, 0x00}) {
      OutgoingWords words = datagram_to(port, "x", pair->to);
      set_tos(words, static_cast<std::uint8_t>(tos));
      const ReceivedDatagram* datagram = exchange(port, *pair, words);
      if (datagram == nullptr) break;
      check_equal(flags_of(*datagram), incoming_flag::kTos, "the flags of the datagram");
      check_equal(datagram->words[incoming_word::kTos], tos, "the type of service");
    }
  }
}

void ttl_is_set_and_told(const Backend& backend) {
  for (const std::string& host : kLoopbacks) {
    TestPort port(backend);
    const auto pair = pair_with(port, host, "receiveTtl");
    if (pair == nullptr) continue;
    for (const int ttl : {1, 17, 255}) {
      OutgoingWords words = datagram_to(port, "x", pair->to);
      set_ttl(words, static_cast<std::uint8_t>(ttl));
      const ReceivedDatagram* datagram = exchange(port, *pair, words);
      if (datagram == nullptr) break;
      check_equal(flags_of(*datagram), incoming_flag::kTtl, "the flags of the datagram");
      check_equal(datagram->words[incoming_word::kTtl], ttl, "the time to live");
    }
  }
}

void controls_hold_for_one_datagram(const Backend& backend) {
  TestPort port(backend);
  const auto pair = pair_with(port, "127.0.0.1", "receiveTtl");
  if (pair == nullptr) return;
  const OutgoingWords plain = datagram_to(port, "x", pair->to);
  const std::int32_t usual = exchange(port, *pair, plain)->words[incoming_word::kTtl];
  OutgoingWords marked = plain;
  set_ttl(marked, 9);
  if (exchange(port, *pair, marked) == nullptr) return;
  const std::array<OutgoingWords, 3> datagrams{plain, marked, plain};
  check_equal(port.finish(port.send_to(pair->sender, datagrams)), 3, "the number of datagrams taken");
  static_cast<void>(wait_for(port, pair->received, 5));
  std::vector<std::int32_t> told;
  for (const ReceivedDatagram& datagram : port.outcome(pair->received).datagrams) {
    told.push_back(datagram.words[incoming_word::kTtl]);
  }
  check(told == std::vector<std::int32_t>{usual, 9, usual, 9, usual}, "the time to live of each");
}

void controls_reach_ipv4_through_an_ipv6_socket(const Backend& backend) {
  if (!is_here("::1")) return;
  TestPort port(backend);
  const auto pair = pair_with(port, "127.0.0.1", "receiveTos");
  if (pair == nullptr) return;
  const HandleRef dual = port.open_datagram(socket_at("::"));
  OutgoingWords words = datagram_to(port, "x", pair->to);
  set_tos(words, 0x2e);
  if (!send_if_supported(port, dual, words)) return;
  static_cast<void>(wait_for(port, pair->received, 1));
  const ReceivedDatagram& datagram = port.outcome(pair->received).datagrams.back();
  check_equal(datagram.words[incoming_word::kTos], 0x2e, "the type of service");
}

void a_dual_stack_socket_is_told_the_same(const Backend& backend) {
  if (!is_here("::1")) return;
  TestPort port(backend);
  const std::vector<net::NamedOption> options{
      {"receiveDestination", 1}, {"receiveTos", 1}, {"receiveTtl", 1}};
  for (const net::NamedOption& option : options) {
    if (pair_with(port, "::1", option.name.c_str()) == nullptr) return;
  }
  const HandleRef dual = port.open_datagram(socket_at("::", options));
  const Token received = port.recv_from(dual);
  const auto dual_port = static_cast<std::uint16_t>(words_of(port.address_of(dual)).port);
  const HandleRef sender = port.open_datagram(socket_at("127.0.0.1"));
  const WordAddress to = words_of("127.0.0.1", dual_port);
  OutgoingWords words = datagram_to(port, "x", to);
  set_tos(words, 0x2e);
  set_ttl(words, 9);
  if (!send_if_supported(port, sender, words)) return;
  static_cast<void>(wait_for(port, received, 1));
  const ReceivedDatagram& datagram = port.outcome(received).datagrams.back();
  check_equal(flags_of(datagram), incoming_flag::kLocal | incoming_flag::kTos | incoming_flag::kTtl,
              "the flags of the datagram");
  check(destination_of(datagram).words == mapped(to).words, "the address it was sent to");
  check_equal(datagram.words[incoming_word::kTos], 0x2e, "the type of service");
  check_equal(datagram.words[incoming_word::kTtl], 9, "the time to live");
}

void the_source_is_chosen(const Backend& backend) {
  if (!is_here("127.0.0.2") || !os::sources_hold()) return;
  TestPort port(backend);
  const DatagramPair pair(port);
  std::vector<std::string> hosts{"0.0.0.0"};
  if (is_here("::1")) hosts.emplace_back("::");
  for (const std::string& host : hosts) {
    const HandleRef sender = port.open_datagram(socket_at(host));
    const auto sender_port = static_cast<std::uint16_t>(words_of(port.address_of(sender)).port);
    for (const char* const source : {"127.0.0.2", "127.0.0.1", "127.0.0.2"}) {
      OutgoingWords words = datagram_to(port, source, pair.to);
      set_source(words, words_of(source, 0));
      const std::size_t before = port.outcome(pair.received).datagrams.size();
      if (!send_if_supported(port, sender, words)) return;
      static_cast<void>(wait_for(port, pair.received, before + 1));
      const ReceivedDatagram& datagram = port.outcome(pair.received).datagrams.back();
      check(sender_of(datagram) == words_of(source, sender_port), "the sender's address");
    }
  }
}

void a_source_that_is_not_ours_is_refused(const Backend& backend) {
  if (!os::sources_hold()) return;
  TestPort port(backend);
  const DatagramPair pair(port);
  OutgoingWords words = datagram_to(port, "x", pair.to);
  set_source(words, words_of("192.0.2.1", 0));
  const Token sent = port.send_to(pair.sender, {&words, 1});
  check_equal(port.finish(sent), 0, "the number of datagrams taken");
  check_equal(refusals_of(port.outcome(sent)).size(), 1, "the number of refusals");
}

void one_port_serves_sockets_of_every_kind(const Backend& backend) {
  TestPort port(backend);
  const DatagramPair plain(port);
  std::vector<std::unique_ptr<DatagramPair>> others;
  for (const std::string& host : kLoopbacks) others.push_back(pair_with(port, host, "receiveDestination"));
  for (int round = 0; round < 3; ++round) {
    check_equal(flags_of(*exchange(port, plain, datagram_to(port, "x", plain.to))), 0, "the flags");
    for (const auto& pair : others) {
      if (pair == nullptr) continue;
      const ReceivedDatagram* datagram = exchange(port, *pair, datagram_to(port, "x", pair->to));
      check(sender_of(*datagram) == pair->from, "the sender's address");
      check_equal(flags_of(*datagram), incoming_flag::kLocal, "the flags");
      check(destination_of(*datagram).words == pair->to.words, "the address it was sent to");
    }
  }
}

std::vector<std::string> cut(const std::string& text, std::size_t bytes) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < text.size(); at += bytes) parts.push_back(text.substr(at, bytes));
  return parts;
}

void a_datagram_is_cut_by_the_system(const Backend& backend) {
  for (const std::string& host : kLoopbacks) {
    if (!is_here(host)) continue;
    TestPort port(backend);
    const DatagramPair pair(port, host);
    const std::string text = pattern(10500);
    OutgoingWords words = datagram_to(port, text, pair.to);
    set_segment(words, 1000);
    if (!send_if_supported(port, pair.sender, words)) return;
    check(wait_for(port, pair.received, 11) == cut(text, 1000), "the parts");
    // Not longer than a part: one datagram.
    words = datagram_to(port, "short", pair.to);
    set_segment(words, 1000);
    check(exchange(port, pair, words)->data == "short", "what arrives");
  }
}

void parts_are_received_together(const Backend& backend) {
  for (const std::string& host : kLoopbacks) {
    TestPort port(backend, {.slot_bytes = 128 * 1024, .slots = 8, .provided = 8});
    const auto pair = pair_with(port, host, "receiveSegments");
    if (pair == nullptr) continue;
    const std::string text = pattern(60300);
    OutgoingWords words = datagram_to(port, text, pair->to);
    set_segment(words, 1200);
    if (!send_if_supported(port, pair->sender, words)) return;
    port.run_until(
        [&] {
          std::size_t bytes = 0;
          for (const ReceivedDatagram& datagram : port.outcome(pair->received).datagrams) {
            bytes += datagram.data.size();
          }
          return bytes >= text.size();
        },
        "all parts arrive");
    std::string received;
    for (const ReceivedDatagram& datagram : port.outcome(pair->received).datagrams) {
      const std::int32_t part = datagram.words[incoming_word::kSegmentBytes];
      check(datagram.data.size() <= 1200 || part == 1200, "the size of the parts is told");
      received += datagram.data;
    }
    check(received == text, "the bytes and their order");
    words = datagram_to(port, "alone", pair->to);
    check(exchange(port, *pair, words)->data == "alone", "what arrives");
    check_equal(port.outcome(pair->received).datagrams.back().words[incoming_word::kSegmentBytes], 0,
                "the size of its parts");
  }
}

constexpr Assertion kAssertions[] = {
    {"the destination of a datagram is told", the_destination_is_told},
    {"the type of service of a datagram is set and told", tos_is_set_and_told},
    {"the time to live of a datagram is set and told", ttl_is_set_and_told},
    {"controls hold for one datagram", controls_hold_for_one_datagram},
    {"controls reach IPv4 through an IPv6 socket", controls_reach_ipv4_through_an_ipv6_socket},
    {"a dual-stack socket is told the same about IPv4", a_dual_stack_socket_is_told_the_same},
    {"the source of a datagram is chosen", the_source_is_chosen},
    {"a source that is not ours is refused", a_source_that_is_not_ours_is_refused},
    {"one port serves datagram sockets of every kind", one_port_serves_sockets_of_every_kind},
    {"a datagram is cut by the system", a_datagram_is_cut_by_the_system},
    {"parts of a datagram are received together", parts_are_received_together},
};

}  // namespace

std::span<const Assertion> datagram_control_assertions() { return kAssertions; }

}  // namespace iocp::test
