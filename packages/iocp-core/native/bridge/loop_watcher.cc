#include "bridge/loop_watcher.h"

#include <uv.h>

#include <utility>

#include "core/driver.h"

namespace iocp {

/// What libuv holds on to until every handle has been closed; keeps itself alive that long.
struct LoopWatcher::Handles {
  uv_poll_t poll{};    // with a descriptor
  uv_async_t async{};  // without one
  uv_prepare_t prepare{};
  uv_idle_t idle{};
  Client* client = nullptr;
  int open = 0;
  std::shared_ptr<Handles> self;
  std::function<void()> closed;

  template <typename Handle>
  static Handles* of(Handle* handle) {
    return static_cast<Handles*>(handle->data);
  }

  static void on_poll(uv_poll_t* handle, int /*status*/, int /*events*/) {
    // A failing poll shows as a readable descriptor: the driver then finds the reason itself.
    if (Client* client = of(handle)->client; client != nullptr) client->on_signal();
  }

  static void on_async(uv_async_t* handle) {
    if (Client* client = of(handle)->client; client != nullptr) client->on_signal();
  }

  static void on_prepare(uv_prepare_t* handle) {
    Handles* handles = of(handle);
    if (handles->client == nullptr) return;
    // While an idle handle is active, the loop does not block.
    if (handles->client->before_block()) {
      uv_idle_stop(&handles->idle);
    } else {
      uv_idle_start(&handles->idle, on_idle);
    }
  }

  static void on_idle(uv_idle_t* handle) {
    if (Client* client = of(handle)->client; client != nullptr) client->on_work();
  }

  static void on_close(uv_handle_t* handle) {
    Handles* handles = of(handle);
    if (--handles->open > 0) return;
    const std::shared_ptr<Handles> last = std::move(handles->self);
    if (handles->closed) std::exchange(handles->closed, nullptr)();
  }

  template <typename Handle>
  void add(Handle& handle) {
    handle.data = this;
    ++open;
    uv_unref(reinterpret_cast<uv_handle_t*>(&handle));
  }

  [[nodiscard]] int start_signal(uv_loop_t* loop, int descriptor) {
    if (descriptor == Driver::kNoDescriptor) {
      const int error = uv_async_init(loop, &async, on_async);
      if (error == 0) add(async);
      return error;
    }
    if (const int error = uv_poll_init(loop, &poll, descriptor); error != 0) return error;
    add(poll);
    return uv_poll_start(&poll, UV_READABLE, on_poll);
  }

  [[nodiscard]] int start_turns(uv_loop_t* loop) {
    if (const int error = uv_prepare_init(loop, &prepare); error != 0) return error;
    add(prepare);
    if (const int error = uv_idle_init(loop, &idle); error != 0) return error;
    add(idle);
    return uv_prepare_start(&prepare, on_prepare);
  }

  /// The handle that keeps the loop alive when it has to.
  [[nodiscard]] uv_handle_t* signal() noexcept {
    return poll.data != nullptr ? reinterpret_cast<uv_handle_t*>(&poll)
                                : reinterpret_cast<uv_handle_t*>(&async);
  }

  void close() {
    for (uv_handle_t* handle :
         {reinterpret_cast<uv_handle_t*>(&poll), reinterpret_cast<uv_handle_t*>(&async),
          reinterpret_cast<uv_handle_t*>(&prepare), reinterpret_cast<uv_handle_t*>(&idle)}) {
      if (handle->data != nullptr) uv_close(handle, on_close);
    }
  }
};

std::unique_ptr<LoopWatcher> LoopWatcher::make(napi_env env, int descriptor, Client& client,
                                               std::string& error) {
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok || loop == nullptr) {
    error = "ENOSYS";
    return nullptr;
  }
  auto handles = std::make_shared<Handles>();
  handles->client = &client;
  int failure = handles->start_signal(loop, descriptor);
  if (failure == 0) failure = handles->start_turns(loop);
  if (handles->open > 0) handles->self = handles;
  std::unique_ptr<LoopWatcher> watcher(new LoopWatcher(handles));  // closes what there is when it goes
  if (failure == 0) return watcher;
  error = uv_err_name(failure);
  return nullptr;
}

LoopWatcher::LoopWatcher(std::shared_ptr<Handles> handles) : handles_(std::move(handles)) {}

LoopWatcher::~LoopWatcher() { close(nullptr); }

void LoopWatcher::ref() {
  if (handles_) uv_ref(handles_->signal());
}

void LoopWatcher::unref() {
  if (handles_) uv_unref(handles_->signal());
}

void LoopWatcher::notify() noexcept {
  // It fails only on a handle that was closed, which the rules of this class rule out.
  if (handles_) static_cast<void>(uv_async_send(&handles_->async));
}

void LoopWatcher::close(std::function<void()> closed) {
  const std::shared_ptr<Handles> handles = std::exchange(handles_, nullptr);
  if (!handles) return;
  handles->client = nullptr;
  handles->closed = std::move(closed);
  handles->close();
}

}  // namespace iocp
