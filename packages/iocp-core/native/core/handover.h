#pragma once

#include <atomic>
#include <cstdint>

namespace iocp {

/// Hands items from other threads to one thread: without a lock, without memory of its own, without a limit. The items
/// are chained through their member `Item* handover_next`, which is the handover's from `give` to `take`.
///
/// The whole state is one word: a chain of items, newest first, or one of three marks for an empty one. That the taker
/// sleeps is such a mark, so that whoever gives something cannot miss it, and only the first one finds it.
template <typename Item>
class Handover {
 public:
  /// Gives a chain: `newest`, and through `handover_next` everything down to `oldest`, whose link is overwritten. Any
  /// thread. True when the taker sleeps: the caller wakes it. Nobody else is told so before it has slept again.
  [[nodiscard]] bool give(Item& newest, Item& oldest) noexcept {
    std::uintptr_t before = state_.load(std::memory_order_relaxed);
    do {
      oldest.handover_next = chain(before);
      // Release: the taker sees the items as they are now. It sees older items too, because a read-modify-write goes
      // on with the release sequence of those who gave them.
    } while (!state_.compare_exchange_weak(before, reinterpret_cast<std::uintptr_t>(&newest),
                                           std::memory_order_release, std::memory_order_relaxed));
    return before == kAsleep;
  }

  /// Makes the next `sleep` fail as if something had been given. Any thread. True as in `give`.
  [[nodiscard]] bool wake() noexcept {
    std::uintptr_t before = state_.load(std::memory_order_relaxed);
    // Written also when nothing changes: what the caller did before is then seen by the taker after its `take`.
    while (!state_.compare_exchange_weak(before, before <= kWoken ? kWoken : before,
                                         std::memory_order_release, std::memory_order_relaxed)) {
    }
    return before == kAsleep;
  }

  /// Takes everything, oldest first, chained through `handover_next`; null when there is nothing. The taker is awake
  /// from here on. The taker's thread.
  [[nodiscard]] Item* take() noexcept {
    Item* newest = chain(state_.exchange(kAwake, std::memory_order_acquire));
    Item* oldest = nullptr;
    while (newest != nullptr) {
      Item* const next = newest->handover_next;
      newest->handover_next = oldest;
      oldest = newest;
      newest = next;
    }
    return oldest;
  }

  /// The taker is about to sleep. False when something was given, or `wake` called, since the last `take`. The taker's
  /// thread.
  [[nodiscard]] bool sleep() noexcept {
    std::uintptr_t expected = kAwake;
    // Relaxed: the mark carries nothing but itself.
    return state_.compare_exchange_strong(expected, kAsleep, std::memory_order_relaxed) ||
           expected == kAsleep;
  }

 private:
  static constexpr std::uintptr_t kAwake = 0;
  static constexpr std::uintptr_t kAsleep = 1;
  static constexpr std::uintptr_t kWoken = 2;  // nothing given, but the taker has to look

  [[nodiscard]] static Item* chain(std::uintptr_t state) noexcept {
    static_assert(alignof(Item) > kWoken, "the marks are no addresses of items");
    return state <= kWoken ? nullptr : reinterpret_cast<Item*>(state);
  }

  std::atomic<std::uintptr_t> state_{kAwake};
};

}  // namespace iocp
