#include "backend/iocp/driver.h"
#include "test/backends.h"
#include "test/harness.h"

namespace iocp::test {

Backend base_backend() {
  return {"iocp", [](BufferSlots& slots) {
            Probe probe;
            std::unique_ptr<Driver> driver = make_iocp_driver(slots, probe);
            check(driver != nullptr, probe.reason);
            return driver;
          }};
}

std::vector<Backend> system_backends() { return {base_backend()}; }

}  // namespace iocp::test
