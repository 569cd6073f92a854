#include <string>

#include "test/conformance.h"
#include "test/harness.h"
#include "test/peer.h"
#include "test/test_port.h"

namespace iocp::test {
namespace {

void a_receive_without_slots_parks(const Backend& backend) {
  TestPort port(backend, {.provided = 0});
  Pair pair = make_pair(port);
  pair.peer.send(port, "patience");
  const Token recv = port.recv(pair.handle);
  port.settle_down();
  check(!port.settled(recv), "an empty pool is no error");
  check_equal(port.stats().parked, 1, "the number of parked receives");
  check(port.engine().take_starved(), "the port is told that slots are missing");
  check(!port.engine().take_starved(), "and is told once");
  check(port.engine().prepare_wait(), "the port can sleep");
  const std::uint64_t calls = port.engine().driver().stats().system_calls;
  for (int i = 0; i < 100; ++i) port.turn();
  check(port.engine().driver().stats().system_calls <= calls + 300, "no busy loop");
  check_equal(port.stats().parkings, 1, "how often it was parked");
  port.provide(0);
  port.run_until([&] { return port.outcome(recv).data == "patience"; }, "the bytes arrive");
  check_equal(port.stats().parked, 0, "the number of parked receives");
}

void parked_receives_go_on_in_order(const Backend& backend) {
  TestPort port(backend, {.provided = 0});
  std::vector<Pair> pairs;
  std::vector<Token> tokens;
  for (int i = 0; i < 5; ++i) {
    pairs.push_back(make_pair(port));
    pairs.back().peer.send(port, "data " + std::to_string(i));
    tokens.push_back(port.recv(pairs.back().handle));
    port.settle_down();
  }
  check_equal(port.stats().parked, tokens.size(), "the number of parked receives");
  port.provide(0);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const std::string expected = "data " + std::to_string(i);
    port.run_until([&] { return port.outcome(tokens[i]).data == expected; }, "one slot serves all");
  }
}

void few_slots_carry_much_data(const Backend& backend) {
  TestPort port(backend, {.slot_bytes = 4096, .slots = 2, .provided = 2});
  Pair pair = make_pair(port);
  const std::string text = pattern(500000);
  const Token recv = port.recv(pair.handle);
  pair.peer.send(port, text);
  pair.peer.end();
  check_equal(port.finish(recv), 0, "the last result of the receive");
  check(port.outcome(recv).data == text, "the bytes and their order");
}

void few_slots_serve_many_connections(const Backend& backend) {
  TestPort port(backend, {.slots = 3, .provided = 3});
  std::vector<Pair> pairs;
  std::vector<Token> tokens;
  for (std::uint32_t i = 0; i < 20; ++i) {
    pairs.push_back(make_pair(port));
    tokens.push_back(port.recv(pairs.back().handle));
  }
  for (std::uint32_t i = 0; i < 20; ++i) {
    pairs[i].peer.send(port, pattern(30000, i + 1));
    pairs[i].peer.end();
  }
  for (std::uint32_t i = 0; i < 20; ++i) {
    check_equal(port.finish(tokens[i]), 0, "the last result of a receive");
    check(port.outcome(tokens[i]).data == pattern(30000, i + 1), "the bytes and their order");
  }
}

void kept_slots_are_not_written_to(const Backend& backend) {
  TestPort port(backend, {.slots = 8, .provided = 4, .give_back = false});
  Pair pair = make_pair(port);
  const Token recv = port.recv(pair.handle);
  pair.peer.send(port, pattern(4096 * 6));
  port.run_until([&] { return port.slots_kept() == 4; }, "all slots are filled");
  port.settle_down();
  check_equal(port.slots_kept(), 4, "the number of filled slots");
  check_equal(port.stats().kernel_slots, 0, "the number of slots with the driver");
  check(!port.settled(recv), "the receive waits");
}

void every_slot_comes_back(const Backend& backend) {
  TestPort port(backend, {.slots = 16, .provided = 16});
  for (int i = 0; i < 10; ++i) {
    Pair pair = make_pair(port);
    const Token recv = port.recv(pair.handle);
    pair.peer.send(port, pattern(30000));
    if (i % 2 == 0) pair.peer.end();
    port.run_until([&] { return port.outcome(recv).data.size() == 30000; }, "everything arrives");
    if (i % 3 == 0) pair.peer.reset();
    check_equal(port.finish(port.close(pair.handle)), 0, "the result of the close");
  }
  port.settle_down();
  check_equal(port.stats().kernel_slots, 16, "the number of slots with the driver");
}

void an_idle_port_can_sleep(const Backend& backend) {
  TestPort port(backend);
  Pair pair = make_pair(port);
  const Token recv = port.recv(pair.handle);
  port.settle_down();
  for (int i = 0; i < 10; ++i) {
    check_equal(port.turn(), 0, "the number of completions");
    check(port.engine().prepare_wait(), "the port can sleep");
  }
  check(!port.settled(recv), "the receive waits");
}

constexpr Assertion kAssertions[] = {
    {"a receive without slots parks", a_receive_without_slots_parks},
    {"parked receives go on in order", parked_receives_go_on_in_order},
    {"few slots carry much data", few_slots_carry_much_data},
    {"few slots serve many connections", few_slots_serve_many_connections},
    {"kept slots are not written to", kept_slots_are_not_written_to},
    {"every slot comes back", every_slot_comes_back},
    {"an idle port can sleep", an_idle_port_can_sleep},
};

}  // namespace

std::span<const Assertion> buffer_assertions() { return kAssertions; }

}  // namespace iocp::test
