#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "backend/net/socket_options.h"
#include "backend/posix/descriptor.h"
#include "test/conformance.h"
#include "test/datagrams.h"
#include "test/harness.h"
#include "test/peer.h"
#include "test/test_port.h"

namespace iocp::test {
namespace {

/// Lowers the limit on descriptors while it lives, so that no further one can be made.
class NoMoreDescriptors {
 public:
  NoMoreDescriptors() {
    check(::getrlimit(RLIMIT_NOFILE, &before_) == 0, "getrlimit");
    // The lowest free number is the one that the next descriptor would get.
    const posix::Descriptor next(::dup(0));
    rlimit lowered = before_;
    lowered.rlim_cur = static_cast<rlim_t>(next.get());
    check(::setrlimit(RLIMIT_NOFILE, &lowered) == 0, "setrlimit");
  }
  NoMoreDescriptors(const NoMoreDescriptors&) = delete;
  NoMoreDescriptors& operator=(const NoMoreDescriptors&) = delete;
  ~NoMoreDescriptors() { static_cast<void>(::setrlimit(RLIMIT_NOFILE, &before_)); }

 private:
  rlimit before_{};
};

void unix_sockets_work(const Backend& backend) {
  TestPort port(backend);
  const std::string path = std::string(1, '\0') + "iocp-conformance-" + std::to_string(::getpid());
  const HandleRef listener = port.listen(path);
  const Token accept = port.accept(listener);
  const HandleRef client = port.open_to(listener);
  check_equal(port.finish(port.connect(client)), 0, "the result of the connect");
  const HandleRef server = port.next_accepted(accept);
  const Token recv = port.recv(server);
  const std::string text = pattern(1 << 20);
  const Token sent = port.send(client, text);
  port.run_until([&] { return port.outcome(recv).data.size() == text.size(); }, "everything arrives");
  check(port.outcome(recv).data == text, "the bytes and their order");
  check_equal(port.finish(sent), text.size(), "the result of the send");
  check_equal(port.finish(port.shutdown(client)), 0, "the result of the shutdown");
  check_equal(port.finish(recv), 0, "the end of the stream");
}

void accept_without_descriptors_ends_with_an_error(const Backend& backend) {
  TestPort port(backend);
  const HandleRef listener = port.listen();
  Peer first(port, listener);
  const Token refused = port.accept(listener);
  {
    const NoMoreDescriptors limit;
    check_equal(port.finish(refused), -error_number::kEMFILE, "the result of the accept");
    check(port.outcome(refused).accepted.empty(), "no connection is made up");
  }
  const Token accept = port.accept(listener);
  const HandleRef accepted = port.next_accepted(accept);
  check_equal(port.finish(port.send(accepted, "at last")), 7, "the result of the send");
  check_equal(first.read(port, 7), std::string("at last"), "what the waiting peer got");
}

void a_duplicate_of_a_closed_descriptor_disturbs_nobody(const Backend& backend) {
  TestPort port(backend);
  Pair old = make_pair(port);
  const posix::Descriptor duplicate(::dup(static_cast<int>(port.engine().find(old.handle)->native)));
  check_equal(port.finish(port.close(old.handle)), 0, "the result of the close");
  Pair next = make_pair(port);
  const Token recv = port.recv(next.handle);
  old.peer.send(port, "is anybody there?");
  old.peer.end();
  port.settle_down();
  check(port.outcome(recv).events.empty(), "the new connection got nothing");
  check(port.engine().prepare_wait(), "the port can sleep");
}

/// A pair of local sockets that carry datagrams: unlike those of the loopback interface they can be full.
struct LocalPair {
  explicit LocalPair(TestPort& port) {
    std::array<int, 2> made{};
    check(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, made.data()) == 0,
          "socketpair");
    peer = posix::Descriptor(made[1]);
    net::OwnedSocket socket(made[0]);
    check(net::set_option(socket.native(), "sendBuffer", 16 * 1024).ok(), "the buffer is small");
    handle = port.adopt(std::move(socket), nullptr, SocketKind::DatagramIpv4);
  }

  /// Reads what is there now.
  void read_some() {
    std::array<char, 4096> buffer{};
    for (;;) {
      const ssize_t got = ::recv(peer.get(), buffer.data(), buffer.size(), 0);
      if (got < 0) return;
      received.emplace_back(buffer.data(), static_cast<std::size_t>(got));
    }
  }

  HandleRef handle;
  posix::Descriptor peer;
  std::vector<std::string> received;
};

std::vector<OutgoingWords> many_datagrams(TestPort& port) {
  std::vector<OutgoingWords> datagrams;
  for (std::uint32_t i = 0; i < 200; ++i) {
    datagrams.push_back(datagram_to(port, pattern(1000 + i, i + 1), WordAddress{}));
  }
  return datagrams;
}

void datagrams_wait_for_room(const Backend& backend) {
  TestPort port(backend);
  LocalPair pair(port);
  std::vector<std::string> expected;
  for (std::uint32_t i = 0; i < 200; ++i) expected.push_back(pattern(1000 + i, i + 1));
  for (int round = 0; round < 2; ++round) {
    pair.received.clear();
    const Token sent = port.send_to(pair.handle, many_datagrams(port));
    port.settle_down();
    check(!port.settled(sent), "the socket is full");
    check(port.outcome(sent).events.empty(), "a full socket is no error");
    check(port.engine().prepare_wait(), "the port can sleep");
    port.run_until(
        [&] {
          pair.read_some();
          return port.settled(sent);
        },
        "everything is sent");
    pair.read_some();
    check_equal(port.outcome(sent).result, 200, "the number of datagrams taken");
    check(pair.received == expected, "every datagram arrives once, in order");
  }
}

void a_waiting_send_of_datagrams_can_be_cancelled(const Backend& backend) {
  TestPort port(backend);
  LocalPair pair(port);
  const Token sent = port.send_to(pair.handle, many_datagrams(port));
  port.settle_down();
  check(!port.settled(sent), "the socket is full");
  const Token refused = port.send_to(pair.handle, many_datagrams(port));
  check_equal(port.finish(refused), -error_number::kEALREADY, "a second SendTo");
  port.cancel(sent);
  const std::int32_t taken = port.finish(sent);
  check(taken > 0 && taken < 200, "the result says what was taken");
  check(refusals_of(port.outcome(sent)).empty(), "what was given up is not refused");
  const Token full = port.send_to(pair.handle, many_datagrams(port));
  port.cancel(full);
  check_equal(port.finish(full), -error_number::kECANCELED, "the result when nothing was taken");
  pair.read_some();
  check_equal(pair.received.size(), taken, "the number of datagrams that arrive");
  const OutgoingWords last = datagram_to(port, "at last", WordAddress{});
  check_equal(port.finish(port.send_to(pair.handle, {&last, 1})), 1, "a send when there is room again");
}

void a_waiting_send_of_datagrams_is_joined_by_close(const Backend& backend) {
  TestPort port(backend);
  LocalPair pair(port);
  const Token sent = port.send_to(pair.handle, many_datagrams(port));
  port.settle_down();
  check_equal(port.finish(port.close(pair.handle)), 0, "the result of the close");
  pair.read_some();
  check_equal(pair.received.size(), port.outcome(sent).result, "the number of datagrams that arrive");
}

void room_that_nobody_waits_for_wakes_nobody(const Backend& backend) {
  TestPort port(backend);
  LocalPair pair(port);
  for (int round = 0; round < 2; ++round) {
    const OutgoingWords words = datagram_to(port, "x", WordAddress{});
    check_equal(port.finish(port.send_to(pair.handle, {&words, 1})), 1, "the number of datagrams taken");
    port.settle_down();
    check(port.engine().prepare_wait(), "the port can sleep");
    pair.read_some();
    check(!port.wait_for_signal(0), "the port sleeps on");
    // And again after somebody has waited.
    const Token waited = port.send_to(pair.handle, many_datagrams(port));
    port.run_until(
        [&] {
          pair.read_some();
          return port.settled(waited);
        },
        "everything is sent");
    pair.read_some();
  }
}

constexpr Assertion kAssertions[] = {
    {"datagrams wait for room", datagrams_wait_for_room},
    {"a waiting send of datagrams can be cancelled", a_waiting_send_of_datagrams_can_be_cancelled},
    {"a waiting send of datagrams is joined by a close", a_waiting_send_of_datagrams_is_joined_by_close},
    {"room that nobody waits for wakes nobody", room_that_nobody_waits_for_wakes_nobody},
    {"Unix sockets work", unix_sockets_work},
    {"an accept without descriptors ends with an error", accept_without_descriptors_ends_with_an_error},
    {"a duplicate of a closed descriptor disturbs nobody",
     a_duplicate_of_a_closed_descriptor_disturbs_nobody},
};

}  // namespace

std::span<const Assertion> system_assertions() { return kAssertions; }

}  // namespace iocp::test
