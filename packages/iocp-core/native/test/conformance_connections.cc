#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "backend/posix/address.h"
#include "backend/posix/socket_factory.h"
#include "test/conformance.h"
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

void accepts_many_connections(const Backend& backend) {
  TestPort port(backend);
  const HandleRef listener = port.listen();
  const Token accept = port.accept(listener);
  std::vector<Peer> peers;
  for (int i = 0; i < 200; ++i) peers.emplace_back(port, listener);
  port.run_until([&] { return port.outcome(accept).accepted.size() == peers.size(); }, "all are accepted");
  check(!port.settled(accept), "the accept goes on");
  check_equal(port.stats().handles, peers.size() + 1, "the number of handles");
}

void accepted_sockets_work(const Backend& backend) {
  TestPort port(backend);
  const HandleRef listener = port.listen();
  const Token accept = port.accept(listener);
  Peer peer(port, listener);
  peer.send(port, "ping");
  const HandleRef accepted = port.next_accepted(accept);
  const Token recv = port.recv(accepted);
  port.run_until([&] { return port.outcome(recv).data == "ping"; }, "the bytes arrive");
  check_equal(port.finish(port.send(accepted, "pong")), 4, "the result of the send");
  check_equal(peer.read(port, 4), std::string("pong"), "what the peer got");
}

void connects(const Backend& backend) {
  TestPort port(backend);
  const HandleRef listener = port.listen();
  const Token accept = port.accept(listener);
  const HandleRef client = port.open_to(listener);
  check_equal(port.finish(port.connect(client)), 0, "the result of the connect");
  const HandleRef server = port.next_accepted(accept);
  const Token at_server = port.recv(server);
  const Token at_client = port.recv(client);
  const std::string text = pattern(200000);
  const Token sent = port.send(client, text);
  port.run_until([&] { return port.outcome(at_server).data.size() == text.size(); }, "the server gets it");
  check_equal(port.finish(sent), text.size(), "the result of the send");
  check(port.outcome(at_server).data == text, "the bytes and their order");
  check_equal(port.finish(port.send(server, "thanks")), 6, "the result of the answer");
  port.run_until([&] { return port.outcome(at_client).data == "thanks"; }, "the client gets the answer");
  check_equal(port.finish(port.close(client)), 0, "close of the client");
  check_equal(port.finish(at_server), 0, "the end of the stream at the server");
}

void the_end_is_seen_by_a_connected_socket(const Backend& backend) {
  TestPort port(backend);
  posix::ListenSpec spec;
  spec.local.host = "127.0.0.1";
  posix::Result<posix::Descriptor> listening = posix::open_listener(spec);
  check(listening.ok(), "the stranger listens");
  const int listener = listening.value().get();
  const HandleRef client = port.open_to(listening.value().native());
  const Token connect = port.connect(client);
  port.engine().flush();
  // Data and end are there before the port looks again and learns that it is connected.
  Peer stranger(posix::Descriptor(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC)));
  check_equal(stranger.send_some("gone"), 4, "what the stranger sent");
  stranger.close();
  check_equal(port.finish(connect), 0, "the result of the connect");
  const Token recv = port.recv(client);
  check_equal(port.finish(recv), 0, "the last result of the receive");
  check_equal(port.outcome(recv).data, std::string("gone"), "what was received");
}

void connect_to_nobody_is_refused(const Backend& backend) {
  TestPort port(backend);
  const HandleRef listener = port.listen();
  const HandleRef client = port.open_to(listener);
  check_equal(port.finish(port.close(listener)), 0, "close of the listener");
  check_equal(port.finish(port.connect(client)), -error_number::kECONNREFUSED, "the result of the connect");
  check_equal(port.finish(port.close(client)), 0, "close of the client");
}

void a_connect_that_waits_can_be_cancelled(const Backend& backend) {
  TestPort port(backend);
  const HandleRef listener = port.listen({}, 0);
  std::vector<Peer> fill;
  fill.emplace_back(port, listener);  // with nobody accepting, the queue of one is full
  const HandleRef client = port.open_to(listener);
  const Token connect = port.connect(client);
  port.settle_down();
  if (port.settled(connect)) return;  // this kernel has more patience: there is nothing to cancel
  port.cancel(connect);
  check_equal(port.finish(connect), -error_number::kECANCELED, "the result of the connect");
  check_equal(port.finish(port.close(client)), 0, "close of the client");
}

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

void accept_can_be_cancelled_and_started_again(const Backend& backend) {
  TestPort port(backend);
  const HandleRef listener = port.listen();
  const Token canceled = port.accept(listener);
  port.settle_down();
  port.cancel(canceled);
  check_equal(port.finish(canceled), -error_number::kECANCELED, "the result of the accept");
  Peer peer(port, listener);
  static_cast<void>(port.next_accepted(port.accept(listener)));
}

constexpr Assertion kAssertions[] = {
    {"accepts many connections", accepts_many_connections},
    {"accepted sockets work", accepted_sockets_work},
    {"connects", connects},
    {"the end is seen by a connected socket", the_end_is_seen_by_a_connected_socket},
    {"a connect to nobody is refused", connect_to_nobody_is_refused},
    {"a connect that waits can be cancelled", a_connect_that_waits_can_be_cancelled},
    {"Unix sockets work", unix_sockets_work},
    {"an accept without descriptors ends with an error", accept_without_descriptors_ends_with_an_error},
    {"an accept can be cancelled and started again", accept_can_be_cancelled_and_started_again},
};

}  // namespace

std::span<const Assertion> connection_assertions() { return kAssertions; }

}  // namespace iocp::test
