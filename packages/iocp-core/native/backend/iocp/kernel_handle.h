#pragma once

#include <windows.h>

#include <utility>

namespace iocp {

/// Owns a HANDLE of which null means none, and closes it.
class KernelHandle {
 public:
  KernelHandle() noexcept = default;
  explicit KernelHandle(HANDLE handle) noexcept : handle_(handle) {}
  KernelHandle(KernelHandle&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  KernelHandle& operator=(KernelHandle&& other) noexcept {
    if (this != &other) {
      reset();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  KernelHandle(const KernelHandle&) = delete;
  KernelHandle& operator=(const KernelHandle&) = delete;
  ~KernelHandle() { reset(); }

  [[nodiscard]] HANDLE get() const noexcept { return handle_; }
  [[nodiscard]] explicit operator bool() const noexcept { return handle_ != nullptr; }

  /// Closes it now. It fails on a handle that is none, which the rules of this class rule out.
  void reset() noexcept {
    if (handle_ != nullptr) static_cast<void>(::CloseHandle(std::exchange(handle_, nullptr)));
  }

 private:
  HANDLE handle_ = nullptr;
};

}  // namespace iocp
