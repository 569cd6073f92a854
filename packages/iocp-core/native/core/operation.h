#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/io_vector.h"
#include "core/protocol.gen.h"

namespace iocp {

struct Handle;

/// The pieces of a gathered send, with room for the structure that a driver has to keep alive for the kernel.
struct Gather {
  std::vector<IoVector> vectors;
  alignas(std::max_align_t) std::array<std::byte, 64> driver_storage{};
};

/// One operation in flight, found by the token that JavaScript chose for it. Lives in the engine's slab.
struct Operation {
  enum class State : std::uint8_t {
    Free,
    InDriver,  // handed to the driver: an event will come
    Parked,    // a receive that waits for a buffer slot
  };

  OpCode code = OpCode::None;
  State state = State::Free;
  bool cancel_requested = false;
  bool received = false;  // Recv: has got something since it was last parked
  std::uint32_t index = 0;
  std::uint32_t generation = 0;
  std::int32_t argument = 0;  // direction of a shutdown, flags of a close

  Handle* handle = nullptr;
  Operation* next = nullptr;  // among the operations of its handle
  Operation* previous = nullptr;

  /// Send: what is left. A single piece stays here, more of them are in `gather`.
  IoVector vector;
  std::unique_ptr<Gather> gather;
  std::uint32_t vector_first = 0;  // first piece of `gather` that is not sent whole
  std::int32_t bytes_done = 0;
  std::int32_t bytes_total = 0;

  /// SendTo, of the datagrams in `Handle::outgoing`:
  std::uint32_t datagrams_taken = 0;    // by the system
  std::uint32_t datagrams_settled = 0;  // for drivers: taken, failed or given up
  std::uint32_t datagrams_busy = 0;     // for drivers: what has to come back before they go on

  /// For drivers: operations they have to look at again, and those they are about to start anew themselves.
  Operation* driver_next = nullptr;
  bool driver_queued = false;
  bool driver_restarting = false;

  [[nodiscard]] bool gathered() const noexcept {
    return code == OpCode::Send && gather && !gather->vectors.empty();
  }
};

}  // namespace iocp
