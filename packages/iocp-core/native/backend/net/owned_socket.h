#pragma once

#include <utility>

#include "core/handle.h"

namespace iocp::net {

/// Closes a socket at once. Its result is dropped: there is nothing that could be tried again.
void close_socket(NativeHandle native) noexcept;

/// Owns a socket and closes it.
class OwnedSocket {
 public:
  OwnedSocket() noexcept = default;
  explicit OwnedSocket(NativeHandle native) noexcept : native_(native) {}
  OwnedSocket(OwnedSocket&& other) noexcept : native_(other.release()) {}
  OwnedSocket& operator=(OwnedSocket&& other) noexcept {
    if (this != &other) {
      reset();
      native_ = other.release();
    }
    return *this;
  }
  OwnedSocket(const OwnedSocket&) = delete;
  OwnedSocket& operator=(const OwnedSocket&) = delete;
  ~OwnedSocket() { reset(); }

  [[nodiscard]] NativeHandle native() const noexcept { return native_; }
  [[nodiscard]] explicit operator bool() const noexcept { return native_ != kNoNativeHandle; }

  /// Gives the socket away: the caller closes it.
  [[nodiscard]] NativeHandle release() noexcept { return std::exchange(native_, kNoNativeHandle); }

  /// Closes it now.
  void reset() noexcept {
    if (native_ != kNoNativeHandle) close_socket(release());
  }

 private:
  NativeHandle native_ = kNoNativeHandle;
};

}  // namespace iocp::net
