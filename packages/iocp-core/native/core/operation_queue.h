#pragma once

#include <utility>

#include "core/operation.h"

namespace iocp {

/// Operations that have to be looked at, in order, linked through `Operation::driver_next`. An operation is
/// in at most one queue, once.
class OperationQueue {
 public:
  [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }

  /// Appends, unless it is queued already.
  void push(Operation& operation) noexcept {
    if (operation.driver_queued) return;
    operation.driver_queued = true;
    operation.driver_next = nullptr;
    (last_ == nullptr ? first_ : last_->driver_next) = &operation;
    last_ = &operation;
  }

  /// The first one. Only when not empty.
  [[nodiscard]] Operation& pop() noexcept {
    Operation& operation = *std::exchange(first_, first_->driver_next);
    if (first_ == nullptr) last_ = nullptr;
    operation.driver_next = nullptr;
    operation.driver_queued = false;
    return operation;
  }

  /// Everything, leaving this queue empty.
  [[nodiscard]] OperationQueue take_all() noexcept { return std::exchange(*this, {}); }

  /// Puts the content of `other` before what is here.
  void prepend(OperationQueue other) noexcept {
    if (other.empty()) return;
    other.last_->driver_next = first_;
    if (first_ == nullptr) last_ = other.last_;
    first_ = other.first_;
  }

 private:
  Operation* first_ = nullptr;
  Operation* last_ = nullptr;
};

}  // namespace iocp
