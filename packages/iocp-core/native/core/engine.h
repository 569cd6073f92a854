#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/driver.h"
#include "core/mailbox.h"
#include "core/pin_table.h"
#include "core/protocol.gen.h"
#include "core/slab.h"

namespace iocp {

/// What the engine needs of the system besides a driver. Implemented once per family of systems.
class SocketSystem {
 public:
  virtual ~SocketSystem() = default;
  /// The next close of the descriptor resets the peer.
  virtual void set_abortive_close(NativeHandle native) noexcept = 0;
  /// Closes a descriptor at once. Only for descriptors with nothing in flight.
  virtual void close_now(NativeHandle native) noexcept = 0;
  /// Gives the pages of `memory` back to the system; their content is lost.
  virtual void discard_pages(std::span<std::byte> memory) noexcept = 0;
};

struct HandleRef {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;
};

/// Counters of one port.
struct EngineStats {
  std::uint32_t operations = 0;
  std::uint32_t handles = 0;
  std::uint32_t parked = 0;
  std::uint32_t pins = 0;
  std::uint32_t kernel_slots = 0;
  std::uint64_t submissions = 0;
  std::uint64_t completions = 0;
  std::uint64_t rejected = 0;  // records that named a token, handle, slot or pin that does not exist
  std::uint64_t short_sends = 0;
  std::uint64_t parkings = 0;
};

/// The life of handles and operations, the same on every backend: it reads submission records, drives a driver, and
/// writes completion records. It makes sure that
///  - every operation settles exactly once;
///  - a handle is closed only after everything in flight on it has come back (join, then close);
///  - short sends go on, a receive without a slot is parked and restarted;
///  - a stale token, handle or slot is refused.
class Engine {
 public:
  Engine(std::unique_ptr<Driver> driver, SocketSystem& system, BufferSlots& slots);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Takes ownership of a descriptor. Returns 0 or a negated error number (the descriptor is then the caller's still).
  [[nodiscard]] std::int32_t adopt(NativeHandle native, std::unique_ptr<AddressBytes> remote, HandleRef& out,
                                   SocketKind kind = SocketKind::Stream);

  /// The open handle, or null when the reference is stale.
  [[nodiscard]] Handle* find(HandleRef reference) noexcept;

  /// Remembers memory outside the pool that segments may name. The caller keeps it alive and in place.
  [[nodiscard]] std::int32_t pin(std::byte* memory, std::size_t length);

  /// Reads `count` submission records.
  void submit(const std::int32_t* records, std::int32_t count);

  /// Hands what was submitted to the system.
  void flush();

  /// Writes up to `max` completion records and returns how many. Fewer than `max`: nothing more for now.
  [[nodiscard]] std::size_t collect(std::int32_t* records, std::size_t max);

  /// True when receives are parked that a slot from JavaScript would help, and JavaScript was not told yet.
  [[nodiscard]] bool take_starved() noexcept;

  /// About to block. False when there is something to collect.
  [[nodiscard]] bool prepare_wait();

  /// Cancels everything and waits, with a bound, until it has come back; then closes all descriptors. The completions
  /// can still be collected afterwards.
  void close();

  [[nodiscard]] Driver& driver() noexcept { return *driver_; }
  [[nodiscard]] const std::shared_ptr<Mailbox>& mailbox() const noexcept { return mailbox_; }
  [[nodiscard]] EngineStats stats() const noexcept;
  [[nodiscard]] std::uint32_t parked() const noexcept { return static_cast<std::uint32_t>(parked_.size()); }
  [[nodiscard]] std::uint32_t available_slots() const noexcept { return slots_.available(); }

 private:
  struct Completion {
    OpCode code;
    std::int32_t flags;
    std::uint32_t token;
    std::uint32_t generation;
    std::int32_t result;
    std::int32_t value;
    std::int32_t extra;
  };

  // submission
  void submit_operation(OpCode code, const std::int32_t* record, std::span<const std::int32_t> segments);
  [[nodiscard]] bool read_segments(Operation& operation, const std::int32_t* record,
                                   std::span<const std::int32_t> segments);
  [[nodiscard]] bool resolve(const std::int32_t* segment, IoVector& out) const noexcept;
  [[nodiscard]] bool read_datagrams(Operation& operation, std::uint32_t count,
                                    std::span<const std::int32_t> words);
  void submit_close(Operation& operation);
  void submit_cancel(const std::int32_t* record);
  void submit_provide(std::int32_t slot);
  void submit_unpin(std::int32_t pin);
  void submit_discard(std::int32_t slot);
  Operation* open_operation(OpCode code, const std::int32_t* record);

  // settlement
  void start(Operation& operation);
  void cancel(Operation& operation);
  void link(Operation& operation);
  void unlink(Operation& operation);
  [[nodiscard]] static bool ending(const Operation& operation) noexcept;
  void settle(Operation& operation, std::int32_t result, std::int32_t flags = 0, std::int32_t value = -1,
              std::int32_t extra = 0);
  void emit(const Completion& completion);
  void write(const Completion& completion);
  void emit_more(const Operation& operation, std::int32_t result, std::int32_t flags, std::int32_t value,
                 std::int32_t extra);
  void on_event(const Event& event);
  void on_recv(const Event& event);
  void on_send(const Event& event);
  void on_recv_from(const Event& event);
  void on_send_to(const Event& event);
  void on_accept(const Event& event);
  void restart_or_settle(Operation& operation);
  void park(Operation& operation);
  void restart_parked();
  void close_if_joined(Handle& handle);
  void free_handle(Handle& handle);
  void collect_mail();

  std::unique_ptr<Driver> driver_;
  SocketSystem& system_;
  BufferSlots& slots_;
  Slab<Operation> operations_;
  Slab<Handle> handles_;
  std::vector<std::uint32_t> free_handles_;
  std::uint32_t handles_made_ = 0;
  PinTable pins_;
  std::deque<Operation*> parked_;
  std::deque<Completion> pending_;  // completions that wait for room in a batch
  std::vector<Event> events_;
  std::int32_t* out_ = nullptr;  // where the next completion goes while a batch is collected
  std::size_t out_room_ = 0;
  std::shared_ptr<Mailbox> mailbox_;
  EngineStats stats_;
  bool starved_ = false;
  bool closed_ = false;
};

}  // namespace iocp
