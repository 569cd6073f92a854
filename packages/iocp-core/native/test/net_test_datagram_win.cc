#include <cstdint>
#include <string>

#include "backend/net/os_sockets.h"
#include "backend/winsock/listening_ports.h"
#include "core/protocol.gen.h"
#include "test/net_test_datagram.h"

namespace iocp::test {

using namespace net;

namespace {

void no_two_sockets_share_a_port() {
  DatagramSpec spec = loopback_spec();
  spec.reuse_port = true;
  check_error(open_datagram(spec), error_number::kEOPNOTSUPP, "a port to share");
}

void the_system_knows_who_has_a_port() {
  const OwnedSocket socket = value_of(open_datagram(loopback_spec()));
  check(winsock::is_bound(endpoint_of(socket).port), "the system knows of the socket");
  check(!winsock::is_bound(0), "nobody has port 0");
}

void sockets_do_not_block_and_are_not_inherited() {
  const OwnedSocket socket = value_of(open_datagram(loopback_spec()));
  DWORD flags = HANDLE_FLAG_INHERIT;
  check(::GetHandleInformation(reinterpret_cast<HANDLE>(socket.native()), &flags) != FALSE,
        "its flags are read");
  check_equal(flags & HANDLE_FLAG_INHERIT, 0, "the flag that makes it inherited");
  char byte = 0;
  check_equal(::recv(socket_of(socket.native()), &byte, 1, 0), SOCKET_ERROR, "the result of recv");
  check_equal(last_error("recv").error, error_number::kEAGAIN, "the error of recv");
}

void answers_are_not_kept() {
  const OwnedSocket socket = value_of(open_datagram(loopback_spec()));
  check(!value_of(take_datagram_error(socket.native())), "there is no answer");
  check_equal(dropped_datagrams(socket.native()), -1, "the count of dropped datagrams");
  check_error(get_option(socket.native(), "receiveErrors"), error_number::kENOPROTOOPT, "receiveErrors");
  check_error(set_option(socket.native(), "receiveSegments", 1), error_number::kENOPROTOOPT,
              "receiveSegments");
}

}  // namespace

void add_system_datagram_net_tests(std::vector<TestCase>& tests) {
  tests.push_back({"net: no two UDP sockets share a port", no_two_sockets_share_a_port});
  tests.push_back({"net: the system knows who has a UDP port", the_system_knows_who_has_a_port});
  tests.push_back(
      {"net: UDP sockets do not block and are not inherited", sockets_do_not_block_and_are_not_inherited});
  tests.push_back({"net: answers of the network are not kept", answers_are_not_kept});
}

}  // namespace iocp::test
