#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "backend/net/address.h"
#include "backend/net/os_sockets.h"
#include "backend/net/socket_system.h"
#include "core/protocol.gen.h"
#include "test/net_test.h"

namespace iocp::test {

using namespace net;

namespace {

void abstract_names_go_there_and_back() {
  const std::string name = std::string("\0a\0b", 4);
  const SocketAddress address = value_of(from_bytes(value_of(unix_address(name))));
  check(address.family == Family::Unix, "the family");
  check_equal(address.path, name, "the name");
}

void two_listeners_share_a_port() {
  ListenSpec spec;
  spec.reuse_port = true;
  const OwnedSocket first = value_of(open_listener(spec));
  spec.local = endpoint_of(first);
  const OwnedSocket second = value_of(open_listener(spec));
  check_equal(endpoint_of(second).port, spec.local.port, "the port of the second");
}

void options_of_linux_are_set_and_read() {
  for (const int family : {AF_INET, AF_INET6}) {
    const Result<OwnedSocket> made = make_stream_socket(family);
    if (!made && family == AF_INET6) continue;  // a machine without IPv6
    const OwnedSocket& socket = made.value();
    check_round_trip(socket, "keepAliveIdle", 33);
    check_round_trip(socket, "keepAliveInterval", 7);
    check_round_trip(socket, "keepAliveCount", 4);
    check_round_trip(socket, "userTimeout", 5000);
    check_round_trip(socket, "tos", 16);
    const auto congestion = std::get<std::string>(value_of(get_option(socket.native(), "congestion")));
    check(!congestion.empty(), "the congestion control has a name");
    value_of(set_option(socket.native(), "congestion", congestion));
    check_error(set_option(socket.native(), "congestion", 1), error_number::kEINVAL, "a number for a text");
  }
}

void tcp_info_has_numbers() {
  const OwnedSocket socket = value_of(make_stream_socket(AF_INET));
  const std::vector<NamedNumber> fields = value_of(tcp_info(socket.native()));
  check(fields.size() > 15, "there are many fields");
  const auto state = std::ranges::find(fields, std::string_view("state"), &NamedNumber::first);
  check(state != fields.end(), "the state is among them");
  check_equal(state->second, 7.0, "the state (TCP_CLOSE)");
  const OwnedSocket unix_socket = value_of(make_stream_socket(AF_UNIX));
  check(!tcp_info(unix_socket.native()).ok(), "a Unix socket has none");
}

void a_closed_descriptor_is_told() {
  check_error(check_stream_socket(-1), error_number::kEBADF, "nothing");
  check_error(get_option(-1, "noDelay"), error_number::kEBADF, "an option of nothing");
}

void discarded_pages_are_zero() {
  constexpr std::size_t kPage = 65536;  // the largest of any processor
  alignas(kPage) static std::array<std::byte, kPage> memory;
  memory.fill(std::byte{1});
  NativeSocketSystem().discard_pages(memory);
  check(std::ranges::all_of(memory, [](std::byte byte) { return byte == std::byte{0}; }),
        "every byte is zero");
}

}  // namespace

void add_system_net_tests(std::vector<TestCase>& tests) {
  tests.push_back({"net: abstract names go there and back", abstract_names_go_there_and_back});
  tests.push_back({"net: two listeners share a port", two_listeners_share_a_port});
  tests.push_back({"net: options of Linux are set and read", options_of_linux_are_set_and_read});
  tests.push_back({"net: tcp_info has numbers", tcp_info_has_numbers});
  tests.push_back({"net: a closed descriptor is told", a_closed_descriptor_is_told});
  tests.push_back({"net: discarded pages are zero", discarded_pages_are_zero});
}

}  // namespace iocp::test
