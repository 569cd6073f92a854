#include <array>
#include <sstream>
#include <string>

#include "backend/sim/random.h"
#include "backend/sim/sim_driver.h"
#include "test/datagrams.h"
#include "test/os.h"
#include "test/peer.h"
#include "test/scripted_driver.h"
#include "test/test_port.h"
#include "test/unit_tests.h"

namespace iocp::test {
namespace {

Backend faulty(const FaultPlan& plan) {
  const Backend base = base_backend();
  return {"sim+" + base.name,
          [make = base.make, plan](BufferSlots& slots) { return make_sim_driver(make(slots), slots, plan); },
          true};
}

void a_reset_is_seen_on_both_sides() {
  TestPort port(faulty({.seed = 3, .reset = 1}));
  Pair pair = make_pair(port);
  const Token recv = port.recv(pair.handle);
  pair.peer.send(port, "the last that arrives");
  check_equal(port.finish(recv), -error_number::kECONNRESET, "the result of the receive");
  check_equal(port.outcome(recv).data, std::string("the last that arrives"), "what was received");
  check_equal(port.finish(port.send(pair.handle, "x")), -error_number::kECONNRESET, "a send afterwards");
  check_equal(port.finish(port.close(pair.handle)), 0, "the result of the close");
  pair.peer.read_to_end(port);
  if (!os::close_resets()) return;
  check_equal(pair.peer.error(), error_number::kECONNRESET, "how the stream ended for the peer");
}

void an_accept_runs_out_of_descriptors() {
  TestPort port(faulty({.seed = 3, .emfile = 1}));
  const HandleRef listener = port.listen();
  const Token accept = port.accept(listener);
  const Peer peer(port, listener);
  check_equal(port.finish(accept), -error_number::kEMFILE, "the result of the accept");
  check_equal(port.outcome(accept).accepted.size(), 1, "the connection before it is not lost");
}

void a_receive_runs_out_of_slots_and_goes_on() {
  TestPort port(faulty({.seed = 3, .no_buffers = 1}));
  Pair pair = make_pair(port);
  const Token recv = port.recv(pair.handle);
  const std::string text = pattern(20000);
  for (std::size_t sent = 0; sent < text.size(); sent += 4000) {
    pair.peer.send(port, text.substr(sent, 4000));
    port.run_until([&] { return port.outcome(recv).data.size() == sent + 4000; }, "everything arrives");
  }
  check(port.outcome(recv).data == text, "the bytes and their order");
  check(port.stats().parkings >= 4, "the receive was parked again and again");
}

void a_receive_of_datagrams_runs_out_of_slots_and_goes_on() {
  const FaultPlan plan{
      .seed = 3, .short_send = 1, .short_recv = 1, .reset = 1, .no_buffers = 1, .delay = 0.5};
  TestPort port(faulty(plan), {.slots = 64, .provided = 64});
  const DatagramPair pair(port);
  std::vector<std::string> texts;
  std::vector<OutgoingWords> datagrams;
  for (std::uint32_t i = 0; i < 50; ++i) {
    texts.push_back(pattern(i * 10, i + 1));
    datagrams.push_back(datagram_to(port, texts.back(), pair.to));
  }
  const Token sent = port.send_to(pair.sender, datagrams);
  check(wait_for(port, pair.received, 50) == texts, "every datagram, whole and in order");
  check_equal(port.finish(sent), 50, "the number of datagrams taken");
  check(port.stats().parkings >= 1, "the receive was parked");
}

void a_gathered_send_is_cut_to_pieces() {
  TestPort port(faulty({.seed = 3, .short_send = 1}));
  Pair pair = make_pair(port);
  std::vector<Segment> segments;
  std::string expected;
  for (std::uint32_t i = 0; i < 100; ++i) {
    expected += pattern(i, i + 1);
    segments.push_back(port.pin(pattern(i, i + 1)));
  }
  const Token sent = port.send(pair.handle, segments);
  check(pair.peer.read(port, expected.size()) == expected, "the bytes and their order");
  check_equal(port.finish(sent), expected.size(), "the result of the send");
  check(port.stats().short_sends > 2, "the send was cut");
}

/// What a plan makes of a fixed run of events, as text.
std::string story(std::uint64_t seed) {
  std::array<std::byte, 64 * 16> memory{};
  BufferSlots slots(memory.data(), 64, 16);
  auto owned = std::make_unique<ScriptedDriver>(slots, [](const std::string& promise) { fail(promise); });
  ScriptedDriver& inner = *owned;
  const FaultPlan plan{.seed = seed, .short_recv = 0.5, .no_buffers = 0.2, .delay = 0.5};
  const std::unique_ptr<Driver> driver = make_sim_driver(std::move(owned), slots, plan);
  Handle handle;
  check_equal(driver->attach(handle), 0, "the result of attach");
  for (std::uint32_t slot = 0; slot < 16; ++slot) driver->provide(slot);
  Operation recv;
  recv.code = OpCode::Recv;
  recv.handle = &handle;
  driver->start(recv);
  std::ostringstream text;
  for (int i = 0; i < 30; ++i) {
    if (i < 12 && !inner.waiting().empty()) inner.receive(recv, 20, true);
    if (i == 14 && !inner.waiting().empty()) inner.finish(recv, -error_number::kECANCELED);
    std::array<Event, 8> events;
    const std::size_t count = driver->reap(events);
    for (std::size_t n = 0; n < count; ++n) text << events[n].result << '/' << events[n].slot << ' ';
    text << "| ";
  }
  return text.str();
}

void the_same_seed_tells_the_same_story() {
  for (std::uint64_t seed = 1; seed < 20; ++seed) check_equal(story(seed), story(seed), "the story");
  check(story(1) != story(2), "another seed tells another story");
}

void random_numbers_are_the_same_everywhere() {
  Random random(1);
  check_equal(random.next(), 10451216379200822465ULL, "the first number");
  int hits = 0;
  for (int i = 0; i < 10000; ++i) hits += random.chance(0.25) ? 1 : 0;
  check(hits > 2300 && hits < 2700, "chances are kept");
  check(!random.chance(0), "what has no chance does not happen");
}

}  // namespace

void add_sim_tests(std::vector<TestCase>& tests) {
  tests.push_back({"sim: a reset is seen on both sides", a_reset_is_seen_on_both_sides});
  tests.push_back({"sim: an accept runs out of descriptors", an_accept_runs_out_of_descriptors});
  tests.push_back({"sim: a receive runs out of slots and goes on", a_receive_runs_out_of_slots_and_goes_on});
  tests.push_back({"sim: a receive of datagrams runs out of slots and goes on",
                   a_receive_of_datagrams_runs_out_of_slots_and_goes_on});
  tests.push_back({"sim: a gathered send is cut to pieces", a_gathered_send_is_cut_to_pieces});
  tests.push_back({"sim: the same seed tells the same story", the_same_seed_tells_the_same_story});
  tests.push_back({"sim: random numbers are the same everywhere", random_numbers_are_the_same_everywhere});
}

}  // namespace iocp::test
