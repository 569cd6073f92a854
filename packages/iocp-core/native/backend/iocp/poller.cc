#include "backend/iocp/poller.h"

namespace iocp {
namespace {

/// The thread needs little more than what the system's own calls take.
constexpr SIZE_T kStackBytes = 128 * 1024;

/// A packet with this key and no OVERLAPPED ends the thread. Sockets have key 0.
constexpr ULONG_PTR kStopKey = 1;

/// Shown by debuggers. The function is asked for at run time: Windows has it from 10 1607 on.
void name_thread(HANDLE thread) noexcept {
  using SetDescription = HRESULT(WINAPI*)(HANDLE, PCWSTR);
  const HMODULE kernel = ::GetModuleHandleW(L"kernel32.dll");
  if (kernel == nullptr) return;
  // Through void*, because compilers warn of a cast from one type of function to another.
  const auto set_description = reinterpret_cast<SetDescription>(
      reinterpret_cast<void*>(::GetProcAddress(kernel, "SetThreadDescription")));
  // A thread without a name works as well.
  if (set_description != nullptr) static_cast<void>(set_description(thread, L"iocp poller"));
}

net::SystemError failed(const char* syscall) noexcept {
  return {winsock::from_wsa(static_cast<int>(::GetLastError())), syscall};
}

}  // namespace

std::unique_ptr<Poller> Poller::make(Handover<Packet>& arrived, Doorbell& bell, net::SystemError& error) {
  // One thread takes packets off, so one is how many the system may let run.
  KernelHandle port(::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 1));
  if (!port) {
    error = failed("CreateIoCompletionPort");
    return nullptr;
  }
  std::unique_ptr<Poller> poller(new Poller(std::move(port), arrived, bell));
  poller->thread_ = KernelHandle(::CreateThread(nullptr, kStackBytes, run_thread, poller.get(),
                                                STACK_SIZE_PARAM_IS_A_RESERVATION, nullptr));
  if (!poller->thread_) {
    error = failed("CreateThread");
    return nullptr;
  }
  name_thread(poller->thread_.get());
  return poller;
}

Poller::~Poller() {
  if (!thread_) return;
  // Without memory for a packet the port itself is taken away, which ends the wait as well.
  if (::PostQueuedCompletionStatus(port_.get(), 0, kStopKey, nullptr) == FALSE) port_.reset();
  static_cast<void>(::WaitForSingleObject(thread_.get(), INFINITE));  // cannot fail on a thread of ours
}

DWORD WINAPI Poller::run_thread(void* poller) {
  static_cast<Poller*>(poller)->run();
  return 0;
}

void Poller::run() {
  const HANDLE port = port_.get();
  for (;;) {
    ULONG count = 0;
    calls_.fetch_add(1, std::memory_order_relaxed);
    // Without a limit in time it fails only when the port was taken away.
    if (::GetQueuedCompletionStatusEx(port, batch_.data(), kBatch, &count, INFINITE, FALSE) == FALSE) return;
    if (!hand_over(count)) return;
  }
}

bool Poller::hand_over(ULONG count) {
  Packet* newest = nullptr;
  Packet* oldest = nullptr;
  bool go_on = true;
  for (ULONG i = 0; i < count; ++i) {
    if (batch_[i].lpOverlapped == nullptr) {
      go_on = go_on && batch_[i].lpCompletionKey != kStopKey;
      continue;
    }
    Packet* const packet = Packet::of(batch_[i].lpOverlapped);
    packet->handover_next = newest;
    newest = packet;
    if (oldest == nullptr) oldest = packet;
  }
  if (newest != nullptr && arrived_.give(*newest, *oldest)) bell_.ring();
  return go_on;
}

}  // namespace iocp
