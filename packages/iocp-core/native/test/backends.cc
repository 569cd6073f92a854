#include "test/backends.h"

#include <utility>

#include "backend/sim/sim_driver.h"

namespace iocp::test {
namespace {

/// Faults that change the way but not what comes of it.
constexpr FaultPlan kHarmless{
    .seed = 7, .short_send = 0.5, .short_recv = 0.4, .no_buffers = 0.1, .delay = 0.3};

}  // namespace

std::vector<Backend> available_backends() {
  std::vector<Backend> backends;
  for (Backend& backend : system_backends()) {
    Backend faulty{
        "sim+" + backend.name,
        [make = backend.make](BufferSlots& slots) { return make_sim_driver(make(slots), slots, kHarmless); },
        true};
    backends.push_back(std::move(backend));
    backends.push_back(std::move(faulty));
  }
  return backends;
}

}  // namespace iocp::test
