#include <string>
#include <utility>

#include "backend/iocp/driver.h"
#include "backend/select/select.h"

namespace iocp {
namespace {

Probe not_here(const char* backend) {
  return {.available = false,
          .error = error_number::kENOSYS,
          .reason = std::string(backend) + " is a part of Linux",
          .hint = "leave the choice to 'auto', which takes I/O completion ports on Windows"};
}

}  // namespace

Selection select_driver(BackendChoice choice, BufferSlots& slots, unsigned /*entries*/) {
  Selection selection;
  switch (choice) {
    case BackendChoice::Uring: selection.rejected.push_back({"io_uring", not_here("io_uring")}); break;
    case BackendChoice::Epoll: selection.rejected.push_back({"epoll", not_here("epoll")}); break;
    case BackendChoice::Auto:
    case BackendChoice::Iocp:
      Probe probe;
      selection.driver = make_iocp_driver(slots, probe);
      if (!selection.driver) selection.rejected.push_back({"iocp", std::move(probe)});
  }
  return selection;
}

}  // namespace iocp
