#include <string>

#include "test/conformance.h"
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

constexpr Assertion kAssertions[] = {
    {"a socket of another port is refused", a_socket_of_another_port_is_refused},
    {"a burst is accepted", a_burst_is_accepted},
};

}  // namespace

std::span<const Assertion> system_assertions() { return kAssertions; }

}  // namespace iocp::test
