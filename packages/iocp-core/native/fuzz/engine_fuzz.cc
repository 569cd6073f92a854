#include "fuzz/engine_fuzz.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/engine.h"
#include "test/scripted_driver.h"

namespace iocp::fuzz {
namespace {

constexpr std::uint32_t kSlotBytes = 64;
constexpr std::uint32_t kSlots = 6;
constexpr std::uint32_t kTokens = 24;  // few, so that they are used again and again
constexpr NativeHandle kFirstDescriptor = 100;
constexpr std::size_t kHandlesMax = 64;

using Record = std::array<std::int32_t, kRecordWords>;

[[noreturn]] void broken(const std::string& rule) {
  std::fprintf(stderr, "broken: %s\n", rule.c_str());
  std::abort();
}

void require(bool kept, const char* rule) {
  if (!kept) broken(rule);
}

/// Reads decisions from bytes; zeros when they are used up.
class Decisions {
 public:
  explicit Decisions(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  [[nodiscard]] bool over() const noexcept { return bytes_.empty(); }
  [[nodiscard]] std::uint32_t byte() noexcept {
    if (bytes_.empty()) return 0;
    const std::uint8_t value = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return value;
  }
  [[nodiscard]] std::uint32_t below(std::size_t bound) noexcept {
    return byte() % static_cast<std::uint32_t>(bound);
  }
  [[nodiscard]] bool one_in(std::uint32_t n) noexcept { return below(n) == n - 1; }

 private:
  std::span<const std::uint8_t> bytes_;
};

/// What is known about a token on the side of JavaScript.
struct TokenModel {
  bool in_flight = false;
  std::uint32_t generation = 0;
  OpCode code = OpCode::None;
  std::uint32_t handle = 0;  // place in `handles_`, for Close
};

class Session {
 public:
  explicit Session(std::span<const std::uint8_t> bytes) : decisions_(bytes) {
    auto driver = std::make_unique<test::ScriptedDriver>(slots_, broken);
    driver_ = driver.get();
    engine_ = std::make_unique<Engine>(std::move(driver), system_, slots_);
  }

  void run() {
    while (!decisions_.over()) step();
    engine_->close();
    collect_everything();
    check_end();
  }

 private:
  void step();
  void adopt();
  void submit_operation();
  void submit_record(Record record, std::span<const std::int32_t> segments = {});
  void submit_send(Record record);
  void submit_other();
  void something_happens();
  void happens_to(Operation& operation);
  void collect(std::size_t max);
  void collect_everything();
  void read(const Record& record);
  void check_end() const;
  [[nodiscard]] std::uint32_t held_slots() const;
  [[nodiscard]] HandleRef any_handle();
  [[nodiscard]] std::int32_t any_number(std::int32_t bound);

  Decisions decisions_;
  alignas(64) std::array<std::byte, std::size_t{kSlotBytes} * kSlots> memory_{};
  std::array<std::byte, 256> pinned_{};
  BufferSlots slots_{memory_.data(), kSlotBytes, kSlots};
  test::ScriptedSystem system_;
  test::ScriptedDriver* driver_ = nullptr;
  std::unique_ptr<Engine> engine_;
  std::array<TokenModel, kTokens> tokens_{};
  std::array<bool, kSlots> provided_{};  // JavaScript has given it
  std::vector<HandleRef> handles_;       // all that were ever made
  std::set<std::pair<std::uint32_t, std::uint32_t>> open_;
  NativeHandle next_descriptor_ = kFirstDescriptor;
  std::size_t made_ = 0;  // descriptors that joined
};

void Session::step() {
  switch (decisions_.below(8)) {
    case 0: return adopt();
    case 1:
    case 2: return submit_operation();
    case 3: return submit_other();
    case 4: return engine_->flush();
    case 5: return collect(decisions_.below(8));
    default: return something_happens();
  }
}

void Session::adopt() {
  if (open_.size() >= kHandlesMax) return;
  driver_->refuse_attach(decisions_.one_in(8) ? -error_number::kENOMEM : 0);
  HandleRef handle;
  auto remote = decisions_.one_in(2) ? std::make_unique<AddressBytes>() : nullptr;
  if (engine_->adopt(next_descriptor_, std::move(remote), handle) == 0) {
    ++next_descriptor_;
    ++made_;
    handles_.push_back(handle);
    require(open_.emplace(handle.index, handle.generation).second, "a new handle is not like an open one");
  }
  driver_->refuse_attach(0);
}

HandleRef Session::any_handle() {
  if (handles_.empty() || decisions_.one_in(16)) return {decisions_.byte(), decisions_.byte()};
  // Rather a young one: the old ones are closed.
  const std::size_t back = decisions_.below(std::min<std::size_t>(handles_.size(), 8));
  return handles_[handles_.size() - 1 - back];
}

/// A number around 0 to `bound`, sometimes outside.
std::int32_t Session::any_number(std::int32_t bound) {
  return static_cast<std::int32_t>(decisions_.below(static_cast<std::size_t>(bound) + 3)) - 1;
}

void Session::submit_operation() {
  const auto code = static_cast<OpCode>(1 + decisions_.below(6));
  const HandleRef handle = any_handle();
  const std::uint32_t index = decisions_.below(kTokens);
  Record record{};
  const std::uint32_t flags = code == OpCode::Close ? decisions_.below(2) : 0;
  record[submission_word::kCode] = static_cast<std::int32_t>(static_cast<std::uint32_t>(code) | (flags << 8));
  record[submission_word::kToken] = static_cast<std::int32_t>(index);
  record[submission_word::kTokenGeneration] = static_cast<std::int32_t>(tokens_[index].generation + 1);
  record[submission_word::kHandle] = static_cast<std::int32_t>(handle.index);
  record[submission_word::kHandleGeneration] = static_cast<std::int32_t>(handle.generation);
  if (code == OpCode::Send) return submit_send(record);
  submit_record(record);
}

void Session::submit_send(Record record) {
  const std::uint32_t count = decisions_.below(5);
  record[submission_word::kCode] |= static_cast<std::int32_t>(count << 16);
  std::array<std::int32_t, kRecordWords * 3> segments{};
  for (std::uint32_t i = 0; i < std::max(count, 1U); ++i) {
    std::int32_t* const words = count > 1 ? &segments[i * (kRecordWords / 2)] : &record[submission_word::kA];
    words[segment_word::kPin] = decisions_.one_in(3) ? any_number(2) : -1;
    words[segment_word::kOffset] = any_number(static_cast<std::int32_t>(kSlotBytes));
    words[segment_word::kLength] = any_number(120);
  }
  submit_record(record, {segments.data(), count > 1 ? (count + 1) / 2 * kRecordWords : 0});
}

void Session::submit_record(Record record, std::span<const std::int32_t> segments) {
  const auto index = static_cast<std::uint32_t>(record[submission_word::kToken]);
  TokenModel& token = tokens_[index];
  if (token.in_flight) {
    // A token in use is refused as long as its operation has not settled; afterwards JavaScript has to read
    // that first.
    const auto& waiting = driver_->waiting();
    const bool unsettled =
        std::ranges::any_of(waiting, [index](const Operation* other) { return other->index == index; });
    if (!unsettled) return;
  } else {
    token.in_flight = true;
    token.generation = static_cast<std::uint32_t>(record[submission_word::kTokenGeneration]);
    token.code = static_cast<OpCode>(record[submission_word::kCode] & 0xff);
  }
  std::vector<std::int32_t> words(record.begin(), record.end());
  words.insert(words.end(), segments.begin(), segments.end());
  engine_->submit(words.data(), static_cast<std::int32_t>(words.size() / kRecordWords));
}

void Session::submit_other() {
  Record record{};
  const auto set = [&record](OpCode code) {
    record[submission_word::kCode] = static_cast<std::int32_t>(code);
  };
  switch (decisions_.below(6)) {
    case 0: {
      set(OpCode::Cancel);
      const std::uint32_t index = decisions_.below(kTokens + 1);
      const std::uint32_t known = index < kTokens ? tokens_[index].generation : 0;
      record[submission_word::kToken] = static_cast<std::int32_t>(index);
      record[submission_word::kTokenGeneration] =
          static_cast<std::int32_t>(known) - (decisions_.one_in(6) ? 1 : 0);
      break;
    }
    case 1: {
      const std::uint32_t index = decisions_.below(kTokens);
      record[submission_word::kCode] = static_cast<std::int32_t>(OpCode::Post);
      record[submission_word::kToken] = static_cast<std::int32_t>(index);
      record[submission_word::kTokenGeneration] = static_cast<std::int32_t>(tokens_[index].generation + 1);
      return submit_record(record);
    }
    case 2: {
      set(decisions_.one_in(3) ? OpCode::Unpin : OpCode::Discard);
      record[submission_word::kA] = any_number(kSlots);
      break;
    }
    case 3: {
      static_cast<void>(engine_->pin(pinned_.data(), pinned_.size()));
      return;
    }
    default: {
      set(OpCode::Provide);
      const std::int32_t slot = any_number(kSlots);
      record[submission_word::kA] = slot;
      if (slot >= 0 && slot < static_cast<std::int32_t>(kSlots)) {
        bool& provided = provided_[static_cast<std::size_t>(slot)];
        // Giving a slot twice is refused, unless it is filled and JavaScript has not read that yet.
        if (provided && driver_->provided() < held_slots()) return;
        provided = true;
      }
    }
  }
  engine_->submit(record.data(), 1);
}

void Session::something_happens() {
  const std::vector<Operation*>& waiting = driver_->waiting();
  if (!waiting.empty()) happens_to(*waiting[decisions_.below(waiting.size())]);
}

void Session::happens_to(Operation& operation) {
  constexpr std::array kErrors = {-error_number::kECONNRESET, -error_number::kEPIPE, -error_number::kENOBUFS,
                                  -error_number::kEMFILE, -error_number::kECANCELED};
  if (operation.code == OpCode::Close) return driver_->finish(operation, 0);
  if (driver_->canceled(operation) && decisions_.one_in(2)) {
    return driver_->finish(operation, -error_number::kECANCELED);
  }
  if (decisions_.one_in(5)) return driver_->finish(operation, kErrors[decisions_.below(kErrors.size())]);
  const bool more = !decisions_.one_in(4);
  switch (operation.code) {
    case OpCode::Recv: {
      const auto bytes = static_cast<std::int32_t>(decisions_.below(kSlotBytes + 1));
      return bytes == 0 ? driver_->finish(operation, 0) : driver_->receive(operation, bytes, more);
    }
    case OpCode::Accept:
      if (handles_.size() > 4096) return driver_->finish(operation, -error_number::kENFILE);
      ++made_;
      return driver_->accept(operation, next_descriptor_++, more);
    case OpCode::Send: {
      const std::int32_t left = operation.bytes_total - operation.bytes_done;
      const std::uint32_t part = decisions_.byte();
      return driver_->finish(operation, part > 128 ? left : static_cast<std::int32_t>(part) * left / 128);
    }
    default: return driver_->finish(operation, 0);
  }
}

void Session::collect(std::size_t max) {
  std::array<Record, 16> records{};
  driver_->refuse_attach(decisions_.one_in(8) ? -error_number::kENOMEM : 0);
  const std::size_t count = engine_->collect(records.front().data(), max);
  driver_->refuse_attach(0);
  require(count <= max, "a batch is not larger than its room");
  for (std::size_t i = 0; i < count; ++i) read(records[i]);
}

void Session::collect_everything() {
  for (std::array<Record, 16> records{};;) {
    const std::size_t count = engine_->collect(records.front().data(), records.size());
    for (std::size_t i = 0; i < count; ++i) read(records[i]);
    if (count == 0) return;
  }
}

void Session::read(const Record& record) {
  const auto index = static_cast<std::size_t>(record[completion_word::kToken]);
  require(index < kTokens, "a completion names a token that exists");
  TokenModel& token = tokens_[index];
  const std::int32_t flags = record[completion_word::kCode] >> 8;
  require(token.in_flight, "a completion names a token that is in flight");
  require(token.generation == static_cast<std::uint32_t>(record[completion_word::kTokenGeneration]),
          "a completion has the generation of its token");
  require(token.code == static_cast<OpCode>(record[completion_word::kCode] & 0xff),
          "a completion has the code of its operation");
  if ((flags & complete_flag::kSlot) != 0) {
    const auto slot = static_cast<std::size_t>(record[completion_word::kValue]);
    require(slot < kSlots && provided_[slot], "a filled slot was provided");
    provided_[slot] = false;
  }
  if ((flags & complete_flag::kHandle) != 0) {
    const HandleRef handle{static_cast<std::uint32_t>(record[completion_word::kValue]),
                           static_cast<std::uint32_t>(record[completion_word::kExtra])};
    handles_.push_back(handle);
    require(open_.emplace(handle.index, handle.generation).second,
            "an accepted handle is not like an open one");
  }
  if ((flags & complete_flag::kMore) == 0) token.in_flight = false;
  std::erase_if(open_, [this](const auto& handle) {
    return engine_->find({handle.first, handle.second}) == nullptr;
  });
}

std::uint32_t Session::held_slots() const {
  return static_cast<std::uint32_t>(std::count(provided_.begin(), provided_.end(), true));
}

void Session::check_end() const {
  for (const TokenModel& token : tokens_) require(!token.in_flight, "every operation settles");
  const EngineStats stats = engine_->stats();
  require(stats.operations == 0, "no operation is left");
  require(stats.handles == 0, "no handle is left");
  require(stats.parked == 0, "no parked receive is left");
  require(stats.kernel_slots == held_slots() && driver_->provided() == held_slots(),
          "every slot is where it should be");
  std::vector<NativeHandle> closed = system_.closed();
  closed.insert(closed.end(), driver_->closed().begin(), driver_->closed().end());
  std::sort(closed.begin(), closed.end());
  require(std::adjacent_find(closed.begin(), closed.end()) == closed.end(), "a descriptor is closed once");
  require(closed.size() == made_, "every descriptor is closed");
}

}  // namespace

void fuzz_engine(std::span<const std::uint8_t> bytes) { Session(bytes).run(); }

}  // namespace iocp::fuzz
