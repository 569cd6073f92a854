#pragma once

#include <cstdint>

#include "backend/io_uring/kernel_abi.h"
#include "backend/io_uring/ring.h"
#include "core/buffer_slots.h"

namespace iocp::uring {

/// The provided buffer ring: pool slots that wait for the kernel to fill them.
class BufferRing {
 public:
  static constexpr unsigned kGroup = 0;

  /// Registers a ring that holds every slot of `slots`. Returns 0 or an errno.
  [[nodiscard]] int make(Ring& ring, const BufferSlots& slots) noexcept {
    unsigned entries = 1;
    while (entries < slots.count()) entries *= 2;
    if (const int error = memory_.map(entries * sizeof(abi::Buffer), -1, 0); error != 0) return error;
    // The C structure ends in a flexible array that C++ places elsewhere: count from the base address.
    buffers_ = memory_.at<abi::Buffer>(0);
    mask_ = entries - 1;
    return ring.register_buffers(buffers_, entries, kGroup);
  }

  /// Adds a slot; the kernel sees it after `publish`.
  void add(const BufferSlots& slots, std::uint32_t slot) noexcept {
    abi::Buffer& buffer = buffers_[tail_ & mask_];
    buffer.address = reinterpret_cast<std::uint64_t>(slots.address(slot));
    buffer.length = slots.slot_bytes();
    buffer.id = static_cast<std::uint16_t>(slot);
    ++tail_;
  }

  void publish() noexcept { __atomic_store_n(&buffers_[0].reserved, tail_, __ATOMIC_RELEASE); }

 private:
  Mapping memory_;
  abi::Buffer* buffers_ = nullptr;
  unsigned mask_ = 0;
  std::uint16_t tail_ = 0;
};

}  // namespace iocp::uring
