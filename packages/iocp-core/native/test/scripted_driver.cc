#include "test/scripted_driver.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace iocp::test {
namespace {

bool is_exclusive(OpCode code) noexcept {
  return code == OpCode::Recv || code == OpCode::Send || code == OpCode::Accept || code == OpCode::Connect ||
         code == OpCode::RecvFrom || code == OpCode::SendTo;
}

bool is_for_datagrams(OpCode code) noexcept { return code == OpCode::RecvFrom || code == OpCode::SendTo; }

/// Reads all of it, so that a sanitizer sees memory that is gone.
void read_all(const IoVector& payload) noexcept {
  const auto* const bytes = static_cast<const volatile std::byte*>(payload.base);
  for (std::size_t i = 0; i < payload.length; ++i) static_cast<void>(bytes[i]);
}

/// What becomes of an operation that was told to end.
std::int32_t result_of_end(const Operation& operation) {
  switch (operation.code) {
    case OpCode::Close: return 0;
    case OpCode::SendTo: return static_cast<std::int32_t>(operation.datagrams_taken);
    default: return -error_number::kECANCELED;
  }
}

}  // namespace

ScriptedDriver::ScriptedDriver(const BufferSlots& slots, std::function<void(const std::string&)> broken)
    : broken_(std::move(broken)), memory_(slots) {}

void ScriptedDriver::claim(bool kept, const std::string& promise) const {
  if (!kept) broken_(promise);
}

std::int32_t ScriptedDriver::attach(Handle& handle) {
  if (attach_result_ != 0) return attach_result_;
  claim(!attached_.contains(&handle), "a handle is attached once");
  attached_[&handle] = {};
  return 0;
}

void ScriptedDriver::start(Operation& operation) {
  claim(!in_driver_.contains(&operation), "an operation is started when it is not in flight");
  claim(operation.code != OpCode::Close && operation.code != OpCode::Post,
        "start is for Accept to Shutdown, RecvFrom and SendTo");
  const auto attached = attached_.find(operation.handle);
  if (attached == attached_.end()) return broken_("operations run on attached handles");
  InFlight& in_flight = attached->second;
  claim(!is_exclusive(operation.code) || std::ranges::count(in_flight.codes, operation.code) == 0,
        "one operation of a kind at a time on a handle");
  claim(is_for_datagrams(operation.code) == (operation.handle->kind != SocketKind::Stream),
        "streams and datagrams are kept apart");
  in_flight.codes.push_back(operation.code);
  if (operation.code == OpCode::SendTo) {
    const std::vector<OutgoingDatagram>& datagrams = operation.handle->outgoing;
    claim(!datagrams.empty() && operation.datagrams_taken == 0 && operation.datagrams_settled == 0,
          "a SendTo has datagrams, none of which has settled");
    in_flight.datagrams = datagrams.data();
    in_flight.datagram_count = datagrams.size();
  }
  in_driver_[&operation] = false;
  waiting_.push_back(&operation);
}

void ScriptedDriver::cancel(Operation& operation) {
  claim(in_driver_.contains(&operation), "only what is in flight is cancelled");
  in_driver_[&operation] = true;
}

bool ScriptedDriver::canceled(const Operation& operation) const {
  const auto found = in_driver_.find(&operation);
  return found != in_driver_.end() && found->second;
}

void ScriptedDriver::close(Handle& handle, Operation& close) {
  const auto attached = attached_.find(&handle);
  if (attached == attached_.end()) return broken_("a handle is closed once");
  claim(attached->second.codes.empty(), "a handle is closed when nothing is in flight on it");
  attached_.erase(attached);
  closed_.push_back(handle.native);
  in_driver_[&close] = false;
  waiting_.push_back(&close);
}

std::size_t ScriptedDriver::reap(std::span<Event> events) {
  std::size_t count = 0;
  for (; count < events.size() && !happened_.empty(); happened_.pop_front()) {
    const Event& event = events[count++] = happened_.front();
    if (event.more) continue;
    in_driver_.erase(event.operation);
    if (event.operation->code == OpCode::Close) continue;
    if (event.operation->code == OpCode::SendTo) claim_in_place(*event.operation);
    std::vector<OpCode>& codes = attached_.at(event.operation->handle).codes;
    codes.erase(std::ranges::find(codes, event.operation->code));
  }
  return count;
}

void ScriptedDriver::wait(int /*milliseconds*/) {
  if (!end_canceled_) return;
  std::vector<Operation*> left;
  for (Operation* operation : std::exchange(waiting_, {})) {
    if (operation->code == OpCode::Close || canceled(*operation)) {
      happened_.push_back({.operation = operation, .result = result_of_end(*operation)});
    } else {
      left.push_back(operation);
    }
  }
  waiting_ = std::move(left);
}

void ScriptedDriver::leave(Operation& operation) { std::erase(waiting_, &operation); }

void ScriptedDriver::receive(Operation& operation, std::int32_t bytes, bool more) {
  if (slots_.empty()) return finish(operation, -error_number::kENOBUFS);
  const std::uint32_t slot = slots_.back();
  slots_.pop_back();
  // Written, so that a sanitizer sees a slot that is not ours.
  const int header = operation.code == OpCode::RecvFrom ? limit::kDatagramOffset : 0;
  std::memset(memory_.address(slot), 0x55, static_cast<std::size_t>(header + bytes));
  if (!more) leave(operation);
  happened_.push_back(
      {.operation = &operation, .result = bytes, .slot = static_cast<std::int32_t>(slot), .more = more});
}

void ScriptedDriver::fail_with_slot(Operation& operation, std::int32_t error) {
  if (slots_.empty()) return finish(operation, error);
  const std::uint32_t slot = slots_.back();
  slots_.pop_back();
  leave(operation);
  happened_.push_back({.operation = &operation, .result = error, .slot = static_cast<std::int32_t>(slot)});
}

bool ScriptedDriver::unsettled(const Operation& operation, std::uint32_t number) {
  const std::vector<OutgoingDatagram>& datagrams = operation.handle->outgoing;
  return number < datagrams.size() && datagrams[number].operation != nullptr;
}

void ScriptedDriver::take(Operation& operation, std::uint32_t number) {
  settle_datagram(operation, number);
  read_all(operation.handle->outgoing[number].payload);
  ++operation.datagrams_taken;
}

void ScriptedDriver::refuse(Operation& operation, std::uint32_t number, std::int32_t error) {
  settle_datagram(operation, number);
  happened_.push_back({.operation = &operation,
                       .result = error,
                       .datagram = static_cast<std::int32_t>(number),
                       .more = true});
}

void ScriptedDriver::claim_in_place(const Operation& operation) const {
  const InFlight& in_flight = attached_.at(operation.handle);
  const std::vector<OutgoingDatagram>& datagrams = operation.handle->outgoing;
  claim(datagrams.data() == in_flight.datagrams && datagrams.size() == in_flight.datagram_count,
        "datagrams stay in place until the last event of their SendTo");
}

void ScriptedDriver::settle_datagram(Operation& operation, std::uint32_t number) {
  claim_in_place(operation);
  std::vector<OutgoingDatagram>& datagrams = operation.handle->outgoing;
  claim(datagrams[number].operation == &operation && datagrams[number].index == number,
        "a datagram names its SendTo and its place");
  // As drivers do to know which of them are left.
  datagrams[number].operation = nullptr;
  ++operation.datagrams_settled;
}

void ScriptedDriver::finish_send_to(Operation& operation) {
  finish(operation, static_cast<std::int32_t>(operation.datagrams_taken));
}

void ScriptedDriver::accept(Operation& operation, NativeHandle native, bool more) {
  if (!more) leave(operation);
  happened_.push_back({.operation = &operation, .accepted = native, .more = more});
}

void ScriptedDriver::finish(Operation& operation, std::int32_t result) {
  leave(operation);
  happened_.push_back({.operation = &operation, .result = result});
}

void ScriptedSystem::set_abortive_close(NativeHandle native) noexcept { abortive_.push_back(native); }
void ScriptedSystem::close_now(NativeHandle native) noexcept { closed_.push_back(native); }

}  // namespace iocp::test
