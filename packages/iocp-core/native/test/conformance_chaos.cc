#include <map>
#include <set>
#include <string>
#include <vector>

#include "backend/sim/random.h"
#include "backend/sim/sim_driver.h"
#include "test/conformance.h"
#include "test/datagrams.h"
#include "test/harness.h"
#include "test/os.h"
#include "test/peer.h"
#include "test/test_port.h"

namespace iocp::test {
namespace {

constexpr std::uint64_t kSeeds = 12;
constexpr std::size_t kConnections = 16;
constexpr int kSteps = 60;
constexpr std::size_t kDatagramSockets = 6;
constexpr int kDatagramSteps = 200;

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

/// Sockets of one port that send each other datagrams, some of which no system takes.
class DatagramChaos {
 public:
  DatagramChaos(TestPort& port, std::uint64_t seed) : port_(port), random_(seed) {
    for (std::size_t i = 0; i < kDatagramSockets; ++i) {
      const HandleRef handle = port_.open_datagram(socket_at("127.0.0.1"));
      nodes_.push_back({handle, words_of(port_.address_of(handle)), {port_.recv_from(handle)}, {}, {}});
    }
  }

  void run() {
    for (int i = 0; i < kDatagramSteps; ++i) step(nodes_[random_.below(nodes_.size())]);
    for (Node& node : nodes_) close(node);
    port_.settle_down();
    std::size_t received = 0;
    for (const Node& node : nodes_) received += check_received(node);
    check(received > 0, "something arrives");
    for (const Node& node : nodes_) {
      for (const Batch& batch : node.sent) check_sent(batch);
    }
  }

 private:
  struct Batch {
    Token token;
    std::size_t count = 0;
    std::map<std::int32_t, std::int32_t> unsendable;  // number and error
    bool ends_early = false;
  };

  struct Node {
    HandleRef handle;
    WordAddress address;
    std::vector<Token> received;  // one after the other
    std::vector<Batch> sent;      // one after the other
    std::set<std::string> expected;
    bool open = true;
  };

  void step(Node& node) {
    switch (random_.below(16)) {
      case 0: return cancel_receive(node);
      case 1: return cancel_send(node);
      case 2: return random_.chance(0.1) ? close(node) : void();
      case 3:
      case 4:
      case 5: return receive_again(node);
      case 6:
      case 7:
      case 8:
      case 9: return send(node);
      default:
        for (std::uint64_t turns = random_.below(4); turns > 0; --turns) port_.turn();
    }
  }

  void cancel_receive(const Node& node) { port_.cancel(node.received.back()); }

  void cancel_send(Node& node) {
    if (node.sent.empty()) return;
    node.sent.back().ends_early = true;
    port_.cancel(node.sent.back().token);
  }

  void receive_again(Node& node) {
    if (node.open && port_.settled(node.received.back()))
      node.received.push_back(port_.recv_from(node.handle));
  }

  void send(Node& node) {
    if (!node.open || (!node.sent.empty() && !port_.settled(node.sent.back().token))) return;
    Batch batch{.token = {}, .count = 1 + random_.below(40), .unsendable = {}};
    std::vector<OutgoingWords> datagrams;
    for (std::size_t i = 0; i < batch.count; ++i) datagrams.push_back(any_datagram(batch, i));
    batch.token = port_.send_to(node.handle, datagrams);
    node.sent.push_back(std::move(batch));
  }

  OutgoingWords any_datagram(Batch& batch, std::size_t number) {
    Node& to = nodes_[random_.below(nodes_.size())];
    const auto index = static_cast<std::int32_t>(number);
    if (random_.chance(0.05)) {
      batch.unsendable.emplace(index, -error_number::kEAFNOSUPPORT);
      return datagram_to(port_, "of another family", words_of("2001:db8::1", 9));
    }
    if (random_.chance(0.05)) {
      batch.unsendable.emplace(index, -error_number::kEMSGSIZE);
      return datagram_to(port_, pattern(70000), to.address);
    }
    const std::string text = std::to_string(++datagrams_made_) + ":" + pattern(random_.below(3000));
    to.expected.insert(text);
    return datagram_to(port_, text, to.address);
  }

  void close(Node& node) {
    if (!node.open) return;
    node.open = false;
    if (!node.sent.empty()) node.sent.back().ends_early = true;
    check_equal(port_.finish(port_.close(node.handle, random_.chance(0.5))), 0, "the result of a close");
    check(port_.settled(node.received.back()) && (node.sent.empty() || port_.settled(node.sent.back().token)),
          "what was in flight settles before the close");
  }

  /// Datagrams may be lost, but each arrives whole, where it was sent to, and once. Returns how many did.
  [[nodiscard]] std::size_t check_received(const Node& node) const {
    std::set<std::string> left = node.expected;
    for (const Token token : node.received) {
      check_equal(port_.outcome(token).result, -error_number::kECANCELED, "why a receive ended");
      for (const ReceivedDatagram& datagram : port_.outcome(token).datagrams) {
        check_equal(left.erase(datagram.data), 1, "how often a datagram is yet to come");
      }
    }
    return node.expected.size() - left.size();
  }

  void check_sent(const Batch& batch) const {
    const Outcome& sent = port_.outcome(batch.token);
    const std::map<std::int32_t, std::int32_t> refusals = refusals_of(sent);
    for (const auto& [number, error] : refusals) {
      check(batch.unsendable.contains(number), "only what cannot be sent is refused");
      check_equal(error, batch.unsendable.at(number), "why it is refused");
    }
    const std::size_t possible = batch.count - batch.unsendable.size();
    if (batch.ends_early) {
      const bool some = sent.result >= 0 && static_cast<std::size_t>(sent.result) <= possible;
      return check(some || sent.result == -error_number::kECANCELED, "a send ends with what it did");
    }
    check_equal(sent.result, possible, "the number of datagrams taken");
    check_equal(refusals.size(), batch.unsendable.size(), "the number of refusals");
  }

  TestPort& port_;
  Random random_;
  std::vector<Node> nodes_;
  std::uint64_t datagrams_made_ = 0;
};

/// Runs `Scene` once for every seed, over a driver that breaks what may break.
template <typename Scene>
void run_faulty(const Backend& backend) {
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
      Scene(port, seed).run();
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
    {"everything goes wrong and nothing is lost", run_faulty<Chaos>},
    {"everything goes wrong with datagrams and nothing is left behind", run_faulty<DatagramChaos>},
};

}  // namespace

std::span<const Assertion> chaos_assertions() { return kAssertions; }

}  // namespace iocp::test
