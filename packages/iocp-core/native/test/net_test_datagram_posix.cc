#include <netinet/in.h>

#include <array>
#include <cstdint>
#include <string>

#include "backend/net/membership.h"
#include "backend/net/os_sockets.h"
#include "core/protocol.gen.h"
#include "test/net_test_datagram.h"
#include "test/os.h"

namespace iocp::test {

using namespace net;

namespace {

void sockets_share_a_port() {
  DatagramSpec spec = loopback_spec();
  spec.reuse_port = true;
  const OwnedSocket first = value_of(open_datagram(spec));
  spec.local = endpoint_of(first);
  const OwnedSocket second = value_of(open_datagram(spec));
  check_equal(endpoint_of(second).port, spec.local.port, "the port of the second");
}

void options_of_linux_are_set_and_read() {
  for (const Family family : {Family::Ipv4, Family::Ipv6}) {
    if (family == Family::Ipv6 && !has_ipv6()) continue;
    const OwnedSocket socket = value_of(open_datagram(loopback_spec(family)));
    for (const char* name : {"receiveErrors", "receiveTos", "receiveSegments"})
      check_round_trip(socket, name, 1);
  }
}

void who_is_no_member_does_not_leave() {
  const OwnedSocket socket = value_of(open_datagram(loopback_spec()));
  check_error(change_membership(socket.native(), {false, "239.7.7.7", {}, "127.0.0.1"}),
              error_number::kEADDRNOTAVAIL, "to leave");
}

void options_hold_for_ipv4_inside_ipv6() {
  if (!has_ipv6()) return;
  DatagramSpec spec;
  spec.family = Family::Ipv6;
  spec.local.host = "::";
  spec.options = {{"receiveDestination", 1}, {"receiveErrors", 1}, {"multicastTtl", 9}};
  const OwnedSocket socket = value_of(open_datagram(spec));
  for (const int option : {IP_PKTINFO, IP_RECVERR}) {
    check_equal(value_of(read_option<int>(socket.native(), IPPROTO_IP, option)), 1, "the option for IPv4");
  }
  check_equal(value_of(read_option<int>(socket.native(), IPPROTO_IP, IP_MULTICAST_TTL)), 9,
              "the TTL for IPv4");
}

/// Datagrams to a port whose socket is connected to somebody else are answered like those to a free one.
OwnedSocket deaf_socket(Family family) {
  DatagramSpec spec = loopback_spec(family);
  spec.remote = Endpoint{spec.local.host, 9, {}};
  return value_of(open_datagram(spec));
}

void check_answers(Family family, const std::string& offender) {
  const OwnedSocket first = deaf_socket(Family::Ipv4);
  const OwnedSocket second = deaf_socket(Family::Ipv4);
  DatagramSpec spec;
  spec.family = family;
  spec.local.host = family == Family::Ipv6 ? "::" : "0.0.0.0";
  spec.options = {{"receiveErrors", 1}, {"receiveDestination", 1}, {"receiveTtl", 1}, {"receiveTos", 1}};
  const OwnedSocket socket = value_of(open_datagram(spec));
  check(!value_of(take_datagram_error(socket.native())), "there is no answer at first");
  for (const OwnedSocket* const to : {&first, &second}) {
    // The answer is there when the first call comes back, and fails the next call once.
    Endpoint endpoint = endpoint_of(*to);
    const AddressBytes address =
        value_of(fit_family(value_of(to_bytes(endpoint)), family == Family::Ipv6 ? AF_INET6 : AF_INET));
    check_equal(::sendto(socket_of(socket.native()), "?", 1, 0, as_sockaddr(address), length_of(address)), 1,
                "the bytes that are sent");
    const std::optional<DatagramError> answer = value_of(take_datagram_error(socket.native()));
    check(answer.has_value(), "there is an answer");
    check_equal(answer->error, error_number::kECONNREFUSED, "the error");
    check_equal(answer->destination.host, offender, "where the datagram went");
    check_equal(answer->destination.port, endpoint.port, "the port where it went");
    check(answer->offender.has_value(), "somebody answered");
    check_equal(answer->offender->host, offender, "who answered");
  }
  check(!value_of(take_datagram_error(socket.native())), "there is no further answer");
  check(!has_datagram(socket), "the socket has no error left");
}

void the_network_answers_to_ipv4() { check_answers(Family::Ipv4, "127.0.0.1"); }

void the_network_answers_to_ipv4_inside_ipv6() {
  if (has_ipv6()) check_answers(Family::Ipv6, "::ffff:127.0.0.1");
}

void the_machine_answers_itself() {
  if (!has_ipv6()) return;
  DatagramSpec spec = loopback_spec(Family::Ipv6);
  spec.remote = Endpoint{"::1", 9, {}};
  spec.options = {{"receiveErrors", 1}};
  const OwnedSocket socket = value_of(open_datagram(spec));
  value_of(write_option(socket.native(), IPPROTO_IPV6, IPV6_MTU, 1280));
  value_of(write_option(socket.native(), IPPROTO_IPV6, IPV6_DONTFRAG, 1));
  check_equal(os::send(socket.native(), std::string(2000, 'x')), -error_number::kEMSGSIZE, "the result");
  const std::optional<DatagramError> answer = value_of(take_datagram_error(socket.native()));
  check(answer.has_value(), "there is an answer");
  check_equal(answer->error, error_number::kEMSGSIZE, "the error");
  check_equal(answer->destination.host, std::string("::1"), "where the datagram went");
  check_equal(answer->destination.port, 9, "the port where it went");
  check(!answer->offender, "nobody answered");
}

void dropped_datagrams_are_counted() {
  DatagramSpec spec = loopback_spec();
  spec.options = {{"receiveBuffer", 1}};
  const OwnedSocket small = value_of(open_datagram(spec));
  check_equal(dropped_datagrams(small.native()), 0, "the count at first");
  const OwnedSocket sender = value_of(open_datagram(loopback_spec()));
  constexpr int kMany = 1000;
  for (int i = 0; i < kMany; ++i) send_datagram(sender, std::string(1000, 'x'), endpoint_of(small));
  std::int64_t received = 0;
  std::int64_t dropped = 0;
  constexpr int kRoundsMax = 1'000'000;
  for (int round = 0; round < kRoundsMax && received + dropped < kMany; ++round) {
    while (has_datagram(small)) {
      static_cast<void>(receive_datagram(small));
      ++received;
    }
    dropped = dropped_datagrams(small.native());
  }
  check_equal(received + dropped, kMany, "the number of datagrams in all");
  check(dropped > 0 && received > 0, "some were dropped and some not");
}

}  // namespace

void add_system_datagram_net_tests(std::vector<TestCase>& tests) {
  tests.push_back({"net: UDP sockets share a port", sockets_share_a_port});
  tests.push_back({"net: UDP options of Linux are set and read", options_of_linux_are_set_and_read});
  tests.push_back({"net: who is no member does not leave", who_is_no_member_does_not_leave});
  tests.push_back({"net: UDP options hold for IPv4 inside IPv6", options_hold_for_ipv4_inside_ipv6});
  tests.push_back({"net: the network answers to IPv4", the_network_answers_to_ipv4});
  tests.push_back({"net: the network answers to IPv4 inside IPv6", the_network_answers_to_ipv4_inside_ipv6});
  tests.push_back({"net: the machine answers itself", the_machine_answers_itself});
  tests.push_back({"net: dropped datagrams are counted", dropped_datagrams_are_counted});
}

}  // namespace iocp::test
