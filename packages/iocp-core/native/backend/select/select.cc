#include "backend/select/select.h"

#include <sys/utsname.h>

#include <utility>

#include "backend/epoll/driver.h"
#include "backend/epoll/probe.h"
#include "backend/io_uring/driver.h"

namespace iocp {

Selection select_driver(BackendChoice choice, const BufferSlots& slots, unsigned entries) {
  Selection selection;
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

std::string kernel_release() {
  utsname name{};
  return uname(&name) == 0 ? name.release : "unknown";
}

}  // namespace iocp
