#include "bridge/port_session.h"

#include <bit>
#include <string>
#include <string_view>
#include <utility>

#include "bridge/errors.h"
#include "bridge/faults/faults.h"
#include "bridge/mailbox_registry.h"

namespace iocp {

namespace {

constexpr std::uintptr_t kPageBytes = 4096;

template <typename Element>
std::span<Element> memory_of(const Napi::TypedArrayOf<Element>& array) {
  return {const_cast<Napi::TypedArrayOf<Element>&>(array).Data(), array.ElementLength()};
}

}  // namespace

std::shared_ptr<PortSession> PortSession::make(Napi::Env env, const Napi::Object& options) {
  std::shared_ptr<PortSession> session(new PortSession(env));
  const PortOptions parsed = read_port_options(options);
  session->borrow(options, parsed);
  session->make_engine(parsed);
  session->join_loop();
  return session;
}

void PortSession::borrow(const Napi::Object& options, const PortOptions& parsed) {
  const auto submission = options.Get("submission").As<Napi::Int32Array>();
  const auto completion = options.Get("completion").As<Napi::Int32Array>();
  const auto pool = options.Get("pool").As<Napi::Uint8Array>();
  memory_.submission = memory_of(submission);
  memory_.completion = memory_of(completion);
  const std::span<std::uint8_t> bytes = memory_of(pool);
  const auto address = reinterpret_cast<std::uintptr_t>(bytes.data());
  pool_base_ = (kPageBytes - address % kPageBytes) % kPageBytes;
  const std::size_t needed = static_cast<std::size_t>(parsed.slots) * parsed.slot_bytes;
  constexpr std::size_t kCompletionWords = kHeaderWords + limit::kCompletionRecords * kRecordWords;
  if (bytes.size() < pool_base_ + needed || memory_.completion.size() < kCompletionWords ||
      memory_.submission.size() <= kHeaderWords || parsed.slots == 0 || parsed.slots > limit::kSlotsMax) {
    throw Napi::RangeError::New(env_, "The shared blocks are smaller than the options say");
  }
  memory_.pool = std::as_writable_bytes(bytes).subspan(pool_base_, needed);
  submission_ = Napi::Persistent(submission);
  completion_ = Napi::Persistent(completion);
  pool_ = Napi::Persistent(pool);
  on_batch_ = Napi::Persistent(options.Get("onBatch").As<Napi::Function>());
  slots_ = std::make_unique<BufferSlots>(memory_.pool.data(), parsed.slot_bytes, parsed.slots);
}

void PortSession::make_engine(const PortOptions& options) {
  Selection selection = select_driver(options.backend, *slots_, options.entries);
  rejected_ = std::move(selection.rejected);
  if (!selection.driver) {
    Napi::Error error = Napi::Error::New(env_, rejected_.back().probe.reason);
    error.Set("errno", Napi::Number::New(env_, rejected_.back().probe.error));
    error.Set("rejected", rejected_backends(env_, rejected_));
    throw error;
  }
  entries_ = std::string_view(selection.driver->name()) == "io_uring" ? std::bit_ceil(options.entries) : 0;
  std::unique_ptr<Driver> driver = std::move(selection.driver);
  if (options.with_faults) {
    driver = add_faults(std::move(driver), *slots_, options.faults);
    if (!driver) throw system_error(env_, error_number::kENOSYS, "faults");
  }
  auto engine = std::make_unique<Engine>(std::move(driver), system_, *slots_);
  rings_ = std::make_unique<PortRings>(std::move(engine), memory_,
                                       [this](std::int32_t count) { return deliver(count); });
}

void PortSession::join_loop() {
  std::string error;
  Driver& driver = rings_->engine().driver();
  watcher_ = LoopWatcher::make(env_, driver.wait_descriptor(), *rings_, error);
  if (!watcher_) throw Napi::Error::New(env_, "The event loop takes no further handle: " + error);
  const napi_status status = napi_add_async_cleanup_hook(env_, on_environment_end, this, &cleanup_hook_);
  if (status != napi_ok) throw Napi::Error::New(env_, "The environment is ending");
  self_ = shared_from_this();
  open_ = true;
  driver.notify_with([watcher = watcher_.get()] { watcher->notify(); });
}

bool PortSession::deliver(std::int32_t count) {
  const Napi::HandleScope scope(env_);
  const napi_value argument = Napi::Number::New(env_, count);
  // The raw call: an exception here means that the environment is ending, and C++ must not throw through libuv.
  napi_value result = nullptr;
  const napi_status status =
      napi_make_callback(env_, *context_, env_.Global(), on_batch_.Value(), 1, &argument, &result);
  if (status == napi_ok) return open_;
  if (status == napi_pending_exception) {
    napi_value exception = nullptr;
    if (napi_get_and_clear_last_exception(env_, &exception) == napi_ok) napi_fatal_exception(env_, exception);
  }
  return false;
}

std::uint64_t PortSession::open_mailbox(std::uint32_t token, std::uint32_t generation) {
  const std::uint64_t id = mailbox_registry::open(rings_->engine().mailbox(), token, generation);
  mailboxes_.insert(id);
  return id;
}

void PortSession::close_mailbox(std::uint64_t id) {
  if (mailboxes_.erase(id) > 0) mailbox_registry::close(id);
}

void PortSession::close(bool deliver_completions) {
  if (!open_) return;
  open_ = false;
  for (const std::uint64_t id : mailboxes_) mailbox_registry::close(id);
  mailboxes_.clear();
  rings_->close(deliver_completions);
  rings_->engine().driver().notify_with({});
  // The poll handle goes before the descriptor that it polls.
  watcher_->close([this] { let_go(); });
  watcher_.reset();
}

void PortSession::let_go() {
  const std::shared_ptr<PortSession> last = std::move(self_);
  rings_.reset();
  // All that belongs to the environment, while there is one: taking the hook back may be its end.
  on_batch_.Reset();
  submission_.Reset();
  completion_.Reset();
  pool_.Reset();
  context_.reset();
  napi_remove_async_cleanup_hook(cleanup_hook_);
}

void PortSession::on_environment_end(napi_async_cleanup_hook_handle /*handle*/, void* data) {
  // The hook is taken back, which lets the environment go on, when the loop has closed our handles.
  static_cast<PortSession*>(data)->close(false);
}

}  // namespace iocp
