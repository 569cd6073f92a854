#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>

#include "backend/net/address.h"
#include "backend/net/os_sockets.h"
#include "backend/winsock/error_table.h"
#include "backend/winsock/listening_ports.h"
#include "core/protocol.gen.h"
#include "test/net_test.h"
#include "test/os.h"

namespace iocp::test {

using namespace net;

namespace {

void every_error_has_a_number_of_ours() {
  for (const winsock::ErrorRow& row : winsock::wsa_errors()) {
    check_equal(winsock::from_wsa(static_cast<int>(row.system)), row.ours, show(row.system));
    check(error_text(row.ours) != nullptr, "a number of ours for " + show(row.system));
  }
  for (const winsock::ErrorRow& row : winsock::ntstatus_errors()) {
    check_equal(winsock::from_ntstatus(static_cast<std::int32_t>(row.system)), row.ours, show(row.system));
    check(error_text(row.ours) != nullptr, "a number of ours for " + show(row.system));
  }
}

void errors_have_the_names_of_linux() {
  check_equal(winsock::from_wsa(0), 0, "success");
  check_equal(winsock::from_wsa(WSAECONNRESET), error_number::kECONNRESET, "WSAECONNRESET");
  check_equal(winsock::from_wsa(WSAECONNABORTED), error_number::kECONNRESET, "WSAECONNABORTED");
  check_equal(winsock::from_wsa(ERROR_NETNAME_DELETED), error_number::kECONNRESET, "ERROR_NETNAME_DELETED");
  check_equal(winsock::from_wsa(ERROR_OPERATION_ABORTED), error_number::kECANCELED,
              "ERROR_OPERATION_ABORTED");
  check_equal(winsock::from_wsa(WSAESHUTDOWN), error_number::kEPIPE, "WSAESHUTDOWN");
  check_equal(winsock::from_wsa(1), error_number::kEIO, "an error of something else");

  const auto from_ntstatus = [](std::uint32_t status) {
    return winsock::from_ntstatus(static_cast<std::int32_t>(status));
  };
  check_equal(from_ntstatus(0), 0, "STATUS_SUCCESS");
  check_equal(from_ntstatus(0xC0000120), error_number::kECANCELED, "STATUS_CANCELLED");
  check_equal(from_ntstatus(0xC0000236), error_number::kECONNREFUSED, "STATUS_CONNECTION_REFUSED");
  check_equal(from_ntstatus(0xC000020D), error_number::kECONNRESET, "STATUS_CONNECTION_RESET");
  check_equal(from_ntstatus(0x80000005), error_number::kEMSGSIZE, "STATUS_BUFFER_OVERFLOW");
  check_equal(from_ntstatus(0xC00004CF), error_number::kEIO, "a status of something else");
  check_equal(from_ntstatus(0xC0070000 | ERROR_HOST_UNREACHABLE), error_number::kEHOSTUNREACH,
              "a Win32 error inside a status");
}

void there_are_no_abstract_names() {
  check_error(unix_address(std::string("\0a", 2)), error_number::kEOPNOTSUPP, "an abstract name");
}

void no_two_listeners_share_a_port() {
  ListenSpec spec;
  spec.reuse_port = true;
  check_error(open_listener(spec), error_number::kEOPNOTSUPP, "a port to share");
  spec.reuse_port = false;
  spec.local.host = "127.0.0.1";
  const OwnedSocket listener = value_of(open_listener(spec));
  const Endpoint endpoint = endpoint_of(listener);
  check(winsock::is_listened_on(endpoint.port), "the system knows of the listener");
  check(!winsock::is_listened_on(0), "nobody listens on port 0");

  const OwnedSocket thief = value_of(make_stream_socket(AF_INET));
  const AddressBytes address = value_of(to_bytes(endpoint));
  value_of(write_option(thief.native(), SOL_SOCKET, SO_REUSEADDR, 1));
  check(::bind(socket_of(thief.native()), as_sockaddr(address), length_of(address)) != 0,
        "SO_REUSEADDR of another socket does not take the port");
}

void sockets_do_not_block_and_are_not_inherited() {
  ListenSpec spec;
  spec.local.host = "127.0.0.1";
  const OwnedSocket listener = value_of(open_listener(spec));
  check(::accept(socket_of(listener.native()), nullptr, nullptr) == INVALID_SOCKET, "nobody connects");
  check_equal(last_error("accept").error, error_number::kEAGAIN, "the accept");
  DWORD flags = HANDLE_FLAG_INHERIT;
  const auto handle = reinterpret_cast<HANDLE>(socket_of(listener.native()));
  check(::GetHandleInformation(handle, &flags) != FALSE, "the flags of the handle are read");
  check_equal(flags & HANDLE_FLAG_INHERIT, 0, "the flag of inheritance");
}

void options_of_others_are_not_here() {
  const OwnedSocket socket = value_of(make_stream_socket(AF_INET));
  for (const char* name : {"cork", "quickAck", "userTimeout", "reuseAddress", "reusePort", "tos", "mark"}) {
    check_error(set_option(socket.native(), name, 1), error_number::kENOPROTOOPT, name);
    check_error(get_option(socket.native(), name), error_number::kENOPROTOOPT, name);
  }
  check_error(set_option(socket.native(), "congestion", "cubic"), error_number::kENOPROTOOPT, "congestion");
}

void options_of_windows_are_set_and_read() {
  const OwnedSocket socket = value_of(make_stream_socket(AF_INET));
  check_round_trip(socket, "receiveBuffer", 100'000);
  check_round_trip(socket, "sendBuffer", 100'000);
  for (const char* name : {"keepAliveIdle", "keepAliveInterval", "keepAliveCount"}) {
    if (get_option(socket.native(), name)) {
      check_round_trip(socket, name, 7);
    } else {  // before Windows 10 1709, and Wine 8
      check_error(set_option(socket.native(), name, 7), error_number::kENOPROTOOPT, name);
    }
  }
}

void an_ipv6_socket_goes_to_ipv4() {
  if (!make_stream_socket(AF_INET6)) return;  // a machine without IPv6
  OpenSpec spec;
  spec.remote = {"::ffff:127.0.0.1", 9, {}};
  const OpenedSocket opened = value_of(open_socket(spec));
  check_equal(std::get<std::int32_t>(value_of(get_option(opened.socket.native(), "ipv6Only"))), 0,
              "ipv6Only");
}

void tcp_info_knows_a_connection() {
  ListenSpec spec;
  spec.local.host = "127.0.0.1";
  const OwnedSocket listener = value_of(open_listener(spec));
  const OwnedSocket connected = os::connect(value_of(local_address(listener.native())));
  const Result<std::vector<NamedNumber>> fields = tcp_info(connected.native());
  if (!fields) {  // before Windows 10 1703, and Wine 8
    check_error(fields, error_number::kEOPNOTSUPP, "tcp_info");
    return;
  }
  const auto state = std::ranges::find(fields.value(), std::string_view("state"), &NamedNumber::first);
  check(state != fields.value().end(), "the state is among the fields");
  check_equal(state->second, 1.0, "the state (TCP_ESTABLISHED)");
}

void unix_sockets_listen_at_a_file() {
  const Result<OwnedSocket> known = make_stream_socket(AF_UNIX);
  if (!known) {  // before Windows 10 1803, and Wine 8
    check_error(known, error_number::kEAFNOSUPPORT, "a Unix socket");
    return;
  }
  ListenSpec spec;
  const auto process = std::to_string(::GetCurrentProcessId());
  spec.local.path = (std::filesystem::temp_directory_path() / ("iocp-" + process + ".sock")).string();
  const OwnedSocket listener = value_of(open_listener(spec));
  check_equal(endpoint_of(listener).path, spec.local.path, "the path");
  check_error(open_listener(spec), error_number::kEADDRINUSE, "a second listener");
  check(std::filesystem::remove(spec.local.path), "the file is removed");
}

void the_release_has_three_numbers() {
  const std::string release = kernel_release();
  check_equal(std::ranges::count(release, '.'), 2, "the number of dots in " + release);
  check_equal(release.find_first_not_of("0123456789."), std::string::npos, "what else is in " + release);
}

}  // namespace

void add_system_net_tests(std::vector<TestCase>& tests) {
  tests.push_back({"net: every error has a number of ours", every_error_has_a_number_of_ours});
  tests.push_back({"net: errors have the names of Linux", errors_have_the_names_of_linux});
  tests.push_back({"net: there are no abstract names", there_are_no_abstract_names});
  tests.push_back({"net: no two listeners share a port", no_two_listeners_share_a_port});
  tests.push_back(
      {"net: sockets do not block and are not inherited", sockets_do_not_block_and_are_not_inherited});
  tests.push_back({"net: options of others are not here", options_of_others_are_not_here});
  tests.push_back({"net: options of Windows are set and read", options_of_windows_are_set_and_read});
  tests.push_back({"net: an IPv6 socket goes to IPv4", an_ipv6_socket_goes_to_ipv4});
  tests.push_back({"net: tcp_info knows a connection", tcp_info_knows_a_connection});
  tests.push_back({"net: Unix sockets listen at a file", unix_sockets_listen_at_a_file});
  tests.push_back({"net: the release has three numbers", the_release_has_three_numbers});
}

}  // namespace iocp::test
