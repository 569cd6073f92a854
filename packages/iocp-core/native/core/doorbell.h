#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <utility>

namespace iocp {

/// Wakes a sleeping thread: by a function that was given, and out of `wait`. Takes a lock, so it is for those who know
/// that the other one sleeps (see `Handover`).
class Doorbell {
 public:
  /// Any thread.
  void ring() {
    const std::lock_guard lock(mutex_);
    rung_ = true;
    changed_.notify_one();
    if (notify_) notify_();
  }

  /// What `ring` calls, on the thread that rings. Once this has returned, what was given before is not called any more.
  void notify_with(std::function<void()> notify) {
    const std::lock_guard lock(mutex_);
    notify_ = std::move(notify);
  }

  /// Waits for a ring, for `milliseconds` at most. A ring that nobody waited for counts. False when there was none.
  bool wait(int milliseconds) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(milliseconds), [this] { return rung_; });
    return std::exchange(rung_, false);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> notify_;
  bool rung_ = false;
};

}  // namespace iocp
