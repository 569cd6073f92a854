#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace iocp {

/// The pool's memory, borrowed from JavaScript, and which slots native code holds. Slots it does not hold belong to
/// JavaScript.
class BufferSlots {
 public:
  /// @param memory starts at a page boundary and holds `count` slots of `slot_bytes` each
  BufferSlots(std::byte* memory, std::uint32_t slot_bytes, std::uint32_t count)
      : memory_(memory), slot_bytes_(slot_bytes), held_(count, false) {}

  [[nodiscard]] std::uint32_t count() const noexcept { return static_cast<std::uint32_t>(held_.size()); }
  [[nodiscard]] std::uint32_t slot_bytes() const noexcept { return slot_bytes_; }
  [[nodiscard]] std::uint32_t held() const noexcept { return held_count_; }
  /// Those of them that whoever receives next may take.
  [[nodiscard]] std::uint32_t available() const noexcept { return held_count_ - lent_; }
  [[nodiscard]] std::byte* address(std::uint32_t slot) const noexcept {
    return memory_ + static_cast<std::size_t>(slot) * slot_bytes_;
  }
  [[nodiscard]] std::span<std::byte> memory() const noexcept {
    return {memory_, static_cast<std::size_t>(count()) * slot_bytes_};
  }

  /// JavaScript gives a slot. False when there is no such slot or native code has it already.
  [[nodiscard]] bool take(std::int32_t slot) {
    if (slot < 0 || static_cast<std::uint32_t>(slot) >= count() || held_[static_cast<std::size_t>(slot)])
      return false;
    held_[static_cast<std::size_t>(slot)] = true;
    ++held_count_;
    return true;
  }

  /// For drivers whose receives hold a slot while they wait: one more has one.
  void lend() noexcept { ++lent_; }
  /// One of those receives is done, whether it has filled its slot or not.
  void end_loan() noexcept { --lent_; }

  /// A slot goes to JavaScript, filled.
  void give(std::int32_t slot) {
    held_[static_cast<std::size_t>(slot)] = false;
    --held_count_;
  }

 private:
  std::byte* memory_;
  std::uint32_t slot_bytes_;
  std::vector<bool> held_;
  std::uint32_t held_count_ = 0;
  std::uint32_t lent_ = 0;
};

}  // namespace iocp
