#include "test/net_test_datagram.h"

#include <array>
#include <cstdint>
#include <string>

#include "backend/net/interfaces.h"
#include "backend/net/membership.h"
#include "backend/net/os_sockets.h"
#include "core/protocol.gen.h"
#include "test/os.h"
#include "test/unit_tests.h"

namespace iocp::test {

using namespace net;

namespace {

constexpr const char* kGroup = "239.7.7.7";          // for use within an organization (RFC 2365)
constexpr const char* kSpecificGroup = "232.7.7.7";  // source-specific (RFC 4607)
constexpr const char* kIpv6Group = "ff01::7:7:7";    // goes no further than the interface

std::string loopback_host(Family family) { return family == Family::Ipv6 ? "::1" : "127.0.0.1"; }

std::optional<Endpoint> peer_of(const OwnedSocket& socket) {
  const Result<AddressBytes> bytes = peer_address(socket.native());
  if (!bytes) {
    check_error(bytes, error_number::kENOTCONN, "the peer");
    return std::nullopt;
  }
  const SocketAddress address = value_of(from_bytes(bytes.value()));
  return Endpoint{address.host, address.port, {}};
}

void an_address_fits_a_family() {
  const auto fitted = [](const char* host, int family) {
    const SocketAddress address =
        value_of(from_bytes(value_of(fit_family(value_of(ip_address(host, 7)), family))));
    check_equal(address.port, 7, "the port");
    return address.host;
  };
  check_equal(fitted("192.0.2.1", AF_INET), std::string("192.0.2.1"), "IPv4 for IPv4");
  check_equal(fitted("192.0.2.1", AF_INET6), std::string("::ffff:192.0.2.1"), "IPv4 for IPv6");
  check_equal(fitted("::ffff:192.0.2.1", AF_INET), std::string("192.0.2.1"), "a mapped one for IPv4");
  check_equal(fitted("2001:db8::1", AF_INET6), std::string("2001:db8::1"), "IPv6 for IPv6");
  check_error(fit_family(value_of(ip_address("2001:db8::1", 7)), AF_INET), error_number::kEAFNOSUPPORT,
              "IPv6 for IPv4");
}

void a_port_is_for_one_socket() {
  DatagramSpec spec = loopback_spec();
  const OwnedSocket first = value_of(open_datagram(spec));
  spec.local = endpoint_of(first);
  check(spec.local.port != 0, "the system chose a port");
  const Result<OwnedSocket> second = open_datagram(spec);
  check_error(second, error_number::kEADDRINUSE, "a second socket");
  check_equal(std::string(second.error().syscall), std::string("bind"), "the call that failed");
  spec.reuse_address = true;
  check_error(open_datagram(spec), error_number::kEADDRINUSE, "one that would share what the first does not");
}

void sockets_that_ask_for_it_share_an_address() {
  DatagramSpec spec = loopback_spec();
  spec.reuse_address = true;
  const OwnedSocket first = value_of(open_datagram(spec));
  spec.local = endpoint_of(first);
  const OwnedSocket second = value_of(open_datagram(spec));
  check_equal(endpoint_of(second).port, spec.local.port, "the port of the second");
}

void a_socket_at_foreign_addresses_is_refused() {
  if (!os::foreign_addresses_fail()) return;
  DatagramSpec spec = loopback_spec();
  spec.local.host = "192.0.2.1";  // for documentation only: nobody has it
  check_error(open_datagram(spec), error_number::kEADDRNOTAVAIL, "the socket");
}

void addresses_that_cannot_be_are_refused() {
  DatagramSpec spec = loopback_spec();
  spec.local.host = "::1";
  const Result<OwnedSocket> other = open_datagram(spec);
  check_error(other, error_number::kEAFNOSUPPORT, "IPv6 on an IPv4 socket");
  check_equal(std::string(other.error().syscall), std::string("bind"), "the call that failed");
  spec.local.host = "localhost";
  check_error(open_datagram(spec), error_number::kEINVAL, "a name");
  spec = loopback_spec();
  spec.remote = Endpoint{"::1", 9, {}};
  const Result<OwnedSocket> connected = open_datagram(spec);
  check_error(connected, error_number::kEAFNOSUPPORT, "an IPv6 peer of an IPv4 socket");
  check_equal(std::string(connected.error().syscall), std::string("connect"), "the call that failed");
  spec = loopback_spec();
  spec.options = {{"no such option", 1}};
  check_error(open_datagram(spec), error_number::kEINVAL, "an unknown option");
}

/// Bound to every address.
OwnedSocket socket_everywhere(Family family, const std::optional<Endpoint>& peer = std::nullopt) {
  DatagramSpec spec;
  spec.family = family;
  spec.local.host = family == Family::Ipv6 ? "::" : "0.0.0.0";
  spec.remote = peer;
  return value_of(open_datagram(spec));
}

std::vector<Family> loopback_families() {
  if (has_ipv6()) return {Family::Ipv4, Family::Ipv6};
  return {Family::Ipv4};
}

void a_connection_is_made_anew() {
  for (const Family family : loopback_families()) {
    const OwnedSocket first = value_of(open_datagram(loopback_spec(family)));
    const OwnedSocket second = value_of(open_datagram(loopback_spec(family)));
    const OwnedSocket socket = socket_everywhere(family, endpoint_of(first));
    const Endpoint own{loopback_host(family), endpoint_of(socket).port, {}};
    check_equal(peer_of(socket).value_or(Endpoint{}).port, endpoint_of(first).port, "the first peer");
    send_datagram(socket, "to the first");
    check_equal(receive_datagram(first), std::string("to the first"), "what the first peer gets");

    value_of(connect_datagram(socket.native(), endpoint_of(second)));
    check_equal(peer_of(socket).value_or(Endpoint{}).port, endpoint_of(second).port, "the second peer");
    check_equal(endpoint_of(socket).port, own.port, "the port when connected anew");
    send_datagram(socket, "to the second");
    check_equal(receive_datagram(second), std::string("to the second"), "what the second peer gets");
    send_datagram(first, "not for you", own);
    send_datagram(second, "for you", own);
    check_equal(receive_datagram(socket), std::string("for you"), "what comes from the peer");
  }
}

void a_connection_is_taken_back() {
  if (!os::ports_outlive_connections()) return;
  for (const Family family : loopback_families()) {
    const OwnedSocket peer = value_of(open_datagram(loopback_spec(family)));
    const OwnedSocket anybody = value_of(open_datagram(loopback_spec(family)));
    const OwnedSocket socket = socket_everywhere(family, endpoint_of(peer));
    const Endpoint own{loopback_host(family), endpoint_of(socket).port, {}};
    for (const char* text : {"once", "and when there is nothing to take back"}) {
      value_of(disconnect_datagram(socket.native()));
      check(!peer_of(socket), "there is no peer");
      check_equal(endpoint_of(socket).port, own.port, "the port without a connection");
      send_datagram(anybody, text, own);
      check_equal(receive_datagram(socket), std::string(text), "what comes from anybody");
    }
  }
}

void an_ipv6_socket_may_carry_ipv4() {
  if (!has_ipv6()) return;
  DatagramSpec spec;
  spec.family = Family::Ipv6;
  spec.local.host = "::";
  const OwnedSocket both = value_of(open_datagram(spec));
  check_equal(std::get<std::int32_t>(value_of(get_option(both.native(), "ipv6Only"))), 0, "ipv6Only");
  const OwnedSocket ipv4 = value_of(open_datagram(loopback_spec()));
  send_datagram(ipv4, "mapped", Endpoint{"127.0.0.1", endpoint_of(both).port, {}});
  check_equal(receive_datagram(both), std::string("mapped"), "what comes with IPv4");
  value_of(connect_datagram(both.native(), endpoint_of(ipv4)));
  check_equal(peer_of(both).value_or(Endpoint{}).host, std::string("::ffff:127.0.0.1"), "the peer");

  spec.ipv6_only = true;
  const OwnedSocket alone = value_of(open_datagram(spec));
  check_equal(std::get<std::int32_t>(value_of(get_option(alone.native(), "ipv6Only"))), 1, "ipv6Only");
  spec.family = Family::Ipv4;
  spec.local = {"0.0.0.0", endpoint_of(alone).port, {}};
  check(open_datagram(spec).ok(), "the port is free for IPv4");
}

void datagram_options_are_set_and_read() {
  for (const Family family : loopback_families()) {
    const OwnedSocket socket = value_of(open_datagram(loopback_spec(family)));
    check_round_trip(socket, "broadcast", 1);
    check_round_trip(socket, "multicastTtl", 3);
    check_round_trip(socket, "multicastLoop", 0);
    check_round_trip(socket, "ttl", 17);
    check_round_trip(socket, "receiveDestination", 1);
    check_round_trip(socket, "receiveTtl", 1);
    value_of(set_option(socket.native(), "receiveErrors", 1));
    value_of(set_option(socket.native(), "receiveErrors", 0));
    check_error(set_option(socket.native(), "multicastInterface", 1), error_number::kEINVAL,
                "a number for a text");
  }
}

void interfaces_are_found() {
  const ChosenInterface loopback = value_of(find_interface("127.0.0.1"));
  check(loopback.index != 0 && !loopback.name.empty(), "the loopback interface has a number and a name");
  check(loopback.ipv4.has_value(), "and an address");
  check_equal(value_of(find_interface(std::to_string(loopback.index))).name, loopback.name, "by number");
  check_equal(value_of(find_interface(loopback.name)).index, loopback.index, "by name");
  for (const char* text : {"no-such-interface", "192.0.2.1", "2001:db8::1", "0", "4294967294", ""}) {
    check_error(find_interface(text), error_number::kENODEV, text);
  }
}

void a_multicast_interface_is_chosen() {
  const ChosenInterface loopback = value_of(find_interface("127.0.0.1"));
  for (const Family family : loopback_families()) {
    const OwnedSocket socket = value_of(open_datagram(loopback_spec(family)));
    const auto chosen = [&socket] {
      return std::get<std::string>(value_of(get_option(socket.native(), "multicastInterface")));
    };
    check_equal(chosen(), std::string(), "the choice at first");
    for (const std::string& text :
         {loopback.name, std::to_string(loopback.index), std::string("127.0.0.1")}) {
      value_of(set_option(socket.native(), "multicastInterface", text));
      check_equal(chosen(), loopback.name, "the choice of " + text);
      value_of(set_option(socket.native(), "multicastInterface", ""));
      check_equal(chosen(), std::string(), "the choice when it is left to the system");
    }
    check_error(set_option(socket.native(), "multicastInterface", "no-such-interface"), error_number::kENODEV,
                "an unknown one");
  }
}

void check_join(const OwnedSocket& socket, MembershipChange change) {
  change.join = true;
  value_of(change_membership(socket.native(), change));
  check(!change_membership(socket.native(), change).ok(), "a member does not join again");
}

void check_leave(const OwnedSocket& socket, MembershipChange change) {
  change.join = false;
  value_of(change_membership(socket.native(), change));
  check(!change_membership(socket.native(), change).ok(), "who is no member does not leave");
}

/// On the loopback interface, which `interface_text` names.
void check_delivery(const char* group, const std::string& source, const std::string& interface_text) {
  const OwnedSocket member = socket_everywhere(Family::Ipv4);
  const OwnedSocket sender = value_of(open_datagram(loopback_spec()));
  value_of(set_option(sender.native(), "multicastInterface", interface_text));
  const std::uint16_t port = endpoint_of(member).port;
  const MembershipChange change{true, group, source, interface_text};
  check_join(member, change);
  send_datagram(sender, "to the group", Endpoint{group, port, {}});
  check_equal(receive_datagram(member), std::string("to the group"), "what a member gets");
  check_leave(member, change);
  send_datagram(sender, "to nobody", Endpoint{group, port, {}});
  send_datagram(sender, "to you", Endpoint{"127.0.0.1", port, {}});
  check_equal(receive_datagram(member), std::string("to you"), "what others get");
}

void members_get_what_is_sent_to_the_group() {
  const ChosenInterface loopback = value_of(find_interface("127.0.0.1"));
  for (const std::string& text : {loopback.name, std::to_string(loopback.index), std::string("127.0.0.1")}) {
    check_delivery(kGroup, {}, text);
  }
}

void members_may_want_one_sender_only() { check_delivery(kSpecificGroup, "127.0.0.1", "127.0.0.1"); }

void ipv6_groups_are_joined_and_left() {
  if (!has_ipv6()) return;
  const ChosenInterface loopback = value_of(find_interface("127.0.0.1"));
  const OwnedSocket socket = socket_everywhere(Family::Ipv6);
  check_join(socket, {true, kIpv6Group, {}, loopback.name});
  check_leave(socket, {false, kIpv6Group, {}, loopback.name});
  const std::string scoped = kIpv6Group + ("%" + std::to_string(loopback.index));
  check_join(socket, {true, scoped, {}, {}});
  check_leave(socket, {false, kIpv6Group, {}, "::1"});
}

void wrong_memberships_are_refused() {
  const OwnedSocket socket = value_of(open_datagram(loopback_spec()));
  const auto refused = [&socket](const MembershipChange& change, std::int32_t error, const char* what) {
    check_error(change_membership(socket.native(), change), error, what);
  };
  refused({true, "127.0.0.1", {}, "127.0.0.1"}, error_number::kEINVAL, "an address of one host");
  refused({true, "a group", {}, {}}, error_number::kEINVAL, "a name");
  refused({true, kGroup, {}, "no-such-interface"}, error_number::kENODEV, "an unknown interface");
  refused({true, kGroup, {}, "192.0.2.1"}, error_number::kENODEV, "an address of others");
  refused({true, kIpv6Group, {}, {}}, error_number::kEAFNOSUPPORT, "an IPv6 group on an IPv4 socket");
  refused({true, kSpecificGroup, "::1", "127.0.0.1"}, error_number::kEAFNOSUPPORT,
          "a source of the other family");
}

}  // namespace

DatagramSpec loopback_spec(Family family) {
  DatagramSpec spec;
  spec.family = family;
  spec.local.host = loopback_host(family);
  return spec;
}

bool has_ipv6() { return open_datagram(loopback_spec(Family::Ipv6)).ok(); }

void send_datagram(const OwnedSocket& from, std::string_view text, const std::optional<Endpoint>& to) {
  if (!to) {
    check_equal(os::send(from.native(), text), text.size(), "the bytes that are sent");
    return;
  }
  const AddressBytes address = value_of(to_bytes(*to));
  const auto sent = ::sendto(socket_of(from.native()), text.data(), static_cast<int>(text.size()), 0,
                             as_sockaddr(address), length_of(address));
  check_equal(sent, text.size(), "the bytes that are sent to " + to->host);
}

bool has_datagram(const OwnedSocket& socket) {
  fd_set wanted;
  FD_ZERO(&wanted);
  FD_SET(socket_of(socket.native()), &wanted);
  timeval now{};
  return ::select(static_cast<int>(socket.native()) + 1, &wanted, nullptr, nullptr, &now) > 0;
}

std::string receive_datagram(const OwnedSocket& socket) {
  constexpr long kPatienceSeconds = 20;
  fd_set wanted;
  FD_ZERO(&wanted);
  FD_SET(socket_of(socket.native()), &wanted);
  timeval patience{};
  patience.tv_sec = kPatienceSeconds;
  check_equal(::select(static_cast<int>(socket.native()) + 1, &wanted, nullptr, nullptr, &patience), 1,
              "the number of sockets with a datagram");
  std::array<char, 2048> memory{};
  const std::int32_t length = os::receive(socket.native(), memory);
  check(length >= 0, "a datagram is received");
  return std::string(memory.data(), static_cast<std::size_t>(length));
}

void add_datagram_net_tests(std::vector<TestCase>& tests) {
  tests.push_back({"net: an address fits a family", an_address_fits_a_family});
  tests.push_back({"net: a UDP port is for one socket", a_port_is_for_one_socket});
  tests.push_back(
      {"net: UDP sockets that ask for it share an address", sockets_that_ask_for_it_share_an_address});
  tests.push_back(
      {"net: a UDP socket at foreign addresses is refused", a_socket_at_foreign_addresses_is_refused});
  tests.push_back({"net: UDP addresses that cannot be are refused", addresses_that_cannot_be_are_refused});
  tests.push_back({"net: a UDP socket is connected anew", a_connection_is_made_anew});
  tests.push_back({"net: a UDP socket is disconnected", a_connection_is_taken_back});
  tests.push_back({"net: a UDP socket of IPv6 may carry IPv4", an_ipv6_socket_may_carry_ipv4});
  tests.push_back({"net: UDP options are set and read", datagram_options_are_set_and_read});
  tests.push_back({"net: interfaces are found", interfaces_are_found});
  tests.push_back({"net: a multicast interface is chosen", a_multicast_interface_is_chosen});
  tests.push_back({"net: members get what is sent to the group", members_get_what_is_sent_to_the_group});
  tests.push_back({"net: members may want one sender only", members_may_want_one_sender_only});
  tests.push_back({"net: IPv6 groups are joined and left", ipv6_groups_are_joined_and_left});
  tests.push_back({"net: wrong memberships are refused", wrong_memberships_are_refused});
  add_system_datagram_net_tests(tests);
}

}  // namespace iocp::test
