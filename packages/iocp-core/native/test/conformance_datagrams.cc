#include <array>
#include <string>
#include <vector>

#include "test/conformance.h"
#include "test/datagrams.h"
#include "test/harness.h"
#include "test/peer.h"
#include "test/test_port.h"

namespace iocp::test {
namespace {

constexpr PortShape kBigSlots{.slot_bytes = 128 * 1024, .slots = 8, .provided = 8};
constexpr std::size_t kLargest = 65507;  // 65535 less the headers of IPv4 and UDP

std::vector<std::string> texts_of(std::size_t count) {
  std::vector<std::string> texts;
  for (std::uint32_t i = 0; i < count; ++i) texts.push_back(pattern(i * 7, i + 1));
  return texts;
}

std::vector<OutgoingWords> datagrams_to(TestPort& port, const std::vector<std::string>& texts,
                                        const WordAddress& peer) {
  std::vector<OutgoingWords> datagrams;
  for (const std::string& text : texts) datagrams.push_back(datagram_to(port, text, peer));
  return datagrams;
}

void send_one(TestPort& port, HandleRef sender, const std::string& text, const WordAddress& peer) {
  const OutgoingWords datagram = datagram_to(port, text, peer);
  check_equal(port.finish(port.send_to(sender, {&datagram, 1})), 1, "the result of a SendTo");
}

void a_batch_is_echoed(const Backend& backend) {
  TestPort port(backend);
  const DatagramPair pair(port);
  const Token back = port.recv_from(pair.sender);
  const std::vector<std::string> texts = texts_of(20);
  const Token sent = port.send_to(pair.sender, datagrams_to(port, texts, pair.to));
  check_equal(port.finish(sent), 20, "the number of datagrams taken");
  check_equal(port.outcome(sent).events.size(), 1, "the number of completions");
  check(wait_for(port, pair.received, 20) == texts, "the datagrams and their order");
  std::vector<OutgoingWords> replies;
  for (const ReceivedDatagram& datagram : port.outcome(pair.received).datagrams) {
    check(sender_of(datagram) == pair.from, "the sender's address");
    check_equal(flags_of(datagram), 0, "the flags of a datagram");
    check_equal(datagram.words[incoming_word::kSegmentBytes], 0, "the size of its parts");
    replies.push_back(datagram_to(port, datagram.data, sender_of(datagram)));
  }
  check_equal(port.finish(port.send_to(pair.receiver, replies)), 20, "the number of replies taken");
  check(wait_for(port, back, 20) == texts, "the replies and their order");
}

void a_burst_arrives_whole(const Backend& backend) {
  TestPort port(backend);
  const DatagramPair pair(port);
  std::vector<std::string> texts;
  for (int i = 0; i < 200; ++i) texts.push_back(std::to_string(i));
  check_equal(port.finish(port.send_to(pair.sender, datagrams_to(port, texts, pair.to))), 200,
              "the number of datagrams taken");
  check(wait_for(port, pair.received, 200) == texts, "the datagrams and their order");
}

void the_longest_list_is_taken(const Backend& backend) {
  TestPort port(backend);
  const DatagramPair pair(port);
  const std::vector<OutgoingWords> datagrams(limit::kDatagramsMax, datagram_to(port, "x", pair.to));
  const Token sent = port.send_to(pair.sender, datagrams);
  check_equal(port.finish(sent), limit::kDatagramsMax, "the number of datagrams taken");
  check_equal(port.outcome(sent).events.size(), 1, "the number of completions");
}

void sizes_from_nothing_to_the_largest(const Backend& backend) {
  TestPort port(backend, kBigSlots);
  const DatagramPair pair(port);
  std::size_t count = 0;
  for (const std::size_t bytes :
       {std::size_t{0}, std::size_t{1}, std::size_t{1472}, kLargest, std::size_t{0}}) {
    const std::string text = pattern(bytes, static_cast<std::uint32_t>(++count));
    send_one(port, pair.sender, text, pair.to);
    check(wait_for(port, pair.received, count).back() == text, "what arrives");
    check_equal(flags_of(port.outcome(pair.received).datagrams.back()), 0, "the flags of a datagram");
  }
}

void what_does_not_fit_is_cut(const Backend& backend) {
  TestPort port(backend);
  const DatagramPair pair(port);
  constexpr std::size_t kRoom = 4096 - limit::kDatagramOffset;
  std::size_t count = 0;
  for (const std::size_t bytes : {kRoom, kRoom + 1, kLargest, kRoom - 1}) {
    const std::string text = pattern(bytes, static_cast<std::uint32_t>(++count));
    send_one(port, pair.sender, text, pair.to);
    check(wait_for(port, pair.received, count).back() == text.substr(0, kRoom), "what arrives");
    const ReceivedDatagram& datagram = port.outcome(pair.received).datagrams.back();
    check_equal(flags_of(datagram), bytes > kRoom ? incoming_flag::kTruncated : 0, "the flags of a datagram");
    check(sender_of(datagram) == pair.from, "the sender's address");
  }
}

void a_refused_datagram_does_not_stop_the_others(const Backend& backend) {
  TestPort port(backend);
  const DatagramPair pair(port);
  const WordAddress elsewhere = words_of("2001:db8::1", 9);
  std::vector<OutgoingWords> datagrams{
      datagram_to(port, "wrong family", elsewhere), datagram_to(port, "first", pair.to),
      datagram_to(port, pattern(70000), pair.to),   datagram_to(port, pattern(kLargest + 1), pair.to),
      datagram_to(port, "second", pair.to),         datagram_to(port, "wrong family", elsewhere),
      datagram_to(port, "third", mapped(pair.to)),  datagram_to(port, "to nobody", {}),
  };
  const Token sent = port.send_to(pair.sender, datagrams);
  check_equal(port.finish(sent), 3, "the number of datagrams taken");
  const std::map<std::int32_t, std::int32_t> expected{{0, -error_number::kEAFNOSUPPORT},
                                                      {2, -error_number::kEMSGSIZE},
                                                      {3, -error_number::kEMSGSIZE},
                                                      {5, -error_number::kEAFNOSUPPORT},
                                                      {7, -error_number::kEDESTADDRREQ}};
  check(refusals_of(port.outcome(sent)) == expected, "which datagrams are refused, and why");
  const std::vector<std::string> texts{"first", "second", "third"};
  check(wait_for(port, pair.received, 3) == texts, "the datagrams that arrive");
  const OutgoingWords refused = datagram_to(port, "to nobody", {});
  check_equal(port.finish(port.send_to(pair.sender, {&refused, 1})), 0, "the result when all are refused");
}

void a_connected_socket_needs_no_address(const Backend& backend) {
  TestPort port(backend);
  const DatagramPair pair(port);
  net::DatagramSpec spec = socket_at("127.0.0.1");
  spec.remote = {"127.0.0.1", static_cast<std::uint16_t>(pair.to.port), {}};
  const HandleRef client = port.open_datagram(spec);
  const Token received = port.recv_from(client);
  send_one(port, pair.sender, "from a stranger", words_of(port.address_of(client)));
  send_one(port, client, "a question", {});
  check(wait_for(port, pair.received, 1).back() == "a question", "what arrives");
  const ReceivedDatagram question = port.outcome(pair.received).datagrams.back();
  check(sender_of(question) == words_of(port.address_of(client)), "the sender's address");
  send_one(port, pair.receiver, "an answer", sender_of(question));
  check(wait_for(port, received, 1).back() == "an answer", "what arrives from the peer alone");
}

void ipv6_is_carried(const Backend& backend) {
  if (!is_here("::1")) return;
  TestPort port(backend, kBigSlots);
  const DatagramPair pair(port, "::1");
  const std::vector<std::string> texts{"small", "", pattern(kLargest)};
  check_equal(port.finish(port.send_to(pair.sender, datagrams_to(port, texts, pair.to))), 3,
              "the number of datagrams taken");
  check(wait_for(port, pair.received, 3) == texts, "the datagrams and their order");
  check(sender_of(port.outcome(pair.received).datagrams.front()) == pair.from, "the sender's address");
}

void an_ipv6_socket_carries_ipv4(const Backend& backend) {
  if (!is_here("::1")) return;
  TestPort port(backend);
  const HandleRef dual = port.open_datagram(socket_at("::"));
  const Token received = port.recv_from(dual);
  const DatagramPair ipv4(port);
  const auto dual_port = static_cast<std::uint16_t>(words_of(port.address_of(dual)).port);
  send_one(port, ipv4.sender, "hello", words_of("127.0.0.1", dual_port));
  check(wait_for(port, received, 1).back() == "hello", "what arrives");
  check(sender_of(port.outcome(received).datagrams.back()) == mapped(ipv4.from), "the sender's address");
  send_one(port, dual, "as IPv4", ipv4.to);
  send_one(port, dual, "as mapped", mapped(ipv4.to));
  const std::vector<std::string> texts{"as IPv4", "as mapped"};
  check(wait_for(port, ipv4.received, 2) == texts, "what arrives");
  check(sender_of(port.outcome(ipv4.received).datagrams.back()) == words_of("127.0.0.1", dual_port),
        "the sender's address");
}

void a_cancelled_receive_ends_and_another_goes_on(const Backend& backend) {
  TestPort port(backend);
  const DatagramPair pair(port);
  send_one(port, pair.sender, "before", pair.to);
  check(wait_for(port, pair.received, 1).back() == "before", "what arrives");
  port.cancel(pair.received);
  check_equal(port.finish(pair.received), -error_number::kECANCELED, "the result of the receive");
  send_one(port, pair.sender, "between", pair.to);
  const Token again = port.recv_from(pair.receiver);
  send_one(port, pair.sender, "after", pair.to);
  const std::vector<std::string> texts{"between", "after"};
  check(wait_for(port, again, 2) == texts, "what arrives");
  port.cancel(again);
  check_equal(port.finish(again), -error_number::kECANCELED, "the result of the second receive");
  port.settle_down();
  check_equal(port.stats().kernel_slots, 32, "the number of slots with the driver");
}

void a_close_joins_what_is_in_flight(const Backend& backend) {
  TestPort port(backend);
  const DatagramPair pair(port);
  const std::vector<OutgoingWords> datagrams(100, datagram_to(port, "x", pair.to));
  const Token sent = port.send_to(pair.sender, datagrams);
  const Token sender_closed = port.close(pair.sender);
  const Token receiver_closed = port.close(pair.receiver);
  check_equal(port.finish(sender_closed), 0, "the result of a close");
  check_equal(port.finish(receiver_closed), 0, "the result of a close");
  check_equal(port.outcome(pair.received).result, -error_number::kECANCELED, "the result of the receive");
  const std::int32_t taken = port.outcome(sent).result;
  check(port.settled(sent) && (taken == -error_number::kECANCELED || (taken > 0 && taken <= 100)),
        "the send ends with what it did, or cancelled");
  check(port.outcome(sent).settled_at < port.outcome(sender_closed).settled_at, "the close comes last");
  port.settle_down();
  check_equal(port.stats().operations, 0, "the number of operations");
  check_equal(port.stats().handles, 0, "the number of handles");
  check_equal(port.stats().kernel_slots, 32, "the number of slots with the driver");
}

void a_port_closes_with_datagrams_in_flight(const Backend& backend) {
  TestPort port(backend);
  const DatagramPair pair(port);
  const std::vector<OutgoingWords> datagrams(100, datagram_to(port, "x", pair.to));
  const Token sent = port.send_to(pair.sender, datagrams);
  port.close_engine();
  check(port.settled(sent) && port.settled(pair.received), "everything settles");
  check_equal(port.stats().operations, 0, "the number of operations");
  check_equal(port.stats().handles, 0, "the number of handles");
}

void a_receive_without_slots_parks(const Backend& backend) {
  TestPort port(backend, {.provided = 0});
  const DatagramPair pair(port);
  const std::vector<std::string> texts{"one", "", "three"};
  check_equal(port.finish(port.send_to(pair.sender, datagrams_to(port, texts, pair.to))), 3,
              "the number of datagrams taken");
  port.settle_down();
  check(port.outcome(pair.received).events.empty(), "an empty pool is no error");
  check_equal(port.stats().parked, 1, "the number of parked receives");
  check(port.engine().prepare_wait(), "the port can sleep");
  port.provide(0);
  check(wait_for(port, pair.received, 3) == texts, "one slot serves all");
  port.settle_down();
  port.close_engine();
  check_equal(port.outcome(pair.received).result, -error_number::kECANCELED, "the result of the receive");
}

void a_parked_receive_can_be_cancelled(const Backend& backend) {
  TestPort port(backend, {.provided = 0});
  const DatagramPair pair(port);
  send_one(port, pair.sender, "unread", pair.to);
  port.settle_down();
  port.cancel(pair.received);
  check_equal(port.finish(pair.received), -error_number::kECANCELED, "the result of the receive");
  check_equal(port.stats().parked, 0, "the number of parked receives");
}

void streams_and_datagrams_are_kept_apart(const Backend& backend) {
  TestPort port(backend);
  const DatagramPair pair(port);
  const Pair stream = make_pair(port);
  const OutgoingWords datagram = datagram_to(port, "x", pair.to);
  constexpr std::int32_t kUnsupported = -error_number::kEOPNOTSUPP;
  check_equal(port.finish(port.recv(pair.sender)), kUnsupported, "a Recv");
  check_equal(port.finish(port.send(pair.sender, "x")), kUnsupported, "a Send");
  check_equal(port.finish(port.accept(pair.sender)), kUnsupported, "an Accept");
  check_equal(port.finish(port.shutdown(pair.sender)), kUnsupported, "a Shutdown");
  check_equal(port.finish(port.recv_from(stream.handle)), kUnsupported, "a RecvFrom on a stream");
  check_equal(port.finish(port.send_to(stream.handle, {&datagram, 1})), kUnsupported, "a SendTo on a stream");
  check_equal(port.finish(port.recv_from(pair.receiver)), -error_number::kEALREADY, "a second RecvFrom");
}

void bad_lists_are_refused(const Backend& backend) {
  TestPort port(backend);
  const DatagramPair pair(port);
  const OutgoingWords good = datagram_to(port, "fine", pair.to);
  OutgoingWords bad = good;
  bad[outgoing_word::kLength] = 5;
  const std::array<OutgoingWords, 2> list{good, bad};
  check_equal(port.finish(port.send_to(pair.sender, list)), -error_number::kEFAULT,
              "memory that is not there");
  check_equal(port.finish(port.send_to(pair.sender, {})), -error_number::kEFAULT, "an empty list");
  check_equal(port.finish(port.send_to(pair.sender, {&good, 1})), 1, "a good one afterwards");
  check(wait_for(port, pair.received, 1).back() == "fine", "what arrives");
}

void a_port_sleeps_between_datagrams(const Backend& backend) {
  TestPort port(backend);
  const DatagramPair pair(port);
  for (std::size_t i = 1; i <= 10; ++i) {
    send_one(port, pair.sender, std::to_string(i), pair.to);
    check(wait_for(port, pair.received, i).back() == std::to_string(i), "what arrives");
    port.settle_down();
    check_equal(port.turn(), 0, "the number of completions");
    check(port.engine().prepare_wait(), "the port can sleep");
  }
}

void a_connected_socket_is_told_that_nobody_listens(const Backend& backend) {
  TestPort port(backend);
  const HandleRef gone = port.open_datagram(socket_at("127.0.0.1"));
  const net::Endpoint nobody{
      "127.0.0.1", static_cast<std::uint16_t>(words_of(port.address_of(gone)).port), {}};
  check_equal(port.finish(port.close(gone)), 0, "the result of the close");
  net::DatagramSpec spec = socket_at("127.0.0.1");
  spec.remote = nobody;
  const HandleRef from_start = port.open_datagram(spec);
  const HandleRef later = port.open_datagram(socket_at("127.0.0.1"));
  check(net::connect_datagram(port.engine().find(later)->native, nobody).ok(), "it is connected");
  for (const HandleRef client : {from_start, later}) {
    const Token received = port.recv_from(client);
    port.settle_down();
    send_one(port, client, "anybody?", {});
    check_equal(port.finish(received), -error_number::kECONNREFUSED, "the result of the receive");
    const Token again = port.recv_from(client);
    port.settle_down();
    check(port.outcome(again).events.empty(), "the error is told once");
    check_equal(port.finish(port.close(client)), 0, "the result of the close");
  }
  port.settle_down();
  check_equal(port.stats().kernel_slots, 32, "the number of slots with the driver");
}

constexpr Assertion kAssertions[] = {
    {"a batch of datagrams is echoed", a_batch_is_echoed},
    {"a burst of datagrams arrives whole", a_burst_arrives_whole},
    {"the longest list of datagrams is taken", the_longest_list_is_taken},
    {"datagrams from nothing to the largest", sizes_from_nothing_to_the_largest},
    {"what does not fit of a datagram is cut", what_does_not_fit_is_cut},
    {"a refused datagram does not stop the others", a_refused_datagram_does_not_stop_the_others},
    {"a connected datagram socket needs no address", a_connected_socket_needs_no_address},
    {"a connected datagram socket is told that nobody listens",
     a_connected_socket_is_told_that_nobody_listens},
    {"datagrams over IPv6", ipv6_is_carried},
    {"an IPv6 datagram socket carries IPv4", an_ipv6_socket_carries_ipv4},
    {"a cancelled receive of datagrams ends and another goes on",
     a_cancelled_receive_ends_and_another_goes_on},
    {"a close joins the datagrams in flight", a_close_joins_what_is_in_flight},
    {"a port closes with datagrams in flight", a_port_closes_with_datagrams_in_flight},
    {"a receive of datagrams without slots parks", a_receive_without_slots_parks},
    {"a parked receive of datagrams can be cancelled", a_parked_receive_can_be_cancelled},
    {"streams and datagrams are kept apart", streams_and_datagrams_are_kept_apart},
    {"bad lists of datagrams are refused", bad_lists_are_refused},
    {"a port sleeps between datagrams", a_port_sleeps_between_datagrams},
};

}  // namespace

std::span<const Assertion> datagram_assertions() { return kAssertions; }

}  // namespace iocp::test
