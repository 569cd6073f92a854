#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "core/doorbell.h"
#include "core/handover.h"
#include "core/mailbox.h"
#include "test/harness.h"
#include "test/unit_tests.h"

namespace iocp::test {
namespace {

constexpr int kPatienceMs = 20000;

struct Item {
  Item* handover_next = nullptr;
  std::uint32_t number = 0;
};

std::vector<Item> numbered(std::uint32_t count) {
  std::vector<Item> items(count);
  for (std::uint32_t i = 0; i < count; ++i) items[i].number = i;
  return items;
}

/// Chains items `first` to `last` as a giver does.
bool give(Handover<Item>& handover, std::vector<Item>& items, std::size_t first, std::size_t last) {
  for (std::size_t i = first + 1; i <= last; ++i) items[i].handover_next = &items[i - 1];
  return handover.give(items[last], items[first]);
}

std::vector<std::uint32_t> numbers_of(const Item* item) {
  std::vector<std::uint32_t> numbers;
  for (; item != nullptr; item = item->handover_next) numbers.push_back(item->number);
  return numbers;
}

void what_is_given_is_taken_in_order() {
  Handover<Item> handover;
  std::vector<Item> items = numbered(6);
  check(handover.take() == nullptr, "there is nothing at first");
  check(!give(handover, items, 0, 2) && !give(handover, items, 3, 3), "nobody sleeps");
  check(numbers_of(handover.take()) == std::vector<std::uint32_t>({0, 1, 2, 3}), "all, oldest first");
  check(!give(handover, items, 4, 5), "nobody sleeps");
  check(numbers_of(handover.take()) == std::vector<std::uint32_t>({4, 5}), "what came since");
  check(handover.take() == nullptr, "nothing is taken twice");
}

void a_sleeper_is_woken_once() {
  Handover<Item> handover;
  std::vector<Item> items = numbered(3);
  check(handover.sleep(), "with nothing given it sleeps");
  check(handover.sleep(), "it may say so again");
  check(give(handover, items, 0, 0), "the first giver wakes it");
  check(!give(handover, items, 1, 1), "the second does not");
  check(!handover.wake(), "nor does who only wakes");
  check(!handover.sleep(), "with something given it does not sleep");
  check(numbers_of(handover.take()) == std::vector<std::uint32_t>({0, 1}), "both are taken");
  check(handover.sleep(), "it sleeps again");
  check(handover.take() == nullptr, "it looks without being woken");
  check(!give(handover, items, 2, 2), "who is awake is not woken");
}

void a_wake_without_items_is_not_lost() {
  Handover<Item> handover;
  std::vector<Item> items = numbered(1);
  check(!handover.wake(), "nobody sleeps");
  check(!handover.sleep(), "the wake counts");
  check(handover.take() == nullptr, "nothing was given");
  check(handover.sleep(), "the wake counts once");
  check(handover.wake(), "it wakes");
  check(!handover.wake(), "it wakes once");
  check(!give(handover, items, 0, 0), "it is awake");
  check(numbers_of(handover.take()) == std::vector<std::uint32_t>({0}), "what was given is taken");
}

/// A thread that gives, in batches of changing size, and one that wakes, against one that takes and sleeps.
void threads_lose_nothing() {
  constexpr std::uint32_t kItems = 2'000'000;
  constexpr std::uint32_t kBatches = 7;
  Handover<Item> handover;
  Doorbell bell;
  std::vector<Item> items = numbered(kItems);
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> rings{0};
  const auto ring = [&](bool asleep) {
    if (!asleep) return;
    rings.fetch_add(1, std::memory_order_relaxed);
    bell.ring();
  };
  std::thread giver([&] {
    for (std::uint32_t first = 0; first < kItems;) {
      const std::uint32_t last = std::min(first + first % kBatches, kItems - 1);
      ring(give(handover, items, first, last));
      first = last + 1;
    }
  });
  std::thread waker([&] {
    while (!done.load(std::memory_order_relaxed)) {
      ring(handover.wake());
      std::this_thread::yield();
    }
  });
  std::uint32_t expected = 0;
  std::uint64_t sleeps = 0;
  bool in_order = true;
  bool missed = false;
  while (expected < kItems && in_order && !missed) {
    for (const Item* item = handover.take(); item != nullptr; item = item->handover_next) {
      in_order = in_order && item->number == expected;
      ++expected;
    }
    if (expected == kItems || !handover.sleep()) continue;
    ++sleeps;
    missed = !bell.wait(kPatienceMs);
  }
  done.store(true, std::memory_order_relaxed);
  giver.join();
  waker.join();
  check(in_order, "the items come in order");
  check(!missed, "who sleeps is woken");
  check_equal(expected, kItems, "the number of items");
  check(rings.load() <= sleeps, "nobody is woken more often than it sleeps");
}

/// One giver and no one else who could make up for a wake-up that was missed; every item needs one.
void no_wake_up_is_missed() {
  constexpr std::uint32_t kRounds = 20'000;
  Handover<Item> handover;
  Handover<Item> answers;
  Doorbell bell;
  Doorbell answered;
  std::vector<Item> items = numbered(kRounds);
  std::vector<Item> replies = numbered(kRounds);
  const auto exchange = [](Handover<Item>& from, Doorbell& mine) {
    for (;;) {
      if (from.take() != nullptr) return true;
      if (from.sleep() && !mine.wait(kPatienceMs)) return false;
    }
  };
  std::atomic<std::uint32_t> failures{0};
  std::thread other([&] {
    for (std::uint32_t i = 0; i < kRounds; ++i) {
      if (!exchange(handover, bell)) {
        failures.fetch_add(1);
        return;
      }
      if (answers.give(replies[i], replies[i])) answered.ring();
    }
  });
  for (std::uint32_t i = 0; i < kRounds && failures.load() == 0; ++i) {
    if (handover.give(items[i], items[i])) bell.ring();
    if (!exchange(answers, answered)) failures.fetch_add(1);
  }
  other.join();
  check_equal(failures.load(), 0U, "the number of wake-ups that were missed");
}

/// `wake` says that something was done before it: whoever looks afterwards sees it.
void what_came_before_a_wake_is_seen() {
  constexpr std::uint32_t kLetters = 200'000;
  Handover<Item> handover;
  Doorbell bell;
  Mailbox mailbox([&] {
    if (handover.wake()) bell.ring();
  });
  std::thread writer([&] {
    for (std::uint32_t i = 0; i < kLetters;) {
      if (mailbox.post({.token = i})) {
        ++i;
      } else {
        std::this_thread::yield();  // it is full
      }
    }
  });
  std::uint32_t expected = 0;
  bool in_order = true;
  bool missed = false;
  while (expected < kLetters && in_order && !missed) {
    static_cast<void>(handover.take());
    if (mailbox.full()) {
      for (const Mail& mail : mailbox.take()) in_order = in_order && mail.token == expected++;
    } else if (handover.sleep()) {
      missed = !bell.wait(kPatienceMs);
    }
  }
  writer.join();
  check(in_order, "the letters come in order");
  check(!missed, "who sleeps is woken");
  check_equal(expected, kLetters, "the number of letters");
}

void a_bell_calls_nobody_who_has_left() {
  Doorbell bell;
  std::atomic<bool> stop{false};
  std::thread ringer([&] {
    do bell.ring();
    while (!stop.load(std::memory_order_relaxed));
  });
  bool called_late = false;
  for (int i = 0; i < 1000; ++i) {
    auto left = std::make_unique<bool>(false);
    bell.notify_with([&called_late, here = left.get()] { called_late = called_late || *here; });
    std::this_thread::yield();
    bell.notify_with({});
    *left = true;
  }
  stop.store(true, std::memory_order_relaxed);
  ringer.join();
  check(!called_late, "nobody is called who has left");
  check(bell.wait(0), "a ring that nobody waited for counts");
  check(!bell.wait(0), "once");
}

}  // namespace

void add_handover_tests(std::vector<TestCase>& tests) {
  tests.push_back({"handover: what is given is taken in order", what_is_given_is_taken_in_order});
  tests.push_back({"handover: a sleeper is woken once", a_sleeper_is_woken_once});
  tests.push_back({"handover: a wake without items is not lost", a_wake_without_items_is_not_lost});
  tests.push_back({"handover: threads lose nothing", threads_lose_nothing});
  tests.push_back({"handover: no wake-up is missed", no_wake_up_is_missed});
  tests.push_back({"handover: what came before a wake is seen", what_came_before_a_wake_is_seen});
  tests.push_back({"handover: a bell calls nobody who has left", a_bell_calls_nobody_who_has_left});
}

}  // namespace iocp::test
