#include "test/backends.h"

#include <cstdint>
#include <cstdio>
#include <utility>

#include "backend/epoll/driver.h"
#include "backend/epoll/probe.h"
#include "backend/io_uring/driver.h"
#include "backend/sim/sim_driver.h"

namespace iocp::test {
namespace {

constexpr unsigned kEntries = 64;  // small, so that the queues fill up
constexpr std::uint32_t kProbeSlotBytes = 4096;

/// Faults that change the way but not what comes of it.
constexpr FaultPlan kHarmless{
    .seed = 7, .short_send = 0.5, .short_recv = 0.4, .no_buffers = 0.1, .delay = 0.3};

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

void add_with_faults(std::vector<Backend>& backends, Backend backend) {
  Backend faulty{"sim+" + backend.name,
                 [make = backend.make](const BufferSlots& slots) {
                   return make_sim_driver(make(slots), slots, kHarmless);
                 },
                 true};
  backends.push_back(std::move(backend));
  backends.push_back(std::move(faulty));
}

}  // namespace

std::vector<Backend> available_backends() {
  std::vector<Backend> backends;
  if (uring_works()) add_with_faults(backends, {"io_uring", make_uring});
  if (epoll_works()) add_with_faults(backends, {"epoll", make_epoll_driver});
  return backends;
}

}  // namespace iocp::test
