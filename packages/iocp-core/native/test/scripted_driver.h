#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/driver.h"
#include "core/engine.h"

namespace iocp::test {

/// A driver without a system below it: nothing happens until a script says so. It holds the engine to the
/// promises of `Driver` and reports every one that is broken.
class ScriptedDriver final : public Driver {
 public:
  /// @param broken is told what the engine did that it must not do
  ScriptedDriver(const BufferSlots& slots, std::function<void(const std::string&)> broken);

  [[nodiscard]] const char* name() const noexcept override { return "scripted"; }
  [[nodiscard]] std::vector<std::string> features() const override { return {}; }
  [[nodiscard]] std::int32_t attach(Handle& handle) override;
  void start(Operation& operation) override;
  void cancel(Operation& operation) override;
  void close(Handle& handle, Operation& close) override;
  void provide(std::uint32_t slot) override { slots_.push_back(slot); }
  void flush() override {}
  [[nodiscard]] std::size_t reap(std::span<Event> events) override;
  [[nodiscard]] bool prepare_wait() override { return happened_.empty(); }
  [[nodiscard]] int wait_descriptor() const noexcept override { return kNoDescriptor; }
  void notify_with(std::function<void()> /*notify*/) override {}
  void acknowledge() override {}
  void wait(int milliseconds) override;
  void wake() noexcept override { ++wakes_; }
  [[nodiscard]] DriverStats stats() const noexcept override { return {}; }

  // the script

  /// Operations that wait for something to happen, in the order in which they were started.
  [[nodiscard]] const std::vector<Operation*>& waiting() const noexcept { return waiting_; }
  [[nodiscard]] bool canceled(const Operation& operation) const;
  [[nodiscard]] std::size_t provided() const noexcept { return slots_.size(); }

  /// Fills a slot for a Recv or RecvFrom; without a slot the receive ends with -ENOBUFS.
  void receive(Operation& operation, std::int32_t bytes, bool more);
  /// The last event of a Recv or RecvFrom that had taken a slot when it failed; without a slot as `finish`.
  void fail_with_slot(Operation& operation, std::int32_t error);
  /// Whether the datagram of a SendTo was neither taken nor refused yet.
  [[nodiscard]] static bool unsettled(const Operation& operation, std::uint32_t number);
  /// The system takes a datagram of a SendTo that is unsettled.
  void take(Operation& operation, std::uint32_t number);
  /// The system refuses a datagram of a SendTo that is unsettled.
  void refuse(Operation& operation, std::uint32_t number, std::int32_t error);
  /// The last event of a SendTo: how many datagrams were taken.
  void finish_send_to(Operation& operation);
  /// A connection for an Accept.
  void accept(Operation& operation, NativeHandle native, bool more);
  /// The last event of an operation.
  void finish(Operation& operation, std::int32_t result);

  /// From now on `attach` fails with this, 0 to succeed.
  void refuse_attach(std::int32_t error) noexcept { attach_result_ = error; }
  /// Whether waiting for canceled operations makes them end, as it does in the world.
  void end_canceled_on_wait(bool on) noexcept { end_canceled_ = on; }
  [[nodiscard]] unsigned wakes() const noexcept { return wakes_; }
  /// Descriptors that were closed through the driver.
  [[nodiscard]] const std::vector<NativeHandle>& closed() const noexcept { return closed_; }

 private:
  /// What is in flight on a handle, and where the datagrams of its SendTo were when that was started.
  struct InFlight {
    std::vector<OpCode> codes;
    const OutgoingDatagram* datagrams = nullptr;
    std::size_t datagram_count = 0;
  };

  void claim(bool kept, const std::string& promise) const;
  void leave(Operation& operation);
  void claim_in_place(const Operation& operation) const;
  void settle_datagram(Operation& operation, std::uint32_t number);

  std::function<void(const std::string&)> broken_;
  const BufferSlots& memory_;
  std::vector<std::uint32_t> slots_;
  std::vector<Operation*> waiting_;
  std::unordered_map<const Operation*, bool>
      in_driver_;  // until the last event was reaped; true: cancel was asked for
  std::unordered_map<const Handle*, InFlight> attached_;
  std::deque<Event> happened_;
  std::vector<NativeHandle> closed_;
  std::int32_t attach_result_ = 0;
  bool end_canceled_ = true;
  unsigned wakes_ = 0;
};

/// A socket system without sockets, which knows which descriptors are open.
class ScriptedSystem final : public SocketSystem {
 public:
  void set_abortive_close(NativeHandle native) noexcept override;
  void close_now(NativeHandle native) noexcept override;
  void discard_pages(std::span<std::byte> /*memory*/) noexcept override {}

  [[nodiscard]] const std::vector<NativeHandle>& closed() const noexcept { return closed_; }
  [[nodiscard]] const std::vector<NativeHandle>& abortive() const noexcept { return abortive_; }

 private:
  std::vector<NativeHandle> closed_;
  std::vector<NativeHandle> abortive_;
};

}  // namespace iocp::test
