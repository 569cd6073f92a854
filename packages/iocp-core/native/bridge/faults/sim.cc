#include <utility>

#include "backend/sim/sim_driver.h"
#include "bridge/faults/faults.h"

namespace iocp {

std::unique_ptr<Driver> add_faults(std::unique_ptr<Driver> driver, const BufferSlots& slots,
                                   const FaultPlan& plan) {
  return make_sim_driver(std::move(driver), slots, plan);
}

}  // namespace iocp
