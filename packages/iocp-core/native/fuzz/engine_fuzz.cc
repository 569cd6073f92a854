#include "fuzz/engine_fuzz.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/engine.h"
#include "test/scripted_driver.h"

namespace iocp::fuzz {
namespace {

constexpr std::uint32_t kRoom = 64;  // in a slot, behind the header of a datagram
constexpr std::uint32_t kSlotBytes = limit::kDatagramOffset + kRoom;
constexpr std::uint32_t kSlots = 6;
constexpr std::uint32_t kTokens = 24;  // few, so that they are used again and again
constexpr NativeHandle kFirstDescriptor = 100;
constexpr std::size_t kHandlesMax = 64;
constexpr std::uint32_t kFewDatagrams = 5;
constexpr std::size_t kDatagramWords = std::size_t{kRecordWords} * 2;

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
  HandleRef handle;
  bool started = false;  // it got to the driver
  bool told_to_end = false;

  // SendTo
  std::uint32_t datagrams = 0;
  std::int32_t taken = 0;                // by the system
  std::uint32_t refused = 0;             // by the system
  std::int32_t error = 0;                // with which the driver has ended it
  std::set<std::int32_t> known_refused;  // of which JavaScript has read
};

class Session {
 public:
  explicit Session(std::span<const std::uint8_t> bytes) : decisions_(bytes) {
    auto driver = std::make_unique<test::ScriptedDriver>(slots_, broken);
    driver_ = driver.get();
    engine_ = std::make_unique<Engine>(std::move(driver), system_, slots_);
  }

  void run() {
    const bool comes_back = !decisions_.one_in(8);
    while (!decisions_.over()) step();
    driver_->end_canceled_on_wait(comes_back);
    for (const HandleRef& handle : handles_) tell_to_end(handle);
    engine_->close();
    gave_up_ = !comes_back;
    while (!driver_->waiting().empty()) come_back_late(*driver_->waiting().front());
    collect_everything();
    check_end();
  }

 private:
  void step();
  void adopt();
  void submit_operation();
  void submit_record(Record record, std::span<const std::int32_t> segments = {});
  void submit_send(Record record);
  void submit_send_to(Record record, HandleRef handle);
  void submit_cut_off(const std::vector<std::int32_t>& words);
  void submit_other();
  void submit_cancel();
  void write_segment(std::int32_t* words);
  [[nodiscard]] bool names_memory(const std::int32_t* words, IoVector& out);
  void tell_to_end(HandleRef handle);
  [[nodiscard]] const Operation* waiting(std::uint32_t index) const;
  void something_happens();
  void happens_to(Operation& operation);
  void happens_to_send_to(Operation& operation);
  void come_back_late(Operation& operation);
  void collect(std::size_t max);
  void collect_everything();
  void read(const Record& record);
  void read_send_to(TokenModel& token, const Record& record);
  void check_end() const;
  [[nodiscard]] std::uint32_t held_slots() const;
  [[nodiscard]] HandleRef any_handle();
  [[nodiscard]] OpCode any_code(HandleRef handle);
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
  std::set<std::int32_t> pins_;
  std::vector<HandleRef> handles_;  // all that were ever made
  std::set<std::pair<std::uint32_t, std::uint32_t>> open_;
  NativeHandle next_descriptor_ = kFirstDescriptor;
  std::size_t made_ = 0;  // descriptors that joined
  bool gave_up_ = false;  // the port is closed, and not everything had come back
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
  constexpr std::array kKinds = {SocketKind::Stream, SocketKind::DatagramIpv4, SocketKind::DatagramIpv6};
  const SocketKind kind = kKinds[decisions_.below(kKinds.size())];
  if (engine_->adopt(next_descriptor_, std::move(remote), handle, kind) == 0) {
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

/// Rather one that is possible on the handle.
OpCode Session::any_code(HandleRef handle) {
  constexpr std::array kAll = {OpCode::Accept,   OpCode::Connect, OpCode::Recv,     OpCode::Send,
                               OpCode::Shutdown, OpCode::Close,   OpCode::RecvFrom, OpCode::SendTo};
  constexpr std::array kStreams = {OpCode::Accept, OpCode::Connect,  OpCode::Recv,
                                   OpCode::Send,   OpCode::Shutdown, OpCode::Close};
  constexpr std::array kDatagrams = {OpCode::RecvFrom, OpCode::SendTo, OpCode::RecvFrom,
                                     OpCode::SendTo,   OpCode::SendTo, OpCode::Close};
  const Handle* const found = engine_->find(handle);
  if (found == nullptr || decisions_.one_in(8)) return kAll[decisions_.below(kAll.size())];
  return found->kind == SocketKind::Stream ? kStreams[decisions_.below(kStreams.size())]
                                           : kDatagrams[decisions_.below(kDatagrams.size())];
}

void Session::submit_operation() {
  const HandleRef handle = any_handle();
  const OpCode code = any_code(handle);
  const std::uint32_t index = decisions_.below(kTokens);
  Record record{};
  const std::uint32_t flags = code == OpCode::Close ? decisions_.below(2) : 0;
  record[submission_word::kCode] = static_cast<std::int32_t>(static_cast<std::uint32_t>(code) | (flags << 8));
  record[submission_word::kToken] = static_cast<std::int32_t>(index);
  record[submission_word::kTokenGeneration] = static_cast<std::int32_t>(tokens_[index].generation + 1);
  record[submission_word::kHandle] = static_cast<std::int32_t>(handle.index);
  record[submission_word::kHandleGeneration] = static_cast<std::int32_t>(handle.generation);
  if (code == OpCode::Send) return submit_send(record);
  if (code == OpCode::SendTo) return submit_send_to(record, handle);
  const bool closes = code == OpCode::Close && !tokens_[index].in_flight && engine_->find(handle) != nullptr;
  submit_record(record);
  if (closes) tell_to_end(handle);
}

/// Everything on the handle may end early from now on.
void Session::tell_to_end(HandleRef handle) {
  for (TokenModel& token : tokens_) {
    const bool here = token.handle.index == handle.index && token.handle.generation == handle.generation;
    if (token.in_flight && here) token.told_to_end = true;
  }
}

/// A piece of memory, mostly one that exists.
void Session::write_segment(std::int32_t* words) {
  const std::int32_t pin = decisions_.one_in(3) ? any_number(2) : -1;
  const std::size_t size = pin < 0 ? memory_.size() : pinned_.size();
  words[segment_word::kPin] = pin;
  words[segment_word::kOffset] = any_number(static_cast<std::int32_t>(kRoom));
  words[segment_word::kLength] = any_number(120);
  switch (decisions_.below(24)) {
    // Close to the end, on either side of it.
    case 0: words[segment_word::kOffset] = static_cast<std::int32_t>(size) + 2 - any_number(120); break;
    case 1: words[segment_word::kLength] = std::numeric_limits<std::int32_t>::max(); break;
    case 2: words[segment_word::kOffset] = std::numeric_limits<std::int32_t>::max(); break;
    default: break;
  }
}

/// What the engine is to make of a segment.
bool Session::names_memory(const std::int32_t* words, IoVector& out) {
  const std::int64_t offset = words[segment_word::kOffset];
  const std::int64_t length = words[segment_word::kLength];
  const std::int32_t pin = words[segment_word::kPin];
  if (pin >= 0 && !pins_.contains(pin)) return false;
  const std::span<std::byte> memory =
      pin >= 0 ? std::span<std::byte>(pinned_) : std::span<std::byte>(memory_);
  if (offset < 0 || length < 0 || offset + length > static_cast<std::int64_t>(memory.size())) return false;
  out = {memory.data() + offset, static_cast<std::size_t>(length)};
  return true;
}

void Session::submit_send(Record record) {
  const std::uint32_t count = decisions_.below(5);
  record[submission_word::kCode] |= static_cast<std::int32_t>(count << 16);
  std::array<std::int32_t, kRecordWords * 3> segments{};
  for (std::uint32_t i = 0; i < std::max(count, 1U); ++i) {
    write_segment(count > 1 ? &segments[i * (kRecordWords / 2)] : &record[submission_word::kA]);
  }
  submit_record(record, {segments.data(), count > 1 ? (count + 1) / 2 * kRecordWords : 0});
}

void Session::submit_send_to(Record record, HandleRef handle) {
  const std::uint32_t count = decisions_.one_in(64) ? limit::kDatagramsMax + decisions_.below(2)
                                                    : decisions_.below(kFewDatagrams + 1);
  std::vector<std::int32_t> datagrams(count * kDatagramWords);
  std::vector<IoVector> payloads(count);
  bool good = count > 0 && count <= limit::kDatagramsMax;
  for (std::uint32_t i = 0; i < count; ++i) {
    std::int32_t* const words = &datagrams[i * kDatagramWords];
    if (i < kFewDatagrams) {
      write_segment(words);
    } else {
      words[outgoing_word::kPin] = -1;
    }
    words[outgoing_word::kControl] = static_cast<std::int32_t>(i);
    good = names_memory(words, payloads[i]) && good;
  }
  const std::uint32_t told = decisions_.one_in(16) ? count + 1 + decisions_.below(3) : count;
  record[submission_word::kCode] |= static_cast<std::int32_t>(told << 16);
  if (told > count) {
    std::vector<std::int32_t> words(record.begin(), record.end());
    words.insert(words.end(), datagrams.begin(), datagrams.end());
    return submit_cut_off(words);
  }
  TokenModel& token = tokens_[static_cast<std::size_t>(record[submission_word::kToken])];
  const bool used = token.in_flight;
  const Handle* const found = engine_->find(handle);
  bool possible =
      found != nullptr && found->state == Handle::State::Open && found->kind != SocketKind::Stream;
  for (const Operation* other = possible ? found->operations : nullptr; other != nullptr;
       other = other->next) {
    possible = possible && other->code != OpCode::SendTo;
  }
  submit_record(record, datagrams);
  if (used) return;
  token.datagrams = count;
  require(token.started == (possible && good), "a SendTo is started when its socket and its memory are good");
  if (!token.started) return;
  require(found->outgoing.size() == count, "a SendTo has as many datagrams as its records");
  for (std::uint32_t i = 0; i < count; ++i) {
    const OutgoingDatagram& datagram = found->outgoing[i];
    require(datagram.payload.base == payloads[i].base && datagram.payload.length == payloads[i].length,
            "a datagram is the memory that its record names");
    require(
        std::ranges::equal(datagram.words, std::span(datagrams).subspan(i * kDatagramWords, kDatagramWords)),
        "a datagram has the words of its record");
  }
}

/// The records end before the SendTo that they begin with: nothing of it is done, and nothing behind it is run.
void Session::submit_cut_off(const std::vector<std::int32_t>& words) {
  const EngineStats before = engine_->stats();
  engine_->submit(words.data(), static_cast<std::int32_t>(words.size() / kRecordWords));
  const EngineStats after = engine_->stats();
  require(after.rejected == before.rejected + 1, "records that are cut off are rejected");
  require(after.operations == before.operations, "records that are cut off start nothing");
}

const Operation* Session::waiting(std::uint32_t index) const {
  const auto& all = driver_->waiting();
  const auto found = std::ranges::find(all, index, &Operation::index);
  return found == all.end() ? nullptr : *found;
}

void Session::submit_record(Record record, std::span<const std::int32_t> segments) {
  const auto index = static_cast<std::uint32_t>(record[submission_word::kToken]);
  TokenModel& token = tokens_[index];
  const bool used = token.in_flight;
  if (used) {
    // A token in use is refused as long as its operation has not settled; afterwards JavaScript has to read
    // that first.
    if (waiting(index) == nullptr) return;
  } else {
    token = {};
    token.in_flight = true;
    token.generation = static_cast<std::uint32_t>(record[submission_word::kTokenGeneration]);
    token.code = static_cast<OpCode>(record[submission_word::kCode] & 0xff);
    token.handle = {static_cast<std::uint32_t>(record[submission_word::kHandle]),
                    static_cast<std::uint32_t>(record[submission_word::kHandleGeneration])};
  }
  std::vector<std::int32_t> words(record.begin(), record.end());
  words.insert(words.end(), segments.begin(), segments.end());
  const std::uint64_t submissions = engine_->stats().submissions;
  engine_->submit(words.data(), static_cast<std::int32_t>(words.size() / kRecordWords));
  require(engine_->stats().submissions == submissions + 1, "records behind an operation are no operations");
  if (!used) token.started = waiting(index) != nullptr;
}

void Session::submit_other() {
  Record record{};
  const auto set = [&record](OpCode code) {
    record[submission_word::kCode] = static_cast<std::int32_t>(code);
  };
  switch (decisions_.below(6)) {
    case 0: return submit_cancel();
    case 1: {
      const std::uint32_t index = decisions_.below(kTokens);
      record[submission_word::kCode] = static_cast<std::int32_t>(OpCode::Post);
      record[submission_word::kToken] = static_cast<std::int32_t>(index);
      record[submission_word::kTokenGeneration] = static_cast<std::int32_t>(tokens_[index].generation + 1);
      return submit_record(record);
    }
    case 2: {
      const bool unpins = decisions_.one_in(3);
      set(unpins ? OpCode::Unpin : OpCode::Discard);
      record[submission_word::kA] = any_number(kSlots);
      if (unpins) pins_.erase(record[submission_word::kA]);
      break;
    }
    case 3: {
      require(pins_.insert(engine_->pin(pinned_.data(), pinned_.size())).second,
              "a new pin is not like another one");
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

void Session::submit_cancel() {
  Record record{};
  record[submission_word::kCode] = static_cast<std::int32_t>(OpCode::Cancel);
  const std::uint32_t index = decisions_.below(kTokens + 1);
  const bool stale = decisions_.one_in(6);
  const std::uint32_t known = index < kTokens ? tokens_[index].generation : 0;
  record[submission_word::kToken] = static_cast<std::int32_t>(index);
  record[submission_word::kTokenGeneration] = static_cast<std::int32_t>(known) - (stale ? 1 : 0);
  if (index < kTokens && !stale) tokens_[index].told_to_end = true;
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
  if (driver_->canceled(operation)) {
    require(tokens_[operation.index].told_to_end, "nobody is cancelled but who was to be");
  }
  if (operation.code == OpCode::SendTo) return happens_to_send_to(operation);
  if (driver_->canceled(operation) && decisions_.one_in(2)) {
    return driver_->finish(operation, -error_number::kECANCELED);
  }
  if (decisions_.one_in(5)) return driver_->finish(operation, kErrors[decisions_.below(kErrors.size())]);
  const bool receives = operation.code == OpCode::Recv || operation.code == OpCode::RecvFrom;
  if (receives && decisions_.one_in(8)) {
    return driver_->fail_with_slot(operation, -error_number::kECONNREFUSED);
  }
  const bool more = !decisions_.one_in(4);
  switch (operation.code) {
    case OpCode::Recv: {
      const auto bytes = static_cast<std::int32_t>(decisions_.below(kSlotBytes + 1));
      return bytes == 0 ? driver_->finish(operation, 0) : driver_->receive(operation, bytes, more);
    }
    case OpCode::RecvFrom:
      return driver_->receive(operation, static_cast<std::int32_t>(decisions_.below(kRoom + 1)), more);
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

void Session::happens_to_send_to(Operation& operation) {
  constexpr std::array kErrors = {-error_number::kEMSGSIZE, -error_number::kENOBUFS, -error_number::kEPERM,
                                  -error_number::kECANCELED};
  TokenModel& token = tokens_[operation.index];
  const bool canceled = driver_->canceled(operation);
  const auto count = static_cast<std::uint32_t>(operation.handle->outgoing.size());
  std::uint32_t left = count - operation.datagrams_settled;
  // Some of them, beginning anywhere: they need not settle in order.
  const std::uint32_t start = decisions_.byte();
  std::uint32_t some = decisions_.one_in(2) ? count : decisions_.below(kFewDatagrams);
  const std::uint32_t refusals = decisions_.byte();
  for (std::uint32_t i = 0; i < count && some > 0; ++i) {
    const std::uint32_t number = (start + i) % count;
    if (!test::ScriptedDriver::unsettled(operation, number)) continue;
    --some;
    --left;
    if ((refusals >> (i % 8) & 1) != 0) {
      ++token.refused;
      driver_->refuse(operation, number, kErrors[i % kErrors.size()]);
    } else {
      ++token.taken;
      driver_->take(operation, number);
    }
  }
  if (decisions_.one_in(12)) {
    token.error = kErrors[decisions_.below(kErrors.size())];
    return driver_->finish(operation, token.error);
  }
  if (left == 0 || (canceled && decisions_.one_in(2))) driver_->finish_send_to(operation);
}

/// The port has given up waiting for it.
void Session::come_back_late(Operation& operation) {
  if (operation.code != OpCode::SendTo) {
    return driver_->finish(operation, operation.code == OpCode::Close ? 0 : -error_number::kECANCELED);
  }
  for (std::uint32_t number = 0; number < tokens_[operation.index].datagrams; ++number) {
    if (!test::ScriptedDriver::unsettled(operation, number)) continue;
    ++tokens_[operation.index].taken;
    driver_->take(operation, number);
  }
  driver_->finish_send_to(operation);
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
  const std::int32_t result = record[completion_word::kResult];
  const bool more = (flags & complete_flag::kMore) != 0;
  // A close gets to the driver when everything else on its handle is through.
  const bool answers_later = token.started || token.code == OpCode::Post || token.code == OpCode::Close;
  require(answers_later || (result < 0 && !more), "what was not started fails at once");
  if (token.code == OpCode::SendTo) read_send_to(token, record);
  if (token.code == OpCode::RecvFrom && more) {
    require((flags & complete_flag::kSlot) != 0 && result >= 0 && result <= static_cast<std::int32_t>(kRoom),
            "a received datagram is in a slot");
  }
  if (token.code == OpCode::RecvFrom && !more) require(result < 0, "a RecvFrom ends with an error only");
  if ((flags & complete_flag::kHandle) != 0) {
    const HandleRef handle{static_cast<std::uint32_t>(record[completion_word::kValue]),
                           static_cast<std::uint32_t>(record[completion_word::kExtra])};
    handles_.push_back(handle);
    require(open_.emplace(handle.index, handle.generation).second,
            "an accepted handle is not like an open one");
  }
  if (!more) token.in_flight = false;
  if (token.code == OpCode::Close && result == 0) {
    const auto left_behind = [&token](const TokenModel& other) {
      return other.in_flight && other.started && other.handle.index == token.handle.index &&
             other.handle.generation == token.handle.generation;
    };
    require(gave_up_ || std::ranges::none_of(tokens_, left_behind), "nothing comes after the close");
  }
  std::erase_if(open_, [this](const auto& handle) {
    return engine_->find({handle.first, handle.second}) == nullptr;
  });
}

void Session::read_send_to(TokenModel& token, const Record& record) {
  const std::int32_t flags = record[completion_word::kCode] >> 8;
  const std::int32_t result = record[completion_word::kResult];
  const std::int32_t number = record[completion_word::kValue];
  if (flags == complete_flag::kMore) {
    require(result < 0, "a datagram is told of when it was refused");
    require(number >= 0 && static_cast<std::uint32_t>(number) < token.datagrams &&
                token.known_refused.insert(number).second,
            "a datagram of the SendTo is refused, and once");
    return;
  }
  require(flags == 0, "a SendTo ends without flags");
  if (!token.started) return;
  require(token.known_refused.size() == token.refused, "every refusal is told of before the end");
  const std::int32_t ended = token.error != 0 ? token.error : token.taken;
  const bool early = token.told_to_end && ended <= 0 && result == -error_number::kECANCELED;
  require(result == ended || early, "a SendTo ends with the number of datagrams taken");
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
  require(stats.pins == pins_.size(), "every pin is there that was not taken off");
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
