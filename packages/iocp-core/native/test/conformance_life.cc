#include <atomic>
#include <string>
#include <thread>

#include "test/conformance.h"
#include "test/harness.h"
#include "test/os.h"
#include "test/peer.h"
#include "test/test_port.h"

namespace iocp::test {
namespace {

constexpr std::int32_t kCanceled = -error_number::kECANCELED;

/// A send that cannot end, because nobody reads.
Token stuck_send(TestPort& port, HandleRef handle) {
  const Token sent = port.send(handle, pattern(16 << 20));
  port.settle_down();
  check(!port.settled(sent), "the send waits for the peer");
  return sent;
}

void check_joined(TestPort& port, Token operation, Token close) {
  check_equal(port.finish(close), 0, "the result of the close");
  check(port.settled(operation), "the operation settles before the close");
  check_equal(port.outcome(operation).result, kCanceled, "the result of the operation");
  check(port.outcome(operation).settled_at < port.outcome(close).settled_at, "the close comes last");
}

void check_reset(TestPort& port, Peer& peer) {
  peer.read_to_end(port);
  if (!os::close_resets()) return;
  check_equal(peer.error(), error_number::kECONNRESET, "how the stream ended for the peer");
}

void close_ends_the_stream(const Backend& backend) {
  TestPort port(backend);
  Pair pair = make_pair(port);
  check_equal(port.finish(port.close(pair.handle)), 0, "the result of the close");
  pair.peer.read_to_end(port);
  check_equal(pair.peer.error(), 0, "how the stream ended for the peer");
  check_equal(port.stats().handles, 0, "the number of handles");
}

void close_joins_a_receive(const Backend& backend) {
  TestPort port(backend);
  Pair pair = make_pair(port);
  const Token recv = port.recv(pair.handle);
  port.settle_down();
  check_joined(port, recv, port.close(pair.handle));
}

void close_joins_a_receive_that_was_not_flushed(const Backend& backend) {
  TestPort port(backend);
  Pair pair = make_pair(port);
  const Token recv = port.recv(pair.handle);
  check_joined(port, recv, port.close(pair.handle));
}

void close_joins_a_parked_receive(const Backend& backend) {
  TestPort port(backend, {.provided = 0});
  Pair pair = make_pair(port);
  pair.peer.send(port, "no room");
  const Token recv = port.recv(pair.handle);
  port.settle_down();
  check_equal(port.stats().parked, 1, "the number of parked receives");
  check_joined(port, recv, port.close(pair.handle));
  port.settle_down();
  check_equal(port.stats().parked, 0, "the number of parked receives");
  check_equal(port.stats().handles, 0, "the number of handles");
}

void close_joins_a_send(const Backend& backend) {
  TestPort port(backend);
  Pair pair = make_pair(port);
  const Token sent = stuck_send(port, pair.handle);
  check_joined(port, sent, port.close(pair.handle));
}

void close_joins_both_directions(const Backend& backend) {
  TestPort port(backend);
  Pair pair = make_pair(port);
  const Token recv = port.recv(pair.handle);
  const Token sent = stuck_send(port, pair.handle);
  const Token closed = port.close(pair.handle);
  check_joined(port, sent, closed);
  check_equal(port.outcome(recv).result, kCanceled, "the result of the receive");
  check(port.outcome(recv).settled_at < port.outcome(closed).settled_at, "the close comes last");
}

void close_joins_an_accept(const Backend& backend) {
  TestPort port(backend);
  const HandleRef listener = port.listen();
  const Token accept = port.accept(listener);
  port.settle_down();
  check_joined(port, accept, port.close(listener));
}

void close_while_data_arrives(const Backend& backend) {
  TestPort port(backend);
  for (int i = 0; i < 20; ++i) {
    Pair pair = make_pair(port);
    const Token recv = port.recv(pair.handle);
    pair.peer.send_some(pattern(60000));
    for (int turns = i % 4; turns > 0; --turns) port.turn();
    pair.peer.send_some(pattern(60000));
    const Token closed = port.close(pair.handle);
    check_equal(port.finish(closed), 0, "the result of the close");
    check(port.settled(recv), "the receive settles before the close");
  }
  port.settle_down();
  check_equal(port.stats().operations, 0, "the number of operations");
  check_equal(port.stats().kernel_slots, 32, "the number of slots with the driver");
}

void abort_resets_the_peer(const Backend& backend) {
  TestPort port(backend);
  Pair pair = make_pair(port);
  const Token recv = port.recv(pair.handle);
  port.settle_down();
  check_joined(port, recv, port.close(pair.handle, true));
  check_reset(port, pair.peer);
}

void abort_resets_the_peer_in_the_middle_of_a_send(const Backend& backend) {
  TestPort port(backend);
  Pair pair = make_pair(port);
  const Token sent = stuck_send(port, pair.handle);
  check_joined(port, sent, port.close(pair.handle, true));
  check_reset(port, pair.peer);
}

void a_canceled_receive_loses_nothing(const Backend& backend) {
  TestPort port(backend);
  Pair pair = make_pair(port);
  const std::string text = pattern(300000);
  std::string_view left = text;
  std::string received;
  while (received.size() < text.size()) {
    const Token recv = port.recv(pair.handle);
    left.remove_prefix(left.empty() ? 0 : pair.peer.send_some(left.substr(0, 30000)));
    port.turn();
    port.turn();
    port.cancel(recv);
    check_equal(port.finish(recv), kCanceled, "the result of the receive");
    received += port.outcome(recv).data;
  }
  check(received == text, "the bytes and their order");
}

void a_parked_receive_can_be_cancelled(const Backend& backend) {
  TestPort port(backend, {.provided = 0});
  Pair pair = make_pair(port);
  pair.peer.send(port, "no room");
  const Token recv = port.recv(pair.handle);
  port.settle_down();
  port.cancel(recv);
  check_equal(port.finish(recv), kCanceled, "the result of the receive");
  check_equal(port.stats().parked, 0, "the number of parked receives");
}

void a_send_that_waits_can_be_cancelled(const Backend& backend) {
  TestPort port(backend);
  Pair pair = make_pair(port);
  const Token sent = stuck_send(port, pair.handle);
  port.cancel(sent);
  check_equal(port.finish(sent), kCanceled, "the result of the send");
}

void a_cancel_twice_and_too_late_is_harmless(const Backend& backend) {
  TestPort port(backend);
  Pair pair = make_pair(port);
  const Token first = port.recv(pair.handle);
  port.cancel(first);
  port.cancel(first);
  check_equal(port.finish(first), kCanceled, "the result of the receive");
  const Token second = port.recv(pair.handle);
  port.cancel(first);  // the same index, an older generation
  pair.peer.send(port, "still here");
  port.run_until([&] { return port.outcome(second).data == "still here"; }, "the second receive lives");
}

void a_thousand_connections_leave_nothing_behind(const Backend& backend) {
  TestPort port(backend);
  const HandleRef listener = port.listen();
  const Token accept = port.accept(listener);
  port.settle_down();
  const std::size_t before = os::open_descriptors();
  const std::size_t cycles = backend.faulty ? 100 : 1000;
  for (std::size_t i = 0; i < cycles; ++i) {
    const HandleRef client = port.open_to(listener);
    check_equal(port.finish(port.connect(client)), 0, "the result of the connect");
    const HandleRef server = port.next_accepted(accept, i);
    const Token recv = port.recv(server);
    check_equal(port.finish(port.close(client, i % 2 == 0)), 0, "close of the client");
    const std::int32_t result = port.finish(recv);
    check(result == 0 || result == -error_number::kECONNRESET, "the stream ends, in one way or the other");
    check_equal(port.finish(port.close(server)), 0, "close of the server");
  }
  check_equal(os::open_descriptors(), before, "the number of descriptors");
  check_equal(port.stats().handles, 1, "the number of handles");
  check_equal(port.stats().operations, 1, "the number of operations");
}

void closing_the_port_settles_everything(const Backend& backend) {
  const std::size_t before = os::open_descriptors();
  {
    TestPort port(backend, {.provided = 2, .give_back = false});
    const HandleRef listener = port.listen();
    std::vector<Token> tokens{port.accept(listener)};
    Pair sender = make_pair(port);
    tokens.push_back(stuck_send(port, sender.handle));
    std::vector<Pair> pairs;
    for (int i = 0; i < 10; ++i) {
      pairs.push_back(make_pair(port));
      tokens.push_back(port.recv(pairs.back().handle));
      pairs.back().peer.send(port, "some of these receives are parked");
    }
    tokens.push_back(port.close(pairs.back().handle));
    port.close_engine();
    for (const Token token : tokens) check(port.settled(token), "every operation settles");
    check_equal(port.stats().operations, 0, "the number of operations");
    check_equal(port.stats().handles, 0, "the number of handles");
  }
  check_equal(os::open_descriptors(), before, "the number of descriptors");
}

void a_post_completes_its_token(const Backend& backend) {
  TestPort port(backend);
  check_equal(port.finish(port.post(42)), 42, "the result of the post");
}

void mail_from_another_thread_arrives(const Backend& backend) {
  TestPort port(backend);
  const Token token = port.make_token(OpCode::Post);
  port.settle_down();
  constexpr int kLetters = 1000;
  std::thread writer([mailbox = port.engine().mailbox(), token] {
    for (int i = 0; i < kLetters; ++i) static_cast<void>(mailbox->post({token.index, token.generation, i}));
  });
  port.run_until([&] { return port.outcome(token).events.size() == kLetters; }, "all letters arrive");
  writer.join();
  for (int i = 0; i < kLetters; ++i) {
    const Completion& letter = port.outcome(token).events[static_cast<std::size_t>(i)];
    check_equal(letter.result, i, "the value of a letter");
    check(letter.more(), "the mailbox stays open");
  }
}

void mail_wakes_a_port_that_waits(const Backend& backend) {
  TestPort port(backend);
  const Token token = port.make_token(OpCode::Post);
  port.settle_down();
  while (!port.engine().prepare_wait()) port.turn();
  std::thread writer([mailbox = port.engine().mailbox(), token] {
    static_cast<void>(mailbox->post({token.index, token.generation, 7}));
  });
  const bool woken = port.wait_for_signal(10000);
  writer.join();
  check(woken, "the port is woken");
  port.engine().driver().acknowledge();
  port.turn();
  check_equal(port.outcome(token).events.size(), 1, "the number of letters");
  check(port.engine().prepare_wait(), "there is nothing more to do");
  check(!port.wait_for_signal(0), "the signal is taken off");
}

void a_closed_port_takes_no_mail(const Backend& backend) {
  TestPort port(backend);
  const auto mailbox = port.engine().mailbox();
  port.close_engine();
  check(!mailbox->post({0, 1, 1}), "the post is refused");
}

constexpr Assertion kAssertions[] = {
    {"close ends the stream", close_ends_the_stream},
    {"close joins a receive", close_joins_a_receive},
    {"close joins a receive that was not flushed", close_joins_a_receive_that_was_not_flushed},
    {"close joins a parked receive", close_joins_a_parked_receive},
    {"close joins a send", close_joins_a_send},
    {"close joins both directions", close_joins_both_directions},
    {"close joins an accept", close_joins_an_accept},
    {"close while data arrives", close_while_data_arrives},
    {"abort resets the peer", abort_resets_the_peer},
    {"abort resets the peer in the middle of a send", abort_resets_the_peer_in_the_middle_of_a_send},
    {"a canceled receive loses nothing", a_canceled_receive_loses_nothing},
    {"a parked receive can be cancelled", a_parked_receive_can_be_cancelled},
    {"a send that waits can be cancelled", a_send_that_waits_can_be_cancelled},
    {"a cancel twice and too late is harmless", a_cancel_twice_and_too_late_is_harmless},
    {"a thousand connections leave nothing behind", a_thousand_connections_leave_nothing_behind},
    {"closing the port settles everything", closing_the_port_settles_everything},
    {"a post completes its token", a_post_completes_its_token},
    {"mail from another thread arrives", mail_from_another_thread_arrives},
    {"mail wakes a port that waits", mail_wakes_a_port_that_waits},
    {"a closed port takes no mail", a_closed_port_takes_no_mail},
};

}  // namespace

std::span<const Assertion> life_assertions() { return kAssertions; }

}  // namespace iocp::test
