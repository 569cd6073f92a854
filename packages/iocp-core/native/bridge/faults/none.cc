#include "bridge/faults/faults.h"

namespace iocp {

std::unique_ptr<Driver> add_faults(std::unique_ptr<Driver> /*driver*/, const BufferSlots& /*slots*/,
                                   const FaultPlan& /*plan*/) {
  return nullptr;
}

}  // namespace iocp
