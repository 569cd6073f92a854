#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace iocp {

/// Grows in blocks and never moves what it holds, so that the kernel and intrusive lists may point into it.
template <typename T>
class Slab {
 public:
  static constexpr std::uint32_t kBlock = 256;

  /// The item at `index`; the slab must have grown past it.
  [[nodiscard]] T& operator[](std::uint32_t index) noexcept {
    return blocks_[index / kBlock][index % kBlock];
  }

  [[nodiscard]] bool contains(std::uint32_t index) const noexcept { return index < size(); }
  [[nodiscard]] std::uint32_t size() const noexcept {
    return static_cast<std::uint32_t>(blocks_.size()) * kBlock;
  }

  /// Makes sure that `index` exists. New items are value-initialized.
  void grow_to(std::uint32_t index) {
    while (!contains(index)) blocks_.push_back(std::make_unique<T[]>(kBlock));
  }

 private:
  std::vector<std::unique_ptr<T[]>> blocks_;
};

}  // namespace iocp
