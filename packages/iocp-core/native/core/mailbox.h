#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace iocp {

/// A user completion sent to a port, possibly by another thread.
struct Mail {
  std::uint32_t token = 0;
  std::uint32_t generation = 0;
  std::int32_t value = 0;
};

/// Where other threads leave user completions for a port. Outlives the port as long as somebody holds it.
class Mailbox {
 public:
  explicit Mailbox(std::function<void()> wake) : wake_(std::move(wake)) {}

  /// What may wait at most: a port that has stopped must not fill the memory of those who post to it.
  static constexpr std::size_t kMailMax = 65536;

  /// Leaves a completion and wakes the port. False when the port has closed or the mailbox is full. Any thread.
  bool post(const Mail& mail) {
    const std::lock_guard lock(mutex_);
    if (!wake_ || mail_.size() >= kMailMax) return false;
    mail_.push_back(mail);
    if (!full_.exchange(true, std::memory_order_release)) wake_();
    return true;
  }

  /// True when there may be something to take. The port's thread.
  [[nodiscard]] bool full() const noexcept { return full_.load(std::memory_order_acquire); }

  /// Takes everything. The port's thread.
  [[nodiscard]] std::vector<Mail> take() {
    const std::lock_guard lock(mutex_);
    full_.store(false, std::memory_order_relaxed);
    return std::exchange(mail_, {});
  }

  /// After this nothing is taken any more and the wake function is never called again.
  void close() {
    const std::lock_guard lock(mutex_);
    wake_ = nullptr;
  }

 private:
  std::mutex mutex_;
  std::function<void()> wake_;
  std::vector<Mail> mail_;
  std::atomic<bool> full_{false};
};

}  // namespace iocp
