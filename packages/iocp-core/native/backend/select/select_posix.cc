#include "backend/select/select.h"

#include <utility>

#include "backend/epoll/driver.h"
#include "backend/epoll/probe.h"
#include "backend/io_uring/driver.h"

namespace iocp {

namespace {

Probe not_here() {
  return {.available = false,
          .error = error_number::kENOSYS,
          .reason = "I/O completion ports are a part of Windows",
          .hint = "leave the choice to 'auto', which takes io_uring or epoll on Linux"};
}

}  // namespace

Selection select_driver(BackendChoice choice, BufferSlots& slots, unsigned entries) {
  Selection selection;
  if (choice == BackendChoice::Iocp) {
    selection.rejected.push_back({"iocp", not_here()});
    return selection;
  }
  if (choice != BackendChoice::Epoll) {
    Probe probe;
    selection.driver = make_uring_driver(slots, entries, probe);
    if (selection.driver) return selection;
    selection.rejected.push_back({"io_uring", std::move(probe)});
    if (choice == BackendChoice::Uring) return selection;
  }
  Probe probe = probe_epoll();
  if (probe.available) {
    selection.driver = make_epoll_driver(slots);
    // It worked a moment ago: what else could have run out?
    if (!selection.driver) {
      probe = {.available = false,
               .error = error_number::kEMFILE,
               .reason = "no descriptors left",
               .hint = "ulimit -n"};
    }
  }
  if (!selection.driver) selection.rejected.push_back({"epoll", std::move(probe)});
  return selection;
}

}  // namespace iocp
