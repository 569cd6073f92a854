#include <string>
#include <utility>

#include "backend/net/address.h"
#include "backend/net/socket_factory.h"
#include "backend/net/socket_options.h"
#include "test/conformance.h"
#include "test/harness.h"
#include "test/os.h"
#include "test/peer.h"
#include "test/test_port.h"

namespace iocp::test {
namespace {

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

void accepted_sockets_take_over_options(const Backend& backend) {
  TestPort port(backend);
  net::ListenSpec spec;
  spec.local.host = "127.0.0.1";
  spec.options = {{"noDelay", 1}, {"keepAlive", 1}, {"ttl", 42}};
  net::Result<net::OwnedSocket> listening = net::open_listener(spec);
  check(listening.ok(), "the listener listens");
  const HandleRef listener = port.adopt(std::move(listening).value());
  const Token accept = port.accept(listener);
  const Peer peer(port, listener);
  const NativeHandle accepted = port.engine().find(port.next_accepted(accept))->native;
  for (const net::NamedOption& option : spec.options) {
    const net::Result<net::OptionValue> value = net::get_option(accepted, option.name);
    check(value && value.value() == option.value, option.name + " is the listener's");
  }
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
  net::ListenSpec spec;
  spec.local.host = "127.0.0.1";
  net::Result<net::OwnedSocket> listening = net::open_listener(spec);
  check(listening.ok(), "the stranger listens");
  const HandleRef client = port.open_to(listening.value().native());
  const Token connect = port.connect(client);
  port.engine().flush();
  // Data and end are there before the port looks again and learns that it is connected.
  Peer stranger(os::accept(listening.value().native()));
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

void a_cancelled_accept_loses_no_connection(const Backend& backend) {
  TestPort port(backend);
  const HandleRef listener = port.listen();
  std::vector<Peer> peers;
  std::vector<HandleRef> accepted;
  const auto take = [&](Token accept) {
    const std::vector<HandleRef>& all = port.outcome(accept).accepted;
    accepted.insert(accepted.end(), all.begin(), all.end());
  };
  for (int round = 0; round < 30; ++round) {
    const Token canceled = port.accept(listener);
    for (int turns = round % 3; turns > 0; --turns) port.turn();
    for (int i = 0; i < 5; ++i) peers.emplace_back(port, listener);
    for (int turns = round % 4; turns > 0; --turns) port.turn();
    port.cancel(canceled);
    check_equal(port.finish(canceled), -error_number::kECANCELED, "the result of the accept");
    take(canceled);
  }
  const Token last = port.accept(listener);
  port.run_until([&] { return accepted.size() + port.outcome(last).accepted.size() == peers.size(); },
                 "every connection is accepted");
  take(last);
  for (const HandleRef handle : accepted) {
    check_equal(port.finish(port.send(handle, "welcome")), 7, "the result of a send");
  }
  for (Peer& peer : peers) check_equal(peer.read(port, 7), std::string("welcome"), "what a peer got");
}

constexpr Assertion kAssertions[] = {
    {"accepts many connections", accepts_many_connections},
    {"accepted sockets work", accepted_sockets_work},
    {"accepted sockets take over options", accepted_sockets_take_over_options},
    {"connects", connects},
    {"the end is seen by a connected socket", the_end_is_seen_by_a_connected_socket},
    {"a connect to nobody is refused", connect_to_nobody_is_refused},
    {"a connect that waits can be cancelled", a_connect_that_waits_can_be_cancelled},
    {"an accept can be cancelled and started again", accept_can_be_cancelled_and_started_again},
    {"a cancelled accept loses no connection", a_cancelled_accept_loses_no_connection},
};

}  // namespace

std::span<const Assertion> connection_assertions() { return kAssertions; }

}  // namespace iocp::test
