#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/driver.h"

namespace iocp {

enum class BackendChoice : std::uint8_t { Auto, Uring, Epoll };

struct RejectedBackend {
  std::string backend;
  Probe probe;
};

/// The driver that was chosen, or none, and every backend that was tried in vain.
struct Selection {
  std::unique_ptr<Driver> driver;
  std::vector<RejectedBackend> rejected;
};

/// Makes the driver that was asked for; an explicit choice never falls back. `Auto` takes io_uring where it works, else
/// epoll.
/// @param entries length of the io_uring submission queue
[[nodiscard]] Selection select_driver(BackendChoice choice, const BufferSlots& slots, unsigned entries);

/// The release of the running kernel, as uname(2) gives it.
[[nodiscard]] std::string kernel_release();

}  // namespace iocp
