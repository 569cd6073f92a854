#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/driver.h"

namespace iocp {

enum class BackendChoice : std::uint8_t { Auto, Uring, Epoll, Iocp };

struct RejectedBackend {
  std::string backend;
  Probe probe;
};

/// The driver that was chosen, or none, and every backend that was tried in vain.
struct Selection {
  std::unique_ptr<Driver> driver;
  std::vector<RejectedBackend> rejected;
};

/// Makes the driver that was asked for; an explicit choice never falls back. `Auto` takes the best one that works: on
/// Linux io_uring, else epoll; on Windows I/O completion ports.
/// @param entries length of the io_uring submission queue
[[nodiscard]] Selection select_driver(BackendChoice choice, BufferSlots& slots, unsigned entries);

}  // namespace iocp
