#pragma once

#include <unistd.h>

#include <utility>

#include "core/handle.h"

namespace iocp::posix {

/// Owns a file descriptor and closes it.
class Descriptor {
 public:
  Descriptor() noexcept = default;
  explicit Descriptor(int number) noexcept : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      reset();
      number_ = std::exchange(other.number_, -1);
    }
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { reset(); }

  [[nodiscard]] int get() const noexcept { return number_; }
  [[nodiscard]] NativeHandle native() const noexcept { return number_; }
  [[nodiscard]] explicit operator bool() const noexcept { return number_ >= 0; }

  /// Gives the descriptor away: the caller closes it.
  [[nodiscard]] int release() noexcept { return std::exchange(number_, -1); }

  /// Closes it now. On Linux `close` frees the number even when it fails, so there is nothing to try again.
  void reset() noexcept {
    if (number_ >= 0) static_cast<void>(::close(std::exchange(number_, -1)));
  }

 private:
  int number_ = -1;
};

}  // namespace iocp::posix
