#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace iocp {

/// Memory outside the pool that segments may name, by numbers that are used again. Whoever pins it keeps it alive.
class PinTable {
 public:
  [[nodiscard]] std::int32_t add(std::span<std::byte> memory) {
    ++count_;
    if (free_.empty()) {
      pins_.push_back({memory, true});
      return static_cast<std::int32_t>(pins_.size() - 1);
    }
    const std::int32_t number = free_.back();
    free_.pop_back();
    pins_[static_cast<std::size_t>(number)] = {memory, true};
    return number;
  }

  /// False when there is no such pin.
  [[nodiscard]] bool remove(std::int32_t number) {
    if (!contains(number)) return false;
    pins_[static_cast<std::size_t>(number)] = {};
    free_.push_back(number);
    --count_;
    return true;
  }

  [[nodiscard]] bool contains(std::int32_t number) const noexcept {
    return number >= 0 && static_cast<std::size_t>(number) < pins_.size() &&
           pins_[static_cast<std::size_t>(number)].used;
  }

  /// The memory of a pin that exists.
  [[nodiscard]] std::span<std::byte> at(std::int32_t number) const noexcept {
    return pins_[static_cast<std::size_t>(number)].memory;
  }

  [[nodiscard]] std::uint32_t count() const noexcept { return count_; }

 private:
  struct Pin {
    std::span<std::byte> memory;
    bool used = false;
  };

  std::vector<Pin> pins_;
  std::vector<std::int32_t> free_;
  std::uint32_t count_ = 0;
};

}  // namespace iocp
