#pragma once

#include <memory>

#include "backend/sim/fault_plan.h"
#include "core/buffer_slots.h"
#include "core/driver.h"

namespace iocp {

/// Wraps `driver` so that faults happen as `plan` says. Null when this build of the addon cannot do that:
/// only the addon for tests can.
[[nodiscard]] std::unique_ptr<Driver> add_faults(std::unique_ptr<Driver> driver, const BufferSlots& slots,
                                                 const FaultPlan& plan);

}  // namespace iocp
