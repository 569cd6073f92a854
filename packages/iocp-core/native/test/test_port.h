#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backend/net/datagram_socket.h"
#include "backend/net/owned_socket.h"
#include "backend/net/socket_system.h"
#include "core/doorbell.h"
#include "core/engine.h"
#include "test/backends.h"

namespace iocp::test {

/// A completion record, taken apart.
struct Completion {
  OpCode code = OpCode::None;
  std::int32_t flags = 0;
  std::int32_t result = 0;
  std::int32_t value = -1;
  std::int32_t extra = 0;
  [[nodiscard]] bool more() const noexcept { return (flags & complete_flag::kMore) != 0; }
};

/// The records of a datagram to send (`outgoing_word`).
using OutgoingWords = std::array<std::int32_t, std::size_t{kRecordWords} * 2>;

/// A received datagram: its header (`incoming_word`) and what was in the slot behind it.
struct ReceivedDatagram {
  std::array<std::int32_t, incoming_word::kSegmentBytes + 1> words{};
  std::string data;
};

/// What came of one operation so far.
struct Outcome {
  OpCode code = OpCode::None;
  bool settled = false;
  std::int32_t result = 0;       // of the last completion
  std::uint64_t settled_at = 0;  // counts up with every settlement of the port
  std::vector<Completion> events;
  std::string data;                         // Recv: everything, in order
  std::vector<ReceivedDatagram> datagrams;  // RecvFrom
  std::vector<HandleRef> accepted;          // Accept
};

struct Token {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;
};

/// A piece of memory to send.
struct Segment {
  std::int32_t pin = -1;
  std::int32_t offset = 0;
  std::int32_t length = 0;
};

struct PortShape {
  std::uint32_t slot_bytes = 4096;
  std::uint32_t slots = 64;
  std::uint32_t provided = 32;
  bool give_back = true;  // received slots go back to the port at once
};

/// Stands where JavaScript stands: makes tokens, writes submission records, reads completion records, owns
/// the pool. Fails the test when an operation settles twice or a completion names a token that is not in
/// flight.
class TestPort {
 public:
  explicit TestPort(const Backend& backend, PortShape shape = {});
  ~TestPort();
  TestPort(const TestPort&) = delete;
  TestPort& operator=(const TestPort&) = delete;

  [[nodiscard]] Engine& engine() noexcept { return *engine_; }
  [[nodiscard]] EngineStats stats() const noexcept { return engine_->stats(); }

  /// Takes ownership of `socket`; fails the test when the engine refuses it.
  HandleRef adopt(net::OwnedSocket socket, std::unique_ptr<AddressBytes> remote = nullptr,
                  SocketKind kind = SocketKind::Stream);
  /// A TCP listener on the loopback address, or a Unix one at `path`.
  HandleRef listen(const std::string& path = {}, int backlog = 511);
  /// A socket that is to be connected to where `listener` listens.
  HandleRef open_to(HandleRef listener);
  HandleRef open_to(NativeHandle listener);
  HandleRef open_datagram(const net::DatagramSpec& spec);
  [[nodiscard]] AddressBytes address_of(HandleRef handle);

  Token accept(HandleRef handle) { return submit(OpCode::Accept, handle); }
  Token connect(HandleRef handle) { return submit(OpCode::Connect, handle); }
  Token recv(HandleRef handle) { return submit(OpCode::Recv, handle); }
  Token send(HandleRef handle, std::string_view text);
  Token send(HandleRef handle, std::span<const Segment> segments);
  Token recv_from(HandleRef handle) { return submit(OpCode::RecvFrom, handle); }
  Token send_to(HandleRef handle, std::span<const OutgoingWords> datagrams);
  Token shutdown(HandleRef handle, std::int32_t direction = shutdown_direction::kWrite);
  Token close(HandleRef handle, bool abort = false);
  Token post(std::int32_t value);
  void cancel(Token token);
  void provide(std::uint32_t slot);
  void submit_plain(OpCode code, std::int32_t argument);
  void submit_raw(std::span<const std::int32_t> records);

  /// Remembers `text` until the end of the port and pins it.
  Segment pin(std::string text);
  /// A token that is not in flight.
  Token make_token(OpCode code);

  [[nodiscard]] const Outcome& outcome(Token token) const;
  [[nodiscard]] bool settled(Token token) const { return outcome(token).settled; }

  /// One turn: flush, collect, dispatch. Returns the number of completions.
  std::size_t turn();
  /// Turns, and waits as the event loop does, until `done`; fails the test after some seconds.
  void run_until(const std::function<bool()>& done, std::string_view what,
                 const std::source_location& where = std::source_location::current());
  /// Waits as the event loop does, after `prepare_wait`. False when nothing has signalled in time.
  [[nodiscard]] bool wait_for_signal(int milliseconds);
  /// Until `token` has settled. Returns its result.
  std::int32_t finish(Token token, const std::source_location& where = std::source_location::current());
  /// Until nothing is left to do at the moment.
  void settle_down();
  /// Waits for one connection on `listener`; the accept goes on.
  HandleRef next_accepted(Token accept, std::size_t number = 0);
  /// Closes the engine and reads what it left.
  void close_engine();

  [[nodiscard]] std::uint32_t slots_kept() const noexcept {
    return static_cast<std::uint32_t>(kept_slots_.size());
  }
  std::vector<std::int32_t>& kept_slots() noexcept { return kept_slots_; }

 private:
  Token submit(OpCode code, HandleRef handle, std::int32_t argument = 0, std::int32_t flags = 0);
  void dispatch(const std::int32_t* record);
  void receive(Outcome& outcome, const Completion& completion);

  PortShape shape_;
  std::unique_ptr<std::byte[]> storage_;
  std::unique_ptr<BufferSlots> slots_;
  net::NativeSocketSystem system_;
  Doorbell bell_;  // rung by drivers without a descriptor
  std::unique_ptr<Engine> engine_;
  std::vector<std::unique_ptr<std::string>> pinned_;
  std::unordered_map<std::uint64_t, Outcome> outcomes_;
  std::vector<std::uint32_t> free_tokens_;
  std::vector<std::uint32_t> generations_;
  std::vector<std::int32_t> kept_slots_;
  std::uint64_t settlements_ = 0;
};

}  // namespace iocp::test
