#include "test/scripted_driver.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace iocp::test {
namespace {

bool is_exclusive(OpCode code) noexcept {
  return code == OpCode::Recv || code == OpCode::Send || code == OpCode::Accept || code == OpCode::Connect;
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
  attached_[&handle].clear();
  return 0;
}

void ScriptedDriver::start(Operation& operation) {
  claim(!in_driver_.contains(&operation), "an operation is started when it is not in flight");
  claim(operation.code != OpCode::Close && operation.code != OpCode::Post, "start is for Accept to Shutdown");
  const auto attached = attached_.find(operation.handle);
  if (attached == attached_.end()) return broken_("operations run on attached handles");
  claim(!is_exclusive(operation.code) || std::ranges::count(attached->second, operation.code) == 0,
        "one operation of a kind at a time on a handle");
  attached->second.push_back(operation.code);
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
  claim(attached->second.empty(), "a handle is closed when nothing is in flight on it");
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
    std::vector<OpCode>& codes = attached_.at(event.operation->handle);
    codes.erase(std::ranges::find(codes, event.operation->code));
  }
  return count;
}

void ScriptedDriver::wait(int /*milliseconds*/) {
  if (!end_canceled_) return;
  std::vector<Operation*> left;
  for (Operation* operation : std::exchange(waiting_, {})) {
    const bool close = operation->code == OpCode::Close;
    if (close || canceled(*operation)) {
      happened_.push_back({.operation = operation, .result = close ? 0 : -error_number::kECANCELED});
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
  std::memset(memory_.address(slot), 0x55, static_cast<std::size_t>(bytes));
  if (!more) leave(operation);
  happened_.push_back(
      {.operation = &operation, .result = bytes, .slot = static_cast<std::int32_t>(slot), .more = more});
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
