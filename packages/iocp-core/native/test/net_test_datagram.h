#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/net/datagram_socket.h"
#include "test/net_test.h"

namespace iocp::test {

/// A socket on the loopback interface of a version of IP, with a port that the system chose.
[[nodiscard]] net::DatagramSpec loopback_spec(net::Family family = net::Family::Ipv4);

/// Whether this machine has IPv6 on its loopback interface.
[[nodiscard]] bool has_ipv6();

/// Waits until the system has taken the datagram. Without `to` it goes to the connected peer.
void send_datagram(const net::OwnedSocket& from, std::string_view text,
                   const std::optional<net::Endpoint>& to = std::nullopt);

/// Waits for a datagram; the test fails when none comes.
[[nodiscard]] std::string receive_datagram(const net::OwnedSocket& socket);

/// Whether a datagram is there, without waiting.
[[nodiscard]] bool has_datagram(const net::OwnedSocket& socket);

/// Tests of what this system does in its own way.
void add_system_datagram_net_tests(std::vector<TestCase>& tests);

}  // namespace iocp::test
