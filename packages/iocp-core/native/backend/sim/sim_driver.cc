#include "backend/sim/sim_driver.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "backend/net/socket_system.h"
#include "backend/sim/random.h"

namespace iocp {
namespace {

constexpr std::size_t kReserveSlots = 1;
constexpr std::uint64_t kDelayReapsMax = 4;
constexpr std::size_t kEventsPerReap = 64;

std::uint64_t key_of(const Handle& handle) noexcept {
  return (std::uint64_t{handle.generation} << 32) | handle.index;
}

/// What the driver took away from a send so that it ends short.
struct Shortened {
  IoVector whole;                // the piece that was cut
  std::vector<IoVector> behind;  // the pieces after it
};

class SimDriver final : public Driver {
 public:
  SimDriver(std::unique_ptr<Driver> inner, const BufferSlots& slots, const FaultPlan& plan)
      : inner_(std::move(inner)), slots_(slots), plan_(plan), random_(plan.seed), raw_(kEventsPerReap) {}

  [[nodiscard]] const char* name() const noexcept override { return inner_->name(); }
  [[nodiscard]] std::vector<std::string> features() const override;
  [[nodiscard]] std::int32_t attach(Handle& handle) override { return inner_->attach(handle); }
  void start(Operation& operation) override;
  void cancel(Operation& operation) override {
    if (inside_.contains(&operation)) inner_->cancel(operation);
  }
  void close(Handle& handle, Operation& close) override;
  void provide(std::uint32_t slot) override;
  void flush() override { inner_->flush(); }
  [[nodiscard]] std::size_t reap(std::span<Event> events) override;
  [[nodiscard]] bool prepare_wait() override;
  [[nodiscard]] int wait_descriptor() const noexcept override { return inner_->wait_descriptor(); }
  void notify_with(std::function<void()> notify) override { inner_->notify_with(std::move(notify)); }
  void acknowledge() override { inner_->acknowledge(); }
  void wait(int milliseconds) override { inner_->wait(milliseconds); }
  void wake() noexcept override { inner_->wake(); }
  [[nodiscard]] DriverStats stats() const noexcept override { return inner_->stats(); }

 private:
  struct Delayed {
    Event event;
    std::uint64_t due;
  };

  void shorten(Operation& operation);
  void restore(Operation& operation);
  void take_in(Event event);
  void break_connection(const Handle& handle);
  void end_early(Operation& operation, std::int32_t error);
  void rewrite(Event& event);
  void split(Event& event);
  void release_reserve();
  void deliver(const Event& event);

  std::unique_ptr<Driver> inner_;
  const BufferSlots& slots_;
  FaultPlan plan_;
  Random random_;
  std::vector<Event> raw_;
  std::deque<Delayed> delayed_;
  std::uint64_t reaps_ = 0;
  std::vector<std::uint32_t> reserve_;  // slots for the second half of what is split
  std::unordered_map<Operation*, Shortened> shortened_;
  std::unordered_set<Operation*> inside_;                // what `inner_` has
  std::unordered_map<Operation*, std::int32_t> ending_;  // cancelled by us: the error it is to end with
  std::unordered_set<std::uint64_t> broken_;             // handles whose connection we broke
};

std::vector<std::string> SimDriver::features() const {
  std::vector<std::string> features = inner_->features();
  features.emplace_back("simulated-faults");
  return features;
}

void SimDriver::start(Operation& operation) {
  if (broken_.contains(key_of(*operation.handle))) {
    return deliver({.operation = &operation, .result = -error_number::kECONNRESET});
  }
  inside_.insert(&operation);
  if (operation.code == OpCode::Send && random_.chance(plan_.short_send)) shorten(operation);
  inner_->start(operation);
}

void SimDriver::shorten(Operation& operation) {
  Shortened shortened;
  IoVector* cut = &operation.vector;
  if (operation.gathered()) {
    auto& vectors = operation.gather->vectors;
    const std::size_t kept =
        operation.vector_first + 1 + random_.below(vectors.size() - operation.vector_first);
    shortened.behind.assign(vectors.begin() + static_cast<std::ptrdiff_t>(kept), vectors.end());
    vectors.resize(kept);
    cut = &vectors.back();
  }
  shortened.whole = *cut;
  if (cut->length > 1) cut->length = 1 + random_.below(cut->length - 1);
  shortened_.emplace(&operation, std::move(shortened));
}

void SimDriver::restore(Operation& operation) {
  const auto found = shortened_.find(&operation);
  if (found == shortened_.end()) return;
  const Shortened& shortened = found->second;
  if (operation.gathered()) {
    auto& vectors = operation.gather->vectors;
    vectors.back() = shortened.whole;
    vectors.insert(vectors.end(), shortened.behind.begin(), shortened.behind.end());
  } else {
    operation.vector = shortened.whole;
  }
  shortened_.erase(found);
}

void SimDriver::close(Handle& handle, Operation& close) {
  broken_.erase(key_of(handle));
  inner_->close(handle, close);
}

void SimDriver::provide(std::uint32_t slot) {
  if (plan_.short_recv > 0 && reserve_.size() < kReserveSlots) {
    reserve_.push_back(slot);
  } else {
    inner_->provide(slot);
  }
}

void SimDriver::release_reserve() {
  for (const std::uint32_t slot : reserve_) inner_->provide(slot);
  reserve_.clear();
}

std::size_t SimDriver::reap(std::span<Event> events) {
  ++reaps_;
  const std::size_t count = inner_->reap(raw_);
  for (std::size_t i = 0; i < count; ++i) take_in(raw_[i]);
  inner_->flush();  // cancels of ours
  std::size_t given = 0;
  for (auto delayed = delayed_.begin(); delayed != delayed_.end() && given < events.size();) {
    if (delayed->due > reaps_) {
      ++delayed;
      continue;
    }
    events[given++] = delayed->event;
    delayed = delayed_.erase(delayed);
  }
  return given;
}

bool SimDriver::prepare_wait() { return delayed_.empty() && inner_->prepare_wait(); }

void SimDriver::take_in(Event event) {
  Operation& operation = *event.operation;
  rewrite(event);
  if (operation.code == OpCode::Recv && event.result > 0) {
    if (random_.chance(plan_.short_recv)) split(event);
    if (random_.chance(plan_.no_buffers)) end_early(operation, -error_number::kENOBUFS);
  }
  // Datagrams arrive whole or not at all: no part of one is held back.
  if (operation.code == OpCode::RecvFrom && event.more && random_.chance(plan_.no_buffers)) {
    end_early(operation, -error_number::kENOBUFS);
  }
  if (operation.code == OpCode::Accept && event.result >= 0 && random_.chance(plan_.emfile)) {
    end_early(operation, -error_number::kEMFILE);
  }
  const bool moved_bytes =
      (operation.code == OpCode::Recv || operation.code == OpCode::Send) && event.result > 0;
  if (moved_bytes && random_.chance(plan_.reset)) break_connection(*operation.handle);
  deliver(event);
}

/// From here on everything on the handle fails. Its close, which has to follow, resets a TCP peer.
void SimDriver::break_connection(const Handle& handle) {
  if (!broken_.insert(key_of(handle)).second) return;
  net::NativeSocketSystem().set_abortive_close(handle.native);
  for (Operation* operation : inside_) {
    if (operation->handle == &handle) end_early(*operation, -error_number::kECONNRESET);
  }
}

/// Nothing that the kernel did is taken back: the operation is cancelled, and its last event then carries
/// `error`.
void SimDriver::end_early(Operation& operation, std::int32_t error) {
  if (inside_.contains(&operation) && ending_.emplace(&operation, error).second) inner_->cancel(operation);
}

void SimDriver::rewrite(Event& event) {
  Operation& operation = *event.operation;
  if (operation.code == OpCode::Send) restore(operation);
  if (!event.more) {
    inside_.erase(&operation);
    if (const auto ending = ending_.find(&operation); ending != ending_.end()) {
      if (event.result == -error_number::kECANCELED && !operation.cancel_requested)
        event.result = ending->second;
      ending_.erase(ending);
    }
  }
  if (event.result == -error_number::kENOBUFS) release_reserve();
  if (operation.handle == nullptr || !broken_.contains(key_of(*operation.handle))) return;
  const bool ended = operation.code == OpCode::Recv && event.result == 0;
  if (ended || event.result == -error_number::kEPIPE || event.result == -error_number::kENOTCONN) {
    event.result = -error_number::kECONNRESET;
  }
}

void SimDriver::split(Event& event) {
  if (event.result < 2 || event.slot < 0 || reserve_.empty()) return;
  const std::uint32_t second = reserve_.back();
  reserve_.pop_back();
  const auto bytes = static_cast<std::size_t>(event.result);
  const std::size_t first_bytes = 1 + random_.below(bytes - 1);
  std::memcpy(slots_.address(second), slots_.address(static_cast<std::uint32_t>(event.slot)) + first_bytes,
              bytes - first_bytes);
  Event first = event;
  first.result = static_cast<std::int32_t>(first_bytes);
  first.more = true;
  deliver(first);
  event.result -= first.result;
  event.slot = static_cast<std::int32_t>(second);
}

/// Events of one handle stay in order; those of different handles may overtake each other.
void SimDriver::deliver(const Event& event) {
  std::uint64_t due = reaps_ + (random_.chance(plan_.delay) ? 1 + random_.below(kDelayReapsMax) : 0);
  for (const Delayed& earlier : delayed_) {
    if (earlier.event.operation->handle == event.operation->handle) due = std::max(due, earlier.due);
  }
  delayed_.push_back({event, due});
}

}  // namespace

std::unique_ptr<Driver> make_sim_driver(std::unique_ptr<Driver> inner, const BufferSlots& slots,
                                        const FaultPlan& plan) {
  return std::make_unique<SimDriver>(std::move(inner), slots, plan);
}

}  // namespace iocp
