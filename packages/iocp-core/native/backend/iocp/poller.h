#pragma once

#include <winsock2.h>
#include <windows.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "backend/iocp/kernel_handle.h"
#include "backend/iocp/packet.h"
#include "backend/net/result.h"
#include "core/doorbell.h"
#include "core/handover.h"

namespace iocp {

/// A completion port and the thread that waits on it: takes packets off in batches and hands them to the port's thread,
/// which it wakes when that sleeps.
class Poller {
 public:
  /// @param arrived where the packets go; outlives the poller, as does `bell`
  /// @return null when the system refuses; `error` then says what
  [[nodiscard]] static std::unique_ptr<Poller> make(Handover<Packet>& arrived, Doorbell& bell,
                                                    net::SystemError& error);
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;
  /// Ends the thread. What it has not handed over by then stays on the port.
  ~Poller();

  /// The completion port, for CreateIoCompletionPort.
  [[nodiscard]] HANDLE port() const noexcept { return port_.get(); }

  /// How often it has asked the system.
  [[nodiscard]] std::uint64_t calls() const noexcept { return calls_.load(std::memory_order_relaxed); }

 private:
  static constexpr ULONG kBatch = 128;

  Poller(KernelHandle port, Handover<Packet>& arrived, Doorbell& bell)
      : port_(std::move(port)), arrived_(arrived), bell_(bell) {}
  static DWORD WINAPI run_thread(void* poller);
  void run();
  /// False when one of the packets says that it is over.
  [[nodiscard]] bool hand_over(ULONG count);

  KernelHandle port_;
  KernelHandle thread_;
  Handover<Packet>& arrived_;
  Doorbell& bell_;
  std::array<OVERLAPPED_ENTRY, kBatch> batch_{};
  std::atomic<std::uint64_t> calls_{0};
};

}  // namespace iocp
