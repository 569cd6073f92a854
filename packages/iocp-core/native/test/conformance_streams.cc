#include <array>
#include <string>

#include "backend/net/socket_options.h"
#include "test/conformance.h"
#include "test/harness.h"
#include "test/peer.h"
#include "test/test_port.h"

namespace iocp::test {
namespace {

constexpr std::size_t kLarge = 1 << 20;

void check_text(const std::string& actual, const std::string& expected, std::string_view what,
                const std::source_location& where = std::source_location::current()) {
  check_equal(actual.size(), expected.size(), std::string(what) + ": length", where);
  check(actual == expected, std::string(what) + ": the bytes and their order", where);
}

void make_small_buffers(TestPort& port, HandleRef handle) {
  check(net::set_option(port.engine().find(handle)->native, "sendBuffer", 8192).ok(), "a small send buffer");
}

void receives_what_the_peer_sent(const Backend& backend) {
  TestPort port(backend);
  Pair pair = make_pair(port);
  const Token recv = port.recv(pair.handle);
  const std::string text = pattern(100000);
  pair.peer.send(port, text);
  port.run_until([&] { return port.outcome(recv).data.size() >= text.size(); }, "everything arrives");
  check_text(port.outcome(recv).data, text, "what was received");
  check(!port.settled(recv), "the receive goes on");
}

void receives_what_came_before_the_receive(const Backend& backend) {
  TestPort port(backend);
  Pair pair = make_pair(port);
  pair.peer.send(port, "early");
  port.settle_down();
  const Token recv = port.recv(pair.handle);
  port.run_until([&] { return port.outcome(recv).data == "early"; }, "the early bytes arrive");
}

void sends_to_the_peer(const Backend& backend) {
  TestPort port(backend);
  Pair pair = make_pair(port);
  const Token sent = port.send(pair.handle, "hello");
  check_equal(port.finish(sent), 5, "the result of the send");
  check_text(pair.peer.read(port, 5), "hello", "what the peer got");
}

void sends_from_the_pool(const Backend& backend) {
  TestPort port(backend, {.provided = 0});
  Pair pair = make_pair(port);
  const Segment segment{.pin = -1, .offset = 4096, .length = 6};
  const Segment pinned = port.pin("pinned");
  const std::array<Segment, 2> both{pinned, segment};
  check_equal(port.finish(port.send(pair.handle, both)), 12, "the result of the send");
  check_equal(pair.peer.read(port, 12).substr(0, 6), std::string("pinned"), "the first segment");
}

void an_empty_send_settles(const Backend& backend) {
  TestPort port(backend);
  Pair pair = make_pair(port);
  check_equal(port.finish(port.send(pair.handle, "")), 0, "the result of the send");
}

void gathered_sends_keep_their_order(const Backend& backend) {
  TestPort port(backend);
  Pair pair = make_pair(port);
  std::vector<Segment> segments;
  std::string expected;
  for (std::uint32_t i = 0; i < 301; ++i) {
    const std::string piece = pattern(i * 7 % 500, i + 1);  // some of them empty
    expected += piece;
    segments.push_back(port.pin(piece));
  }
  const Token sent = port.send(pair.handle, segments);
  check_text(pair.peer.read(port, expected.size()), expected, "what the peer got");
  check_equal(port.finish(sent), expected.size(), "the result of the send");
}

void a_full_socket_makes_the_send_wait(const Backend& backend) {
  TestPort port(backend);
  Pair pair = make_pair(port);
  make_small_buffers(port, pair.handle);
  const std::string text = pattern(kLarge);
  const Token sent = port.send(pair.handle, text);
  port.settle_down();
  check(!port.settled(sent), "the send waits for the peer");
  check_text(pair.peer.read(port, text.size()), text, "what the peer got");
  check_equal(port.finish(sent), text.size(), "the result of the send");
}

void a_full_socket_makes_a_gathered_send_wait(const Backend& backend) {
  TestPort port(backend);
  Pair pair = make_pair(port);
  make_small_buffers(port, pair.handle);
  std::vector<Segment> segments;
  std::string expected;
  for (std::uint32_t i = 0; i < 512; ++i) {
    const std::string piece = pattern(2047, i + 1);
    expected += piece;
    segments.push_back(port.pin(piece));
  }
  const Token sent = port.send(pair.handle, segments);
  check_text(pair.peer.read(port, expected.size()), expected, "what the peer got");
  check_equal(port.finish(sent), expected.size(), "the result of the send");
}

void sends_keep_their_order(const Backend& backend) {
  TestPort port(backend);
  Pair pair = make_pair(port);
  std::string expected;
  for (int i = 0; i < 300; ++i) {
    const std::string piece = std::to_string(i) + ",";
    expected += piece;
    check_equal(port.finish(port.send(pair.handle, piece)), piece.size(), "the result of a send");
  }
  check_text(pair.peer.read(port, expected.size()), expected, "what the peer got");
}

void both_directions_run_at_once(const Backend& backend) {
  TestPort port(backend);
  Pair pair = make_pair(port);
  const std::string text = pattern(kLarge);
  const Token recv = port.recv(pair.handle);
  const Token sent = port.send(pair.handle, text);
  std::string_view left = text;
  port.run_until(
      [&] {
        left.remove_prefix(left.empty() ? 0 : pair.peer.send_some(left));
        while (pair.peer.read_some()) {
        }
        return port.settled(sent) && pair.peer.data().size() == text.size() &&
               port.outcome(recv).data.size() == text.size();
      },
      "both directions are through");
  check_text(pair.peer.data(), text, "what the peer got");
  check_text(port.outcome(recv).data, text, "what was received");
}

void end_of_stream_comes_after_the_data(const Backend& backend) {
  TestPort port(backend);
  Pair pair = make_pair(port);
  const std::string text = pattern(50000);
  pair.peer.send(port, text);
  pair.peer.end();
  port.settle_down();  // bytes and end are there before the receive starts
  const Token recv = port.recv(pair.handle);
  check_equal(port.finish(recv), 0, "the last result of the receive");
  check_text(port.outcome(recv).data, text, "what was received");
}

void end_of_stream_while_the_receive_waits(const Backend& backend) {
  TestPort port(backend);
  Pair pair = make_pair(port);
  const Token recv = port.recv(pair.handle);
  port.settle_down();
  pair.peer.send(port, "last words");
  pair.peer.end();
  check_equal(port.finish(recv), 0, "the last result of the receive");
  check_text(port.outcome(recv).data, "last words", "what was received");
  check_equal(port.finish(port.recv(pair.handle)), 0, "a receive after the end");
}

void sending_goes_on_after_the_peers_end(const Backend& backend) {
  TestPort port(backend);
  Pair pair = make_pair(port);
  const Token recv = port.recv(pair.handle);
  pair.peer.end();
  check_equal(port.finish(recv), 0, "the last result of the receive");
  const std::string text = pattern(kLarge);
  const Token sent = port.send(pair.handle, text);
  check_text(pair.peer.read(port, text.size()), text, "what the peer got");
  check_equal(port.finish(sent), text.size(), "the result of the send");
}

void shutdown_ends_our_direction_only(const Backend& backend) {
  TestPort port(backend);
  Pair pair = make_pair(port);
  const Token recv = port.recv(pair.handle);
  check_equal(port.finish(port.send(pair.handle, "bye")), 3, "the result of the send");
  check_equal(port.finish(port.shutdown(pair.handle)), 0, "the result of the shutdown");
  pair.peer.read_to_end(port);
  check_text(pair.peer.data(), "bye", "what the peer got");
  check_equal(pair.peer.error(), 0, "how the stream ended");
  pair.peer.send(port, "you too");
  port.run_until([&] { return port.outcome(recv).data == "you too"; }, "the other direction is open");
  check_equal(port.finish(port.send(pair.handle, "more")), -error_number::kEPIPE,
              "a send after the shutdown");
}

void shutdown_of_reading_ends_the_receive(const Backend& backend) {
  TestPort port(backend);
  Pair pair = make_pair(port);
  const Token recv = port.recv(pair.handle);
  port.settle_down();
  check_equal(port.finish(port.shutdown(pair.handle, shutdown_direction::kRead)), 0,
              "the result of the shutdown");
  check_equal(port.finish(recv), 0, "the last result of the receive");
  check_equal(port.finish(port.recv(pair.handle)), 0, "a receive afterwards");
  check_equal(port.finish(port.send(pair.handle, "still here")), 10, "a send afterwards");
  check_text(pair.peer.read(port, 10), "still here", "what the peer got");
}

void shutdown_follows_the_send_before_it(const Backend& backend) {
  TestPort port(backend);
  Pair pair = make_pair(port);
  const Token sent = port.send(pair.handle, "the whole of it");
  port.turn();
  check_equal(port.finish(sent), 15, "the result of the send");
  const Token ended = port.shutdown(pair.handle);
  pair.peer.read_to_end(port);
  check_text(pair.peer.data(), "the whole of it", "what the peer got");
  check_equal(port.finish(ended), 0, "the result of the shutdown");
}

void a_reset_is_an_error(const Backend& backend) {
  TestPort port(backend);
  Pair pair = make_pair(port);
  const Token recv = port.recv(pair.handle);
  port.settle_down();
  pair.peer.reset();
  check_equal(port.finish(recv), -error_number::kECONNRESET, "the result of the receive");
}

void sending_to_a_closed_peer_fails(const Backend& backend) {
  TestPort port(backend);
  Pair pair = make_pair(port);
  pair.peer.close();
  std::int32_t result = 0;
  for (int i = 0; i < 100 && result >= 0; ++i) result = port.finish(port.send(pair.handle, "anybody there?"));
  check(result == -error_number::kEPIPE || result == -error_number::kECONNRESET, "EPIPE or ECONNRESET");
}

void a_busy_socket_does_not_starve_another(const Backend& backend) {
  TestPort port(backend);
  Pair busy = make_pair(port);
  Pair quiet = make_pair(port);
  const std::string flood = pattern(kLarge);
  const Token busy_recv = port.recv(busy.handle);
  const Token quiet_recv = port.recv(quiet.handle);
  int turns = 0;
  quiet.peer.send(port, "x");
  port.run_until(
      [&] {
        busy.peer.send_some(flood);
        ++turns;
        return !port.outcome(quiet_recv).data.empty();
      },
      "the quiet socket has its turn");
  check(turns < 50, "the quiet socket has its turn soon");
  check(!port.settled(busy_recv), "the busy receive goes on");
}

void a_turn_belongs_to_all_sockets(const Backend& backend) {
  TestPort port(backend, {.slot_bytes = 256, .slots = 256, .provided = 256});
  Pair busy = make_pair(port);
  Pair quiet = make_pair(port);
  check_equal(busy.peer.send_some(pattern(256 * 200)), 256 * 200, "what the busy peer sent");
  quiet.peer.send(port, "x");
  const Token busy_recv = port.recv(busy.handle);
  const Token quiet_recv = port.recv(quiet.handle);
  port.run_until([&] { return !port.outcome(quiet_recv).data.empty(); }, "the quiet socket has its turn");
  check(port.outcome(busy_recv).events.size() < 64 || backend.faulty, "the busy socket has a budget");
}

constexpr Assertion kAssertions[] = {
    {"receives what the peer sent", receives_what_the_peer_sent},
    {"receives what came before the receive", receives_what_came_before_the_receive},
    {"sends to the peer", sends_to_the_peer},
    {"sends from the pool and from pinned memory", sends_from_the_pool},
    {"an empty send settles", an_empty_send_settles},
    {"gathered sends keep their order", gathered_sends_keep_their_order},
    {"a full socket makes the send wait", a_full_socket_makes_the_send_wait},
    {"a full socket makes a gathered send wait", a_full_socket_makes_a_gathered_send_wait},
    {"sends keep their order", sends_keep_their_order},
    {"both directions run at once", both_directions_run_at_once},
    {"the end of the stream comes after the data", end_of_stream_comes_after_the_data},
    {"the end of the stream reaches a waiting receive", end_of_stream_while_the_receive_waits},
    {"sending goes on after the peer's end", sending_goes_on_after_the_peers_end},
    {"shutdown ends our direction only", shutdown_ends_our_direction_only},
    {"shutdown of reading ends the receive", shutdown_of_reading_ends_the_receive},
    {"shutdown follows the send before it", shutdown_follows_the_send_before_it},
    {"a reset is an error", a_reset_is_an_error},
    {"sending to a closed peer fails", sending_to_a_closed_peer_fails},
    {"a busy socket does not starve another", a_busy_socket_does_not_starve_another},
    {"a turn belongs to all sockets", a_turn_belongs_to_all_sockets},
};

}  // namespace

std::span<const Assertion> stream_assertions() { return kAssertions; }

}  // namespace iocp::test
