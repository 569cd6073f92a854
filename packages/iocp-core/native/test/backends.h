#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/buffer_slots.h"
#include "core/driver.h"

namespace iocp::test {

/// A way to make a driver that the conformance list is held against.
struct Backend {
  std::string name;
  std::function<std::unique_ptr<Driver>(BufferSlots&)> make;
  bool faulty = false;  // injects faults: the same results, by longer ways
};

/// Every backend that works on this machine, each bare and with simulated faults. Says on stdout which are
/// missing.
[[nodiscard]] std::vector<Backend> available_backends();

/// Those of this system that work, bare. Says on stdout which are missing.
[[nodiscard]] std::vector<Backend> system_backends();

/// The one that every machine with this system has.
[[nodiscard]] Backend base_backend();

}  // namespace iocp::test
