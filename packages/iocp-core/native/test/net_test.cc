#include "test/net_test.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/net/address.h"
#include "backend/net/os.h"
#include "backend/net/os_sockets.h"
#include "backend/net/socket_system.h"
#include "core/protocol.gen.h"
#include "test/unit_tests.h"

namespace iocp::test {

using namespace net;

namespace {

void addresses_go_there_and_back() {
  for (const char* host :
       {"127.0.0.1", "0.0.0.0", "255.255.255.255", "::", "::1", "2001:db8::1", "::ffff:10.0.0.1"}) {
    const SocketAddress address = value_of(from_bytes(value_of(ip_address(host, 8080))));
    check_equal(address.host, std::string(host), "the host");
    check_equal(address.port, 8080, "the port");
    const bool ipv6 = std::string(host).find(':') != std::string::npos;
    check(address.family == (ipv6 ? Family::Ipv6 : Family::Ipv4), "the family");
  }
}

void addresses_that_are_none_are_refused() {
  for (const char* host :
       {"", "localhost", "1.2.3", "1.2.3.4.5", "256.0.0.1", "::g", "127.0.0.1 ", "[::1]", ":"}) {
    check_error(ip_address(host, 1), error_number::kEINVAL, host);
  }
  check_error(ip_address(std::string("127.0.0.1\0x", 11), 1), error_number::kEINVAL, "a NUL in the host");
  check_error(ip_address("fe80::1%no-such-interface", 1), error_number::kENODEV, "an unknown scope");
  check_error(from_bytes({}), error_number::kEAFNOSUPPORT, "an empty address");
}

void scopes_are_numbers_or_names() {
  check_equal(value_of(from_bytes(value_of(ip_address("fe80::1%7", 1)))).scope_id, 7, "a scope by number");
  constexpr unsigned kFirst = 1;
  std::array<char, IF_NAMESIZE> name{};
  check(::if_indextoname(kFirst, name.data()) != nullptr, "the first interface has a name");
  const std::string host = std::string("fe80::1%") + name.data();
  check_equal(value_of(from_bytes(value_of(ip_address(host, 1)))).scope_id, kFirst, "a scope by name");
}

void unix_paths_go_there_and_back() {
  for (const std::string& path : {std::string("/run/x.sock"), std::string(107, 'p')}) {
    const SocketAddress address = value_of(from_bytes(value_of(unix_address(path))));
    check(address.family == Family::Unix, "the family");
    check_equal(address.path, path, "the path");
  }
  check_error(unix_address(""), error_number::kEINVAL, "an empty path");
  check_error(unix_address(std::string(108, 'p')), error_number::kENAMETOOLONG, "a long path");
  check_error(unix_address(std::string("a\0b", 3)), error_number::kEINVAL, "a NUL in a path");
}

void a_listener_says_where_it_listens() {
  ListenSpec spec;
  spec.local.host = "127.0.0.1";
  const OwnedSocket listener = value_of(open_listener(spec));
  spec.local = endpoint_of(listener);
  check_equal(spec.local.host, std::string("127.0.0.1"), "the host");
  check(spec.local.port != 0, "the kernel chose a port");
  check_error(peer_address(listener.native()), error_number::kENOTCONN, "the peer of a listener");
  const Result<OwnedSocket> second = open_listener(spec);
  check_error(second, error_number::kEADDRINUSE, "a second listener");
  check_equal(std::string(second.error().syscall), std::string("bind"), "the call that failed");
}

void whoever_listens_everywhere_has_every_address() {
  ListenSpec spec;
  const OwnedSocket listener = value_of(open_listener(spec));
  const Endpoint everywhere = endpoint_of(listener);
  check(everywhere.host == "::" || everywhere.host == "0.0.0.0", "every address of the machine");
  for (const char* host : {"", "0.0.0.0", "127.0.0.1"}) {
    spec.local = {host, everywhere.port, {}};
    check_error(open_listener(spec), error_number::kEADDRINUSE, host);
  }
}

void a_listener_of_foreign_addresses_is_refused() {
  ListenSpec spec;
  spec.local.host = "192.0.2.1";  // for documentation only: nobody has it
  check_error(open_listener(spec), error_number::kEADDRNOTAVAIL, "the listener");
}

void an_open_socket_knows_its_way() {
  OpenSpec spec;
  spec.remote = {"127.0.0.1", 9, {}};
  spec.local = Endpoint{"127.0.0.1", 0, {}};
  spec.options = {{"noDelay", 1}};
  const OpenedSocket opened = value_of(open_socket(spec));
  check_equal(value_of(from_bytes(*opened.remote)).port, 9, "the remote port");
  check_equal(value_of(from_bytes(value_of(local_address(opened.socket.native())))).host,
              std::string("127.0.0.1"), "the local host");
  check_equal(std::get<std::int32_t>(value_of(get_option(opened.socket.native(), "noDelay"))), 1, "noDelay");
  OpenSpec mixed = spec;
  mixed.local = Endpoint{"::1", 0, {}};
  check(!open_socket(mixed).ok(), "an IPv4 socket is not bound to an IPv6 address");
  OpenSpec unknown = spec;
  unknown.options = {{"no such option", 1}};
  check_error(open_socket(unknown), error_number::kEINVAL, "an unknown option");
}

void options_are_set_and_read() {
  for (const int family : {AF_INET, AF_INET6}) {
    const Result<OwnedSocket> made = make_stream_socket(family);
    if (!made && family == AF_INET6) continue;  // a machine without IPv6
    const OwnedSocket& socket = made.value();
    check_equal(value_of(net::os::socket_family(socket.native())), family, "the family");
    check_round_trip(socket, "noDelay", 1);
    check_round_trip(socket, "keepAlive", 1);
    check_round_trip(socket, "linger", 3);
    check_round_trip(socket, "linger", -1);
    check_round_trip(socket, "linger", 0);
    check_round_trip(socket, "ttl", 17);
  }
  const OwnedSocket socket = value_of(make_stream_socket(AF_INET));
  check_error(set_option(socket.native(), "nonsense", 1), error_number::kEINVAL, "an unknown option");
  check_error(get_option(socket.native(), "nonsense"), error_number::kEINVAL, "an unknown option");
  check_error(set_option(socket.native(), "noDelay", "yes"), error_number::kEINVAL, "a text for a number");
  check(!get_option(kNoNativeHandle, "noDelay").ok(), "nothing has no options");
}

void the_options_of_this_system_have_names() {
  const std::vector<std::string_view> names = option_names();
  for (const net::os::OptionPlace& place : net::os::option_places()) {
    check(std::ranges::find(names, place.name) != names.end(), place.name);
  }
}

void an_option_is_read_or_not_here() {
  const Result<OwnedSocket> stream = make_stream_socket(AF_INET6);
  if (!stream) return;  // a machine without IPv6
  const OwnedSocket datagram = value_of(make_datagram_socket(AF_INET6));
  for (const std::string_view name : option_names()) {
    const auto here = [name](const OwnedSocket& socket) {
      const Result<OptionValue> read = get_option(socket.native(), name);
      return read.ok() || read.error().error == error_number::kENOPROTOOPT;
    };
    check(here(stream.value()) || here(datagram), name);
  }
}

void stream_sockets_are_recognized() {
  const OwnedSocket stream = value_of(make_stream_socket(AF_INET));
  const OwnedSocket datagram(static_cast<NativeHandle>(::socket(AF_INET, SOCK_DGRAM, 0)));
  check(check_stream_socket(stream.native()).ok(), "a stream socket is one");
  check_error(check_stream_socket(datagram.native()), error_number::kEPROTOTYPE, "a datagram socket");
  check_error(check_stream_socket(0), error_number::kENOTSOCK, "a file");
}

void pages_around_discarded_ones_stay() {
  const std::size_t page = net::os::page_bytes();
  const std::unique_ptr<std::byte[]> reserved = std::make_unique<std::byte[]>(5 * page);
  void* place = reserved.get();
  std::size_t space = 5 * page;
  auto* const memory = static_cast<std::byte*>(std::align(page, 4 * page, place, space));
  const auto all = [](std::span<const std::byte> bytes, std::byte value) {
    return std::ranges::all_of(bytes, [value](std::byte byte) { return byte == value; });
  };
  const std::span<std::byte> pages(memory, 4 * page);
  std::ranges::fill(pages, std::byte{1});
  NativeSocketSystem system;
  system.discard_pages(pages.subspan(100, 2 * page));  // holds one page whole
  check(all(pages.first(page), std::byte{1}), "the page before is left alone");
  check(all(pages.subspan(2 * page), std::byte{1}), "the pages behind are left alone");
  const std::span<std::byte> inside = pages.subspan(page, page);
  std::ranges::fill(inside, std::byte{2});
  check(all(inside, std::byte{2}), "a discarded page can be written");
  system.discard_pages(pages.subspan(1, 10));
  check(memory[1] == std::byte{1}, "less than a page is left alone");
}

void errors_have_words() {
  check_equal(describe(error_number::kEPIPE), std::string(error_text(error_number::kEPIPE)), "EPIPE");
  check_equal(describe(9999), std::string("error 9999"), "a number that is none of ours");
}

}  // namespace

void check_round_trip(const OwnedSocket& socket, const char* option, std::int32_t value,
                      const std::source_location& where) {
  value_of(set_option(socket.native(), option, value), where);
  check_equal(std::get<std::int32_t>(value_of(get_option(socket.native(), option), where)), value, option,
              where);
}

Endpoint endpoint_of(const OwnedSocket& listener) {
  const SocketAddress address = value_of(from_bytes(value_of(local_address(listener.native()))));
  return {address.host, address.port, address.path};
}

void add_net_tests(std::vector<TestCase>& tests) {
  tests.push_back({"net: addresses go there and back", addresses_go_there_and_back});
  tests.push_back({"net: addresses that are none are refused", addresses_that_are_none_are_refused});
  tests.push_back({"net: scopes are numbers or names", scopes_are_numbers_or_names});
  tests.push_back({"net: Unix paths go there and back", unix_paths_go_there_and_back});
  tests.push_back({"net: a listener says where it listens", a_listener_says_where_it_listens});
  tests.push_back(
      {"net: whoever listens everywhere has every address", whoever_listens_everywhere_has_every_address});
  tests.push_back(
      {"net: a listener of foreign addresses is refused", a_listener_of_foreign_addresses_is_refused});
  tests.push_back({"net: an open socket knows its way", an_open_socket_knows_its_way});
  tests.push_back({"net: options are set and read", options_are_set_and_read});
  tests.push_back({"net: the options of this system have names", the_options_of_this_system_have_names});
  tests.push_back({"net: an option is read, or not here", an_option_is_read_or_not_here});
  tests.push_back({"net: stream sockets are recognized", stream_sockets_are_recognized});
  tests.push_back({"net: pages around discarded ones stay", pages_around_discarded_ones_stay});
  tests.push_back({"net: errors have words", errors_have_words});
  add_system_net_tests(tests);
}

}  // namespace iocp::test
