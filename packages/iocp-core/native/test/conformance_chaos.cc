#include <string>
#include <vector>

#include "backend/sim/random.h"
#include "backend/sim/sim_driver.h"
#include "test/conformance.h"
#include "test/harness.h"
#include "test/os.h"
#include "test/peer.h"
#include "test/test_port.h"

namespace iocp::test {
namespace {

constexpr std::uint64_t kSeeds = 12;
constexpr std::size_t kConnections = 16;
constexpr int kSteps = 60;

/// One connection of which the port has both ends. `text` goes from the client to the server.
struct Link {
  HandleRef client;
  HandleRef server;
  Token recv;
  Token sent;
  std::string text;
  bool open = true;
};

FaultPlan everything(std::uint64_t seed) {
  return {.seed = seed,
          .short_send = 0.3,
          .short_recv = 0.3,
          .reset = 0.02,
          .no_buffers = 0.1,
          .emfile = 0.1,
          .delay = 0.3};
}

class Chaos {
 public:
  Chaos(TestPort& port, std::uint64_t seed) : port_(port), random_(seed), listener_(port.listen()) {
    accept_ = port_.accept(listener_);
  }

  void run() {
    for (std::size_t i = 0; i < kConnections; ++i) connect();
    for (int i = 0; i < kSteps; ++i) step(links_[random_.below(links_.size())]);
    for (Link& link : links_) close(link);
    check_equal(port_.finish(port_.close(listener_)), 0, "close of the listener");
    port_.settle_down();
    for (const Link& link : links_) check_data(link);
  }

 private:
  void connect() {
    Link link{.client = port_.open_to(listener_), .server = {}, .recv = {}, .sent = {}, .text = {}};
    check_equal(port_.finish(port_.connect(link.client)), 0, "the result of a connect");
    while (port_.outcome(accept_).accepted.size() == taken_) {
      // A failed accept is started again, as JavaScript does; what it took before stays taken.
      if (port_.settled(accept_)) {
        check_equal(port_.outcome(accept_).result, -error_number::kEMFILE, "why the accept ended");
        accept_ = port_.accept(listener_);
        taken_ = 0;
      }
      port_.turn();
    }
    link.server = port_.outcome(accept_).accepted[taken_++];
    link.text = pattern(1 + random_.below(100000), static_cast<std::uint32_t>(random_.next()));
    link.recv = port_.recv(link.server);
    link.sent = port_.send(link.client, link.text);
    links_.push_back(std::move(link));
  }

  void step(Link& link) {
    switch (random_.below(8)) {
      case 0: return port_.cancel(link.sent);
      case 1: return port_.cancel(link.recv);
      case 2: return close(link);
      default:
        for (std::uint64_t turns = random_.below(4); turns > 0; --turns) port_.turn();
    }
  }

  void close(Link& link) {
    if (!link.open) return;
    link.open = false;
    const bool client_first = random_.chance(0.5);
    const Token first = port_.close(client_first ? link.client : link.server, random_.chance(0.5));
    if (random_.chance(0.5)) port_.turn();
    const Token second = port_.close(client_first ? link.server : link.client, random_.chance(0.5));
    check_equal(port_.finish(first), 0, "the result of a close");
    check_equal(port_.finish(second), 0, "the result of a close");
    check(port_.settled(link.recv) && port_.settled(link.sent),
          "what was in flight settles before the close");
  }

  void check_data(const Link& link) const {
    const std::string& received = port_.outcome(link.recv).data;
    check(link.text.starts_with(received), "what was received is how the text begins");
    const std::int32_t result = port_.outcome(link.sent).result;
    check(result < 0 || static_cast<std::size_t>(result) == link.text.size(), "a send is whole or fails");
  }

  TestPort& port_;
  Random random_;
  HandleRef listener_;
  Token accept_;
  std::size_t taken_ = 0;
  std::vector<Link> links_;
};

void everything_goes_wrong_and_nothing_is_lost(const Backend& backend) {
  if (backend.faulty) return;
  const std::size_t before = os::open_descriptors();
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Backend faulty{backend.name,
                         [&backend, seed](BufferSlots& slots) {
                           return make_sim_driver(backend.make(slots), slots, everything(seed));
                         },
                         true};
    try {
      TestPort port(faulty, {.slots = 12, .provided = 12});
      Chaos(port, seed).run();
      check_equal(port.stats().operations, 0, "the number of operations");
      check_equal(port.stats().handles, 0, "the number of handles");
      check_equal(port.stats().kernel_slots, 12, "the number of slots with the driver");
    } catch (const Failure& failure) {
      fail("seed " + std::to_string(seed) + ": " + failure.what());
    }
    check_equal(os::open_descriptors(), before, "the number of descriptors");
  }
}

constexpr Assertion kAssertions[] = {
    {"everything goes wrong and nothing is lost", everything_goes_wrong_and_nothing_is_lost},
};

}  // namespace

std::span<const Assertion> chaos_assertions() { return kAssertions; }

}  // namespace iocp::test
