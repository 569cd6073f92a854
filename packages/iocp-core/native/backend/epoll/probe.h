#pragma once

#include "core/driver.h"

namespace iocp {

/// Whether epoll and eventfd work here.
[[nodiscard]] Probe probe_epoll();

}  // namespace iocp
