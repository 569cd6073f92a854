#pragma once

#include <memory>

#include "backend/sim/fault_plan.h"
#include "core/buffer_slots.h"
#include "core/driver.h"

namespace iocp {

/// A driver over a driver that makes things go wrong which may go wrong anyway, following `plan`. For tests
/// only.
/// @param slots the pool's memory, the same that `inner` fills
[[nodiscard]] std::unique_ptr<Driver> make_sim_driver(std::unique_ptr<Driver> inner, const BufferSlots& slots,
                                                      const FaultPlan& plan);

}  // namespace iocp
