#include "core/engine.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace iocp {

namespace {

constexpr std::uint32_t kTokensMax = 1U << 20;
constexpr std::size_t kEventsPerReap = 256;
constexpr int kJoinRounds = 100;
constexpr int kJoinWaitMs = 10;

constexpr std::int32_t kCanceled = -error_number::kECANCELED;

std::uint32_t word(const std::int32_t* record, std::int32_t index) noexcept {
  return static_cast<std::uint32_t>(record[index]);
}

bool needs_exclusive(OpCode code) noexcept {
  return code == OpCode::Accept || code == OpCode::Connect || code == OpCode::Recv || code == OpCode::Send ||
         code == OpCode::RecvFrom || code == OpCode::SendTo;
}

bool is_possible(OpCode code, SocketKind kind) noexcept {
  const bool for_datagrams = code == OpCode::RecvFrom || code == OpCode::SendTo;
  return for_datagrams == (kind != SocketKind::Stream);
}

/// Records that belong to the one that starts an operation.
std::uint32_t records_behind(OpCode code, std::uint32_t parts) noexcept {
  if (code == OpCode::SendTo) return parts * 2;
  return code == OpCode::Send && parts > 1 ? (parts + 1) / 2 : 0;
}

}  // namespace

Engine::Engine(std::unique_ptr<Driver> driver, SocketSystem& system, BufferSlots& slots)
    : driver_(std::move(driver)), system_(system), slots_(slots), events_(kEventsPerReap) {
  mailbox_ = std::make_shared<Mailbox>([target = driver_.get()] { target->wake(); });
}

Engine::~Engine() { close(); }

// ---------------------------------------------------------------------------------------------------- handles and pins

std::int32_t Engine::adopt(NativeHandle native, std::unique_ptr<AddressBytes> remote, HandleRef& out,
                           SocketKind kind) {
  if (closed_) return kCanceled;
  std::uint32_t index = 0;
  if (free_handles_.empty()) {
    index = handles_made_;
    handles_.grow_to(index);
    handles_[index].index = index;
    ++handles_made_;
  } else {
    index = free_handles_.back();
    free_handles_.pop_back();
  }
  Handle& handle = handles_[index];
  handle.native = native;
  handle.remote = std::move(remote);
  handle.kind = kind;
  handle.state = Handle::State::Open;
  if (const std::int32_t error = driver_->attach(handle); error != 0) {
    free_handle(handle);
    return error;
  }
  ++stats_.handles;
  out = {index, handle.generation};
  return 0;
}

Handle* Engine::find(HandleRef reference) noexcept {
  if (reference.index >= handles_made_) return nullptr;
  Handle& handle = handles_[reference.index];
  if (handle.state == Handle::State::Free || handle.generation != reference.generation) return nullptr;
  return &handle;
}

void Engine::free_handle(Handle& handle) {
  handle.native = kNoNativeHandle;
  handle.remote.reset();
  // When a SendTo never came back at the end of the port, the system may still read its datagrams.
  if (handle.operations == nullptr) handle.outgoing = {};
  handle.close_operation = nullptr;
  handle.driver_flags = 0;
  handle.driver_reader = nullptr;
  handle.driver_writer = nullptr;
  handle.state = Handle::State::Free;
  handle.generation = (handle.generation + 1) & 0x7fffffff;
  free_handles_.push_back(handle.index);
}

std::int32_t Engine::pin(std::byte* memory, std::size_t length) { return pins_.add({memory, length}); }

// ---------------------------------------------------------------------------------------------------------- submission

void Engine::submit(const std::int32_t* records, std::int32_t count) {
  for (std::int32_t i = 0; i < count;) {
    const std::int32_t* record = records + static_cast<std::ptrdiff_t>(i) * kRecordWords;
    const std::uint32_t code = word(record, submission_word::kCode);
    const auto operation = static_cast<OpCode>(code & 0xff);
    const std::uint32_t extra_records = records_behind(operation, code >> 16);
    ++i;
    if (extra_records > static_cast<std::uint32_t>(count - i)) {
      ++stats_.rejected;
      return;
    }
    submit_operation(operation, record, {record + kRecordWords, extra_records * kRecordWords});
    i += static_cast<std::int32_t>(extra_records);
  }
}

void Engine::submit_operation(OpCode code, const std::int32_t* record,
                              std::span<const std::int32_t> segments) {
  ++stats_.submissions;
  const std::int32_t argument = record[submission_word::kA];
  switch (code) {
    case OpCode::Provide: return submit_provide(argument);
    case OpCode::Unpin: return submit_unpin(argument);
    case OpCode::Discard: return submit_discard(argument);
    case OpCode::Cancel: return submit_cancel(record);
    default: break;
  }
  Operation* operation = open_operation(code, record);
  if (operation == nullptr) return;
  if (code == OpCode::Post) return settle(*operation, argument);

  Handle* handle =
      find({word(record, submission_word::kHandle), word(record, submission_word::kHandleGeneration)});
  if (handle == nullptr) return settle(*operation, -error_number::kEBADF);
  if (handle->state == Handle::State::Closing) return settle(*operation, kCanceled);
  operation->handle = handle;
  if (code == OpCode::Close) return submit_close(*operation);

  if (!is_possible(code, handle->kind)) return settle(*operation, -error_number::kEOPNOTSUPP);
  for (const Operation* other = handle->operations; other != nullptr; other = other->next) {
    if (other->code == code && needs_exclusive(code)) return settle(*operation, -error_number::kEALREADY);
  }
  if (code == OpCode::Send && !read_segments(*operation, record, segments)) {
    return settle(*operation, -error_number::kEFAULT);
  }
  if (code == OpCode::SendTo &&
      !read_datagrams(*operation, word(record, submission_word::kCode) >> 16, segments)) {
    return settle(*operation, -error_number::kEFAULT);
  }
  if (code == OpCode::Connect && !handle->remote) return settle(*operation, -error_number::kEDESTADDRREQ);
  link(*operation);
  start(*operation);
}

Operation* Engine::open_operation(OpCode code, const std::int32_t* record) {
  const std::uint32_t index = word(record, submission_word::kToken);
  if (index >= kTokensMax || code == OpCode::None || static_cast<int>(code) >= kOpCodeCount || closed_) {
    ++stats_.rejected;
    return nullptr;
  }
  operations_.grow_to(index);
  Operation& operation = operations_[index];
  if (operation.state != Operation::State::Free) {
    ++stats_.rejected;
    return nullptr;
  }
  operation.code = code;
  operation.state = Operation::State::InDriver;
  operation.cancel_requested = false;
  operation.index = index;
  operation.generation = word(record, submission_word::kTokenGeneration);
  const std::uint32_t flags = (word(record, submission_word::kCode) >> 8) & 0xff;
  operation.argument = code == OpCode::Close ? static_cast<std::int32_t>(flags) : record[submission_word::kA];
  operation.handle = nullptr;
  operation.received = false;
  ++stats_.operations;
  return &operation;
}

bool Engine::resolve(const std::int32_t* segment, IoVector& out) const noexcept {
  const std::int32_t pin = segment[segment_word::kPin];
  const std::int32_t offset = segment[segment_word::kOffset];
  const std::int32_t length = segment[segment_word::kLength];
  if (offset < 0 || length < 0) return false;
  std::span<std::byte> memory = slots_.memory();
  if (pin >= 0) {
    if (!pins_.contains(pin)) return false;
    memory = pins_.at(pin);
  }
  const auto start = static_cast<std::size_t>(offset);
  const auto bytes = static_cast<std::size_t>(length);
  if (start > memory.size() || bytes > memory.size() - start) return false;
  out = {memory.data() + start, bytes};
  return true;
}

bool Engine::read_segments(Operation& operation, const std::int32_t* record,
                           std::span<const std::int32_t> segments) {
  constexpr std::size_t kSegmentWords = kRecordWords / 2;
  const std::uint32_t count = word(record, submission_word::kCode) >> 16;
  operation.vector_first = 0;
  operation.bytes_done = 0;
  operation.bytes_total = 0;
  if (operation.gather) operation.gather->vectors.clear();
  if (count <= 1) {
    if (!resolve(record + submission_word::kA, operation.vector)) return false;
    operation.bytes_total = static_cast<std::int32_t>(operation.vector.length);
    return true;
  }
  if (count > limit::kSegmentsMax) return false;
  if (!operation.gather) operation.gather = std::make_unique<Gather>();
  std::int64_t total = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    IoVector vector;
    if (!resolve(segments.data() + i * kSegmentWords, vector)) return false;
    operation.gather->vectors.push_back(vector);
    total += static_cast<std::int64_t>(vector.length);
  }
  if (total > std::numeric_limits<std::int32_t>::max()) return false;
  operation.bytes_total = static_cast<std::int32_t>(total);
  return true;
}

bool Engine::read_datagrams(Operation& operation, std::uint32_t count, std::span<const std::int32_t> words) {
  static_assert(segment_word::kPin == outgoing_word::kPin &&
                segment_word::kOffset == outgoing_word::kOffset &&
                segment_word::kLength == outgoing_word::kLength);
  if (count == 0 || count > limit::kDatagramsMax) return false;
  std::vector<OutgoingDatagram>& datagrams = operation.handle->outgoing;
  datagrams.resize(count);
  operation.datagrams_taken = 0;
  operation.datagrams_settled = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    OutgoingDatagram& datagram = datagrams[i];
    std::ranges::copy(words.subspan(i * datagram.words.size(), datagram.words.size()),
                      datagram.words.begin());
    if (!resolve(datagram.words.data(), datagram.payload)) return false;
    datagram.operation = &operation;
    datagram.index = i;
  }
  return true;
}

void Engine::submit_close(Operation& operation) {
  Handle& handle = *operation.handle;
  handle.state = Handle::State::Closing;
  if ((operation.argument & submit_flag::kAbort) != 0) system_.set_abortive_close(handle.native);
  for (Operation* other = handle.operations; other != nullptr;) {
    Operation* next = other->next;  // a parked operation settles, and leaves the list, at once
    cancel(*other);
    other = next;
  }
  // Only now: what settles in the loop must not start the close.
  handle.close_operation = &operation;
  close_if_joined(handle);
}

void Engine::submit_cancel(const std::int32_t* record) {
  const std::uint32_t index = word(record, submission_word::kToken);
  if (!operations_.contains(index)) return;
  Operation& operation = operations_[index];
  // The operation may have settled while the request was on its way: that is no error.
  if (operation.state == Operation::State::Free) return;
  if (operation.generation != word(record, submission_word::kTokenGeneration)) return;
  if (operation.code != OpCode::Close) cancel(operation);
}

void Engine::submit_provide(std::int32_t slot) {
  if (!slots_.take(slot)) {
    ++stats_.rejected;
    return;
  }
  driver_->provide(static_cast<std::uint32_t>(slot));
}

void Engine::submit_unpin(std::int32_t pin) {
  if (!pins_.remove(pin)) ++stats_.rejected;
}

void Engine::submit_discard(std::int32_t slot) {
  if (!slots_.take(slot)) {
    ++stats_.rejected;
    return;
  }
  slots_.give(slot);  // it stays JavaScript's
  system_.discard_pages({slots_.address(static_cast<std::uint32_t>(slot)), slots_.slot_bytes()});
}

void Engine::flush() {
  restart_parked();
  driver_->flush();
}

// ---------------------------------------------------------------------------------------------------------- settlement

void Engine::start(Operation& operation) {
  operation.state = Operation::State::InDriver;
  driver_->start(operation);
}

void Engine::cancel(Operation& operation) {
  if (operation.cancel_requested) return;
  operation.cancel_requested = true;
  if (operation.state == Operation::State::Parked) {
    std::erase(parked_, &operation);
    settle(operation, kCanceled);
    return;
  }
  driver_->cancel(operation);
}

void Engine::link(Operation& operation) {
  Handle& handle = *operation.handle;
  operation.previous = nullptr;
  operation.next = handle.operations;
  if (operation.next != nullptr) operation.next->previous = &operation;
  handle.operations = &operation;
}

void Engine::unlink(Operation& operation) {
  Handle& handle = *operation.handle;
  if (operation.previous != nullptr) {
    operation.previous->next = operation.next;
  } else if (handle.operations == &operation) {
    handle.operations = operation.next;
  }
  if (operation.next != nullptr) operation.next->previous = operation.previous;
  operation.next = nullptr;
  operation.previous = nullptr;
}

bool Engine::ending(const Operation& operation) noexcept {
  return operation.cancel_requested || operation.handle->state == Handle::State::Closing;
}

void Engine::settle(Operation& operation, std::int32_t result, std::int32_t flags, std::int32_t value,
                    std::int32_t extra) {
  emit({operation.code, flags, operation.index, operation.generation, result, value, extra});
  Handle* handle = operation.handle;
  operation.state = Operation::State::Free;
  if (operation.gather && operation.gather->vectors.capacity() > 16) operation.gather.reset();
  --stats_.operations;
  if (handle == nullptr) return;
  if (handle->close_operation == &operation) {
    free_handle(*handle);
    --stats_.handles;
    return;
  }
  unlink(operation);
  close_if_joined(*handle);
}

void Engine::emit_more(const Operation& operation, std::int32_t result, std::int32_t flags,
                       std::int32_t value, std::int32_t extra) {
  emit({operation.code, flags | complete_flag::kMore, operation.index, operation.generation, result, value,
        extra});
}

void Engine::emit(const Completion& completion) {
  if (out_room_ == 0 || !pending_.empty()) {
    pending_.push_back(completion);
  } else {
    write(completion);
  }
}

void Engine::write(const Completion& completion) {
  out_[completion_word::kCode] = static_cast<std::int32_t>(completion.code) | (completion.flags << 8);
  out_[completion_word::kToken] = static_cast<std::int32_t>(completion.token);
  out_[completion_word::kTokenGeneration] = static_cast<std::int32_t>(completion.generation);
  out_[completion_word::kResult] = completion.result;
  out_[completion_word::kValue] = completion.value;
  out_[completion_word::kExtra] = completion.extra;
  out_ += kRecordWords;
  --out_room_;
  ++stats_.completions;
}

void Engine::close_if_joined(Handle& handle) {
  if (handle.close_operation == nullptr || handle.operations != nullptr) return;
  driver_->close(handle, *handle.close_operation);
}

void Engine::on_event(const Event& event) {
  switch (event.operation->code) {
    case OpCode::Recv: return on_recv(event);
    case OpCode::Send: return on_send(event);
    case OpCode::Accept: return on_accept(event);
    case OpCode::RecvFrom: return on_recv_from(event);
    case OpCode::SendTo: return on_send_to(event);
    default:
      // A failure after a local close is the close's doing, never the peer's.
      return settle(*event.operation,
                    event.operation->code != OpCode::Close && event.result < 0 && ending(*event.operation)
                        ? kCanceled
                        : event.result);
  }
}

void Engine::on_recv(const Event& event) {
  Operation& operation = *event.operation;
  std::int32_t flags = 0;
  if (event.slot >= 0) {
    slots_.give(event.slot);
    flags = complete_flag::kSlot;
  }
  if (event.result > 0) {
    emit_more(operation, event.result, flags, event.slot, 0);
    operation.received = true;
    if (!event.more) restart_or_settle(operation);
    return;
  }
  if (event.result == -error_number::kENOBUFS && !ending(operation)) {
    park(operation);
    return;
  }
  // Without a slot it would have gone on waiting, had it not been told to end.
  const bool ended_locally =
      operation.handle->state == Handle::State::Closing || event.result == -error_number::kENOBUFS;
  settle(operation, ended_locally ? kCanceled : event.result, flags, event.slot);
}

void Engine::restart_or_settle(Operation& operation) {
  if (ending(operation)) {
    settle(operation, kCanceled);
  } else {
    start(operation);
  }
}

void Engine::on_send(const Event& event) {
  Operation& operation = *event.operation;
  if (event.result < 0) return settle(operation, ending(operation) ? kCanceled : event.result);
  operation.bytes_done += event.result;
  if (operation.bytes_done >= operation.bytes_total) return settle(operation, operation.bytes_done);
  if (ending(operation)) return settle(operation, kCanceled);
  // A send that takes nothing and reports no error would never end.
  if (event.result == 0) return settle(operation, -error_number::kEPIPE);
  ++stats_.short_sends;
  auto sent = static_cast<std::size_t>(event.result);
  if (!operation.gathered()) {
    operation.vector = {static_cast<std::byte*>(operation.vector.base) + sent,
                        operation.vector.length - sent};
  } else {
    auto& vectors = operation.gather->vectors;
    while (sent >= vectors[operation.vector_first].length) {
      sent -= vectors[operation.vector_first].length;
      ++operation.vector_first;
    }
    IoVector& first = vectors[operation.vector_first];
    first = {static_cast<std::byte*>(first.base) + sent, first.length - sent};
  }
  start(operation);
}

void Engine::on_recv_from(const Event& event) {
  Operation& operation = *event.operation;
  if (event.slot >= 0) {
    slots_.give(event.slot);
    if (event.result >= 0) {
      emit_more(operation, event.result, complete_flag::kSlot, event.slot, 0);
      operation.received = true;
      if (!event.more) restart_or_settle(operation);
      return;
    }
    return settle(operation, ending(operation) ? kCanceled : event.result, complete_flag::kSlot, event.slot);
  }
  if (event.result == -error_number::kENOBUFS && !ending(operation)) return park(operation);
  settle(operation, ending(operation) ? kCanceled : event.result);
}

void Engine::on_send_to(const Event& event) {
  Operation& operation = *event.operation;
  if (event.more) return emit_more(operation, event.result, 0, event.datagram, 0);
  settle(operation, event.result <= 0 && ending(operation) ? kCanceled : event.result);
}

void Engine::on_accept(const Event& event) {
  Operation& operation = *event.operation;
  if (event.result < 0) return settle(operation, ending(operation) ? kCanceled : event.result);
  HandleRef accepted;
  if (const std::int32_t error = adopt(event.accepted, nullptr, accepted); error != 0) {
    system_.close_now(event.accepted);
    if (!closed_) emit_more(operation, error, 0, -1, 0);
  } else {
    emit_more(operation, 0, complete_flag::kHandle, static_cast<std::int32_t>(accepted.index),
              static_cast<std::int32_t>(accepted.generation));
  }
  if (!event.more) restart_or_settle(operation);
}

void Engine::park(Operation& operation) {
  operation.state = Operation::State::Parked;
  // Who got something this time stands behind those who did not: a busy socket must not take every slot.
  if (std::exchange(operation.received, false)) {
    parked_.push_back(&operation);
  } else {
    parked_.push_front(&operation);
  }
  ++stats_.parkings;
  starved_ = true;
}

void Engine::restart_parked() {
  // At most as many as there are slots: the rest would only come back empty-handed.
  for (std::size_t n = std::min<std::size_t>(parked_.size(), slots_.available()); n > 0; --n) {
    Operation& operation = *parked_.front();
    parked_.pop_front();
    start(operation);
  }
}

bool Engine::take_starved() noexcept { return std::exchange(starved_, false) && !parked_.empty(); }

// ---------------------------------------------------------------------------------------------------------- collection

std::size_t Engine::collect(std::int32_t* records, std::size_t max) {
  out_ = records;
  out_room_ = max;
  for (; out_room_ > 0 && !pending_.empty(); pending_.pop_front()) write(pending_.front());
  collect_mail();
  while (out_room_ > 0) {
    const std::size_t asked = std::min(out_room_, events_.size());
    const std::size_t count = driver_->reap({events_.data(), asked});
    for (std::size_t i = 0; i < count; ++i) on_event(events_[i]);
    if (count < asked) break;
  }
  const std::size_t written = max - out_room_;
  out_room_ = 0;
  return written;
}

void Engine::collect_mail() {
  if (!mailbox_->full()) return;
  for (const Mail& mail : mailbox_->take()) {
    emit({OpCode::Post, complete_flag::kMore, mail.token, mail.generation, mail.value, -1, 0});
  }
}

bool Engine::prepare_wait() {
  if (!pending_.empty() || mailbox_->full()) return false;
  if (!parked_.empty() && slots_.available() > 0) return false;
  return driver_->prepare_wait();
}

void Engine::close() {
  if (closed_) return;
  closed_ = true;
  mailbox_->close();
  for (std::uint32_t index = 0; index < handles_made_; ++index) {
    Handle& handle = handles_[index];
    if (handle.state == Handle::State::Free) continue;
    handle.state = Handle::State::Closing;
    for (Operation* operation = handle.operations; operation != nullptr;) {
      Operation* next = operation->next;
      cancel(*operation);
      operation = next;
    }
  }
  driver_->flush();
  for (int round = 0; round < kJoinRounds && stats_.operations > 0;) {
    const std::size_t count = driver_->reap(events_);
    for (std::size_t i = 0; i < count; ++i) on_event(events_[i]);
    driver_->flush();
    if (count > 0) continue;  // only waiting counts
    ++round;
    if (stats_.operations > 0 && driver_->prepare_wait()) driver_->wait(kJoinWaitMs);
  }
  for (std::uint32_t index = 0; index < handles_made_; ++index) {
    Handle& handle = handles_[index];
    if (handle.state == Handle::State::Free) continue;
    Operation* const close = handle.close_operation;
    // A close that the driver has may still come to pass, and the number then be somebody else's.
    const bool in_driver = close != nullptr && handle.operations == nullptr;
    if (!in_driver) system_.close_now(handle.native);
    if (close != nullptr && !in_driver) {
      settle(*close, 0);  // what it waited for was given up, and this was its work
      continue;
    }
    free_handle(handle);
    --stats_.handles;
  }
}

EngineStats Engine::stats() const noexcept {
  EngineStats stats = stats_;
  stats.parked = parked();
  stats.pins = pins_.count();
  stats.kernel_slots = slots_.held();
  return stats;
}

}  // namespace iocp
