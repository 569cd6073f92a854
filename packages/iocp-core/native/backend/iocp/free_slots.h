#pragma once

#include <cstdint>
#include <vector>

#include "core/buffer_slots.h"

namespace iocp {

/// The slots that the driver was given and that wait for something to receive. The last one given is used first: its
/// memory is warm.
class FreeSlots {
 public:
  explicit FreeSlots(BufferSlots& slots) : slots_(slots) {}

  [[nodiscard]] bool empty() const noexcept { return free_.empty(); }
  [[nodiscard]] std::uint32_t slot_bytes() const noexcept { return slots_.slot_bytes(); }
  [[nodiscard]] std::byte* address(std::uint32_t slot) const noexcept { return slots_.address(slot); }

  void put(std::uint32_t slot) { free_.push_back(slot); }

  /// The one to fill next, which stays here. Only when not empty.
  [[nodiscard]] std::uint32_t next() const noexcept { return free_.back(); }
  /// The next one has been filled.
  void drop_next() noexcept { free_.pop_back(); }

  /// Takes one for a receive that holds it until it is done. Only when not empty.
  [[nodiscard]] std::uint32_t lend() noexcept {
    const std::uint32_t slot = free_.back();
    free_.pop_back();
    slots_.lend();
    return slot;
  }
  /// That receive has filled it.
  void end_loan() noexcept { slots_.end_loan(); }
  /// That receive leaves it as it was.
  void take_back(std::uint32_t slot) {
    slots_.end_loan();
    put(slot);
  }

 private:
  BufferSlots& slots_;
  std::vector<std::uint32_t> free_;
};

}  // namespace iocp
