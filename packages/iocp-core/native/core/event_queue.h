#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "core/driver.h"

namespace iocp {

/// Events that a driver has ready for `reap`, in order.
class EventQueue {
 public:
  void push(const Event& event) { events_.push_back(event); }

  [[nodiscard]] std::size_t size() const noexcept { return events_.size() - taken_; }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }

  /// Moves as many as fit into `events` and returns how many.
  [[nodiscard]] std::size_t take(std::span<Event> events) {
    const std::size_t count = std::min(events.size(), size());
    std::copy_n(events_.begin() + static_cast<std::ptrdiff_t>(taken_), count, events.begin());
    taken_ += count;
    if (empty()) {
      events_.clear();
      taken_ = 0;
    }
    return count;
  }

 private:
  std::vector<Event> events_;
  std::size_t taken_ = 0;
};

}  // namespace iocp
