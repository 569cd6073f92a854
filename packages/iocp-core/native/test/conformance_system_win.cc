#include <algorithm>
#include <string>
#include <vector>

#include "test/conformance.h"
#include "test/datagrams.h"
#include "test/harness.h"
#include "test/peer.h"
#include "test/test_port.h"

namespace iocp::test {
namespace {

void a_socket_of_another_port_is_refused(const Backend& backend) {
  TestPort first(backend);
  TestPort second(backend);
  const HandleRef listener = first.listen();
  HandleRef stolen;
  check_equal(second.engine().adopt(first.engine().find(listener)->native, nullptr, stolen),
              -error_number::kEINVAL, "the result of adopt");
  check_equal(second.stats().handles, 0, "the number of handles");
  const Token accept = first.accept(listener);
  const Peer peer(first, listener);
  static_cast<void>(first.next_accepted(accept));
}

void a_burst_is_accepted(const Backend& backend) {
  TestPort port(backend);
  const HandleRef listener = port.listen();
  const Token accept = port.accept(listener);
  std::vector<Peer> peers;
  // More than the accepts that wait at first, and then more than wait at most.
  for (const std::size_t burst : {100, 400}) {
    for (std::size_t i = 0; i < burst; ++i) peers.emplace_back(port, listener);
    port.run_until([&] { return port.outcome(accept).accepted.size() == peers.size(); }, "all are accepted");
  }
  check_equal(port.finish(port.close(listener)), 0, "close of the listener");
  check_equal(port.outcome(accept).accepted.size(), peers.size(), "the number of connections");
}

void receives_of_datagrams_give_their_slots_back(const Backend& backend) {
  TestPort port(backend);
  const std::uint32_t provided = port.engine().available_slots();
  const HandleRef socket = port.open_datagram(socket_at("127.0.0.1"));
  const Token receive = port.recv_from(socket);
  port.settle_down();
  check(port.engine().available_slots() < provided, "receives that wait have slots");
  check_equal(port.stats().kernel_slots, provided, "the number of slots with the driver");
  port.cancel(receive);
  check_equal(port.finish(receive), -error_number::kECANCELED, "the result of the receive");
  check_equal(port.engine().available_slots(), provided, "the number of available slots");
  const Token again = port.recv_from(socket);
  check_equal(port.finish(port.close(socket)), 0, "close");
  check_equal(port.outcome(again).result, -error_number::kECANCELED, "the result of the second receive");
  check_equal(port.engine().available_slots(), provided, "the number of available slots");
}

void who_gets_no_slot_waits_without_turning(const Backend& backend) {
  if (backend.faulty) return;  // it keeps one of the two slots to itself
  TestPort port(backend, {.slots = 2, .provided = 2});
  const HandleRef first = port.open_datagram(socket_at("127.0.0.1"));
  const HandleRef second = port.open_datagram(socket_at("127.0.0.1"));
  const Token holder = port.recv_from(first);
  const Token starved = port.recv_from(second);
  port.run_until([&] { return port.stats().parked == 1; }, "the second receive is parked");
  port.settle_down();
  const std::uint64_t parkings = port.stats().parkings;
  static_cast<void>(port.turn());
  check_equal(port.stats().parkings, parkings, "the number of times that a receive was parked");
  check(port.engine().prepare_wait(), "there is nothing to do");

  port.cancel(holder);
  check_equal(port.finish(holder), -error_number::kECANCELED, "the result of the first receive");
  const OutgoingWords datagram = datagram_to(port, "at last", words_of(port.address_of(second)));
  check_equal(port.finish(port.send_to(first, {&datagram, 1})), 1, "the number of datagrams that were sent");
  check_equal(wait_for(port, starved, 1)[0], "at last", "what arrives");
}

void more_receives_wait_under_load(const Backend& backend) {
  constexpr std::size_t kDatagrams = 200;
  constexpr std::size_t kLeast = 8;  // waiting at once
  TestPort port(backend);
  const DatagramPair pair(port);
  port.settle_down();
  const std::uint32_t idle = port.engine().available_slots();
  std::vector<OutgoingWords> datagrams;
  for (std::size_t i = 0; i < kDatagrams; ++i) {
    datagrams.push_back(datagram_to(port, std::to_string(i), pair.to));
  }
  check_equal(port.finish(port.send_to(pair.sender, datagrams)), kDatagrams,
              "the number of datagrams that were sent");
  std::uint32_t least = idle;
  port.run_until(
      [&] {
        least = std::min(least, port.engine().available_slots());
        return port.outcome(pair.received).datagrams.size() == kDatagrams;
      },
      "all are received");
  for (std::size_t i = 0; i < kDatagrams; ++i) {
    check_equal(port.outcome(pair.received).datagrams[i].data, std::to_string(i), "a datagram");
  }
  check(least + kLeast <= idle, "more receives wait than at first");
}

WordAddress an_address_of_nobody(TestPort& port) {
  const HandleRef gone = port.open_datagram(socket_at("127.0.0.1"));
  const WordAddress address = words_of(port.address_of(gone));
  check_equal(port.finish(port.close(gone)), 0, "close");
  return address;
}

void send_one(TestPort& port, HandleRef sender, const OutgoingWords& datagram) {
  check_equal(port.finish(port.send_to(sender, {&datagram, 1})), 1, "the number of datagrams that were sent");
}

void that_nobody_has_a_port_disturbs_no_other_peer(const Backend& backend) {
  TestPort port(backend);
  const WordAddress nobody = an_address_of_nobody(port);
  const DatagramPair pair(port);
  for (int i = 0; i < 3; ++i) send_one(port, pair.receiver, datagram_to(port, "anybody?", nobody));
  send_one(port, pair.sender, datagram_to(port, "hello", pair.to));
  check_equal(wait_for(port, pair.received, 1)[0], "hello", "what arrives");
  check(!port.settled(pair.received), "the receive goes on");
}

constexpr Assertion kAssertions[] = {
    {"a socket of another port is refused", a_socket_of_another_port_is_refused},
    {"a burst is accepted", a_burst_is_accepted},
    {"receives of datagrams give their slots back", receives_of_datagrams_give_their_slots_back},
    {"who gets no slot waits without turning", who_gets_no_slot_waits_without_turning},
    {"more receives wait under load", more_receives_wait_under_load},
    {"that nobody has a port disturbs no other peer", that_nobody_has_a_port_disturbs_no_other_peer},
};

}  // namespace

std::span<const Assertion> system_assertions() { return kAssertions; }

}  // namespace iocp::test
