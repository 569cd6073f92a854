#pragma once

#include <linux/io_uring.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "backend/posix/descriptor.h"

namespace iocp::uring {

/// Memory mapped for as long as this lives. Not inherited by forked children.
class Mapping {
 public:
  Mapping() = default;
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping();

  /// Maps `length` bytes of `descriptor` at `offset`, or anonymous memory when `descriptor` is -1.
  /// Returns 0 or an errno.
  [[nodiscard]] int map(std::size_t length, int descriptor, std::uint64_t offset) noexcept;

  template <typename T>
  [[nodiscard]] T* at(std::size_t offset) const noexcept {
    return reinterpret_cast<T*>(static_cast<std::byte*>(address_) + offset);
  }

 private:
  void unmap() noexcept;
  void* address_ = nullptr;
  std::size_t length_ = 0;
};

/// Why a ring could not be made: the system call that refused and its errno.
struct RingError {
  int error = 0;
  const char* system_call = "";
};

/// One io_uring without liburing: set-up, submission and completion queue, and io_uring_enter(2), io_uring_register(2).
class Ring {
 public:
  /// @param entries submission entries; the completion queue gets eight times as many, because one multishot operation
  /// yields many completions
  [[nodiscard]] static std::optional<Ring> make(unsigned entries, RingError& error);

  /// A zeroed submission entry, or null when the queue is full.
  [[nodiscard]] io_uring_sqe* next_entry() noexcept;

  [[nodiscard]] unsigned unsubmitted() const noexcept { return tail_ - submitted_; }

  /// Submits what was filled and runs pending task work. Returns 0 or an errno; EBUSY and EAGAIN mean: reap, then
  /// again.
  [[nodiscard]] int enter() noexcept;

  /// Oldest completion not yet seen, or null.
  [[nodiscard]] const io_uring_cqe* peek() const noexcept;
  void advance() noexcept;

  /// True when `enter` would bring completions: task work waits, or completions overflowed into the kernel's list.
  [[nodiscard]] bool work_waits() const noexcept;
  [[nodiscard]] bool overflowed() const noexcept;

  /// Completions signal the registered eventfd, or do not.
  void set_signalling(bool on) noexcept;

  [[nodiscard]] int register_eventfd(int descriptor) noexcept;
  [[nodiscard]] int register_buffers(void* ring, unsigned entries, unsigned group) noexcept;
  [[nodiscard]] bool supports(std::uint8_t opcode) const noexcept;

  [[nodiscard]] std::uint32_t features() const noexcept { return parameters_.features; }
  [[nodiscard]] unsigned entries() const noexcept { return parameters_.sq_entries; }
  [[nodiscard]] std::uint64_t system_calls() const noexcept { return system_calls_; }

 private:
  Ring() = default;
  [[nodiscard]] int map() noexcept;
  [[nodiscard]] int probe() noexcept;

  posix::Descriptor descriptor_;
  io_uring_params parameters_{};
  Mapping submission_;
  Mapping completion_;
  Mapping entries_;
  unsigned* sq_head_ = nullptr;
  unsigned* sq_tail_ = nullptr;
  unsigned* sq_flags_ = nullptr;
  unsigned* cq_head_ = nullptr;
  unsigned* cq_tail_ = nullptr;
  unsigned* cq_flags_ = nullptr;
  io_uring_sqe* sqes_ = nullptr;
  io_uring_cqe* cqes_ = nullptr;
  unsigned sq_mask_ = 0;
  unsigned cq_mask_ = 0;
  unsigned tail_ = 0;
  unsigned submitted_ = 0;
  std::uint64_t supported_[4] = {};
  std::uint64_t system_calls_ = 0;
};

}  // namespace iocp::uring
