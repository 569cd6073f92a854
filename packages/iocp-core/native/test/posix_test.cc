#include <sys/socket.h>
#include <sys/un.h>

#include <string>

#include "backend/posix/address.h"
#include "backend/posix/errno.h"
#include "backend/posix/socket_factory.h"
#include "backend/posix/socket_options.h"
#include "backend/posix/socket_system.h"
#include "core/protocol.gen.h"
#include "test/unit_tests.h"

namespace iocp::test {
namespace {

using namespace posix;

template <typename T>
T value_of(Result<T> result, const std::source_location& where = std::source_location::current()) {
  if (!result) fail(std::string(result.error().syscall) + ": " + describe(result.error().error), where);
  return std::move(result).value();
}

template <typename T>
void check_error(const Result<T>& result, std::int32_t error, const std::string& what,
                 const std::source_location& where = std::source_location::current()) {
  check(!result.ok(), what + " fails", where);
  check_equal(result.error().error, error, what, where);
}

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
  check_equal(value_of(from_bytes(value_of(ip_address("fe80::1%lo", 1)))).scope_id, 1, "a scope by name");
}

void unix_paths_go_there_and_back() {
  const std::string abstract = std::string("\0a\0b", 4);
  for (const std::string& path : {std::string("/run/x.sock"), abstract, std::string(107, 'p')}) {
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
  const Descriptor listener = value_of(open_listener(spec));
  const SocketAddress address = value_of(from_bytes(value_of(local_address(listener.native()))));
  check_equal(address.host, std::string("127.0.0.1"), "the host");
  check(address.port != 0, "the kernel chose a port");
  check_error(peer_address(listener.native()), error_number::kENOTCONN, "the peer of a listener");
  ListenSpec taken = spec;
  taken.local.port = address.port;
  const Result<Descriptor> second = open_listener(taken);
  check_error(second, error_number::kEADDRINUSE, "a second listener");
  check_equal(std::string(second.error().syscall), std::string("bind"), "the call that failed");
}

void listening_everywhere_and_reuse_port() {
  ListenSpec spec;
  spec.reuse_port = true;
  const Descriptor first = value_of(open_listener(spec));
  const SocketAddress address = value_of(from_bytes(value_of(local_address(first.native()))));
  check(address.host == "::" || address.host == "0.0.0.0", "every address of the machine");
  spec.local.port = address.port;
  const Descriptor second = value_of(open_listener(spec));
  check(static_cast<bool>(second), "two listeners share the port");
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
  check_equal(value_of(from_bytes(value_of(local_address(opened.descriptor.native())))).host,
              std::string("127.0.0.1"), "the local host");
  check_equal(std::get<std::int32_t>(value_of(get_option(opened.descriptor.native(), "noDelay"))), 1,
              "noDelay");
  OpenSpec mixed = spec;
  mixed.local = Endpoint{"::1", 0, {}};
  check(!open_socket(mixed).ok(), "an IPv4 socket is not bound to an IPv6 address");
  OpenSpec unknown = spec;
  unknown.options = {{"no such option", 1}};
  check_error(open_socket(unknown), error_number::kEINVAL, "an unknown option");
}

void options_are_set_and_read() {
  const Descriptor ipv4(::socket(AF_INET, SOCK_STREAM, 0));
  const Descriptor ipv6(::socket(AF_INET6, SOCK_STREAM, 0));
  const auto round_trip = [](const Descriptor& socket, const char* name, std::int32_t value) {
    value_of(set_option(socket.native(), name, value));
    check_equal(std::get<std::int32_t>(value_of(get_option(socket.native(), name))), value, name);
  };
  for (const Descriptor* socket : {&ipv4, &ipv6}) {
    if (!*socket) continue;
    round_trip(*socket, "keepAlive", 1);
    round_trip(*socket, "keepAliveIdle", 33);
    round_trip(*socket, "keepAliveInterval", 7);
    round_trip(*socket, "keepAliveCount", 4);
    round_trip(*socket, "userTimeout", 5000);
    round_trip(*socket, "linger", 3);
    round_trip(*socket, "linger", -1);
    round_trip(*socket, "linger", 0);
    round_trip(*socket, "tos", 16);
    round_trip(*socket, "ttl", 17);
    const std::string congestion =
        std::get<std::string>(value_of(get_option(socket->native(), "congestion")));
    check(!congestion.empty(), "the congestion control has a name");
    value_of(set_option(socket->native(), "congestion", congestion));
  }
  check_error(set_option(ipv4.native(), "nonsense", 1), error_number::kEINVAL, "an unknown option");
  check_error(get_option(ipv4.native(), "nonsense"), error_number::kEINVAL, "an unknown option");
  check_error(set_option(ipv4.native(), "congestion", 1), error_number::kEINVAL, "a number for a text");
  check_error(set_option(ipv4.native(), "noDelay", "yes"), error_number::kEINVAL, "a text for a number");
  check_error(get_option(-1, "noDelay"), error_number::kEBADF, "an option of nothing");
}

void every_option_can_be_read() {
  const Descriptor socket(::socket(AF_INET6, SOCK_STREAM, 0));
  if (!socket) return;  // a machine without IPv6
  for (const std::string_view name : option_names()) {
    const Result<OptionValue> read = get_option(socket.native(), name);
    check(read.ok() || read.error().error == error_number::kENOPROTOOPT, name);
  }
}

void tcp_info_has_numbers() {
  const Descriptor socket(::socket(AF_INET, SOCK_STREAM, 0));
  const std::vector<NamedNumber> fields = value_of(tcp_info(socket.native()));
  check(fields.size() > 15, "there are many fields");
  const auto state = std::find_if(fields.begin(), fields.end(), [](const NamedNumber& field) {
    return std::string_view(field.first) == "state";
  });
  check(state != fields.end(), "the state is among them");
  check_equal(state->second, 7.0, "the state (TCP_CLOSE)");
  const Descriptor unix_socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  check(!tcp_info(unix_socket.native()).ok(), "a Unix socket has none");
}

void stream_sockets_are_recognized() {
  const Descriptor stream(::socket(AF_INET, SOCK_STREAM, 0));
  const Descriptor datagram(::socket(AF_INET, SOCK_DGRAM, 0));
  check(check_stream_socket(stream.native()).ok(), "a stream socket is one");
  check_error(check_stream_socket(datagram.native()), error_number::kEPROTOTYPE, "a datagram socket");
  check_error(check_stream_socket(0), error_number::kENOTSOCK, "a file");
  check_error(check_stream_socket(-1), error_number::kEBADF, "nothing");
}

void discarded_pages_are_zero() {
  constexpr std::size_t kPage = 4096;
  alignas(kPage) static std::byte memory[4 * kPage];
  std::fill(std::begin(memory), std::end(memory), std::byte{1});
  PosixSocketSystem system;
  system.discard_pages({memory + 100, 2 * kPage});  // holds one page whole
  check(memory[100] == std::byte{1} && memory[kPage - 1] == std::byte{1}, "the page before is left alone");
  check(memory[kPage] == std::byte{0} && memory[2 * kPage - 1] == std::byte{0}, "the page inside is gone");
  check(memory[2 * kPage] == std::byte{1}, "the page behind is left alone");
  system.discard_pages({memory + 1, 10});
  check(memory[1] == std::byte{1}, "less than a page is left alone");
}

}  // namespace

void add_posix_tests(std::vector<TestCase>& tests) {
  tests.push_back({"posix: addresses go there and back", addresses_go_there_and_back});
  tests.push_back({"posix: addresses that are none are refused", addresses_that_are_none_are_refused});
  tests.push_back({"posix: scopes are numbers or names", scopes_are_numbers_or_names});
  tests.push_back({"posix: Unix paths go there and back", unix_paths_go_there_and_back});
  tests.push_back({"posix: a listener says where it listens", a_listener_says_where_it_listens});
  tests.push_back({"posix: listening everywhere, and reuse of a port", listening_everywhere_and_reuse_port});
  tests.push_back(
      {"posix: a listener of foreign addresses is refused", a_listener_of_foreign_addresses_is_refused});
  tests.push_back({"posix: an open socket knows its way", an_open_socket_knows_its_way});
  tests.push_back({"posix: options are set and read", options_are_set_and_read});
  tests.push_back({"posix: every option can be read", every_option_can_be_read});
  tests.push_back({"posix: tcp_info has numbers", tcp_info_has_numbers});
  tests.push_back({"posix: stream sockets are recognized", stream_sockets_are_recognized});
  tests.push_back({"posix: discarded pages are zero", discarded_pages_are_zero});
}

}  // namespace iocp::test
