#include <cstdint>
#include <cstdio>

#include "backend/epoll/driver.h"
#include "backend/epoll/probe.h"
#include "backend/io_uring/driver.h"
#include "test/backends.h"

namespace iocp::test {
namespace {

constexpr unsigned kEntries = 64;  // small, so that the queues fill up
constexpr std::uint32_t kProbeSlotBytes = 4096;

std::unique_ptr<Driver> make_uring(const BufferSlots& slots) {
  Probe probe;
  return make_uring_driver(slots, kEntries, probe);
}

bool uring_works() {
  alignas(kProbeSlotBytes) static std::byte memory[kProbeSlotBytes];
  const BufferSlots slots(memory, kProbeSlotBytes, 1);
  Probe probe;
  if (make_uring_driver(slots, kEntries, probe) != nullptr) return true;
  std::printf("not tested: io_uring (%s; %s)\n", probe.reason.c_str(), probe.hint.c_str());
  return false;
}

bool epoll_works() {
  const Probe probe = probe_epoll();
  if (!probe.available) std::printf("not tested: epoll (%s; %s)\n", probe.reason.c_str(), probe.hint.c_str());
  return probe.available;
}

}  // namespace

Backend base_backend() { return {"epoll", make_epoll_driver}; }

std::vector<Backend> system_backends() {
  std::vector<Backend> backends;
  if (uring_works()) backends.push_back({"io_uring", make_uring});
  if (epoll_works()) backends.push_back(base_backend());
  return backends;
}

}  // namespace iocp::test
