#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/buffer_slots.h"
#include "core/handle.h"
#include "core/operation.h"

namespace iocp {

/// What the system did with an operation. Results are in our error numbers (`error_number`), negated.
struct Event {
  Operation* operation = nullptr;
  std::int32_t result = 0;
  std::int32_t slot = -1;  // Recv, RecvFrom: the slot that was filled, also when the result is 0 or an error
  std::int32_t datagram = -1;               // SendTo with `more`: which one failed, with `result`
  NativeHandle accepted = kNoNativeHandle;  // Accept with result 0
  bool more = false;                        // the operation goes on; without it this is its last event
};

/// Counters that a driver keeps for `stats`.
struct DriverStats {
  std::uint64_t system_calls = 0;
  std::uint64_t overflows = 0;  // times the kernel's completion queue was full
};

/// What a backend has to do. Every backend implements all of it, with the same meaning; there is nothing optional.
///
/// Called on one thread only, but for `wake`. A driver never calls back: what happened comes out of `reap`.
/// The engine above it keeps these promises: at most one Recv or RecvFrom, one Send or SendTo, one Accept or Connect per
/// handle at a time;
/// `close` only when nothing is in flight on the handle; an operation and the memory it names stay where they are until
/// its last event was reaped.
class Driver {
 public:
  Driver() = default;
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;
  virtual ~Driver() = default;

  [[nodiscard]] virtual const char* name() const noexcept = 0;
  [[nodiscard]] virtual std::vector<std::string> features() const = 0;

  /// A descriptor joins the port. Returns 0 or a negated error number.
  [[nodiscard]] virtual std::int32_t attach(Handle& handle) = 0;

  /// Starts an operation: Accept, Connect, Recv, Send, Shutdown, RecvFrom or SendTo. Its events come out of `reap`, never
  /// from here. Recv and RecvFrom take a slot when data arrives; with no slot provided their event is -ENOBUFS and the
  /// engine starts them again later. Send may end short: the engine starts it again with what is left.
  ///
  /// RecvFrom gives an event with a slot and `more` for each datagram, also for one of 0 bytes, with the header
  /// (`incoming_word`) filled in at the start of the slot; what does not fit is cut off and flagged. Any error, such as
  /// the refusal that an earlier datagram met with, is its last event.
  ///
  /// SendTo sends the datagrams in order as far as the system does, and waits while the socket's buffer is full. One that
  /// the system refuses gives an event with `more`, `datagram` and the error, and the others go on. The last event has the
  /// number that the system took, also after a cancel.
  virtual void start(Operation& operation) = 0;

  /// Asks for an early end of an operation that was started. Its own last event decides what became of it.
  virtual void cancel(Operation& operation) = 0;

  /// Closes the descriptor of `handle`, on which nothing is in flight; one event for `close` follows. To reset the peer
  /// the engine has called `SocketSystem::set_abortive_close` before.
  virtual void close(Handle& handle, Operation& close) = 0;

  /// Takes a pool slot for receives.
  virtual void provide(std::uint32_t slot) = 0;

  /// Hands everything that was started, cancelled and provided since the last call to the system.
  virtual void flush() = 0;

  /// Fills `events` with what has happened and returns how many. Fewer than asked for means nothing more for now.
  [[nodiscard]] virtual std::size_t reap(std::span<Event> events) = 0;

  /// About to block: makes sure that `wait_descriptor` becomes readable, or the notification comes, when there is
  /// something to reap.
  /// False when there is something already.
  [[nodiscard]] virtual bool prepare_wait() = 0;

  /// Becomes readable when there is something to reap, or after `wake`. `kNoDescriptor` where the system has nothing
  /// that an event loop could poll: the driver then calls what `notify_with` was given.
  [[nodiscard]] virtual int wait_descriptor() const noexcept = 0;
  static constexpr int kNoDescriptor = -1;

  /// What to call, on whatever thread, when `wait_descriptor` would become readable; at most once between two calls of
  /// `prepare_wait`. Empty: from the return of this on nothing is called. Drivers with a descriptor ignore it.
  virtual void notify_with(std::function<void()> notify) = 0;

  /// `wait_descriptor` was readable, or the notification has come: takes the signal off.
  virtual void acknowledge() = 0;

  /// Blocks until there is something to reap, or for `milliseconds`. For the end of a port only.
  virtual void wait(int milliseconds) = 0;

  /// Makes `wait_descriptor` readable, or notifies. The only member that may be called from any thread.
  virtual void wake() noexcept = 0;

  [[nodiscard]] virtual DriverStats stats() const noexcept = 0;
};

/// What a probe found out: whether the backend works here, and if not, why and what to do about it.
struct Probe {
  bool available = false;
  std::int32_t error = 0;  // our error number
  std::string reason;
  std::string hint;
};

}  // namespace iocp
