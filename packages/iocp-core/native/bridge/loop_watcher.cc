#include "bridge/loop_watcher.h"

#include <uv.h>

#include <utility>

namespace iocp {

/// What libuv holds on to until every handle has been closed; keeps itself alive that long.
struct LoopWatcher::Handles {
  uv_poll_t poll{};
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
    if (Client* client = of(handle)->client; client != nullptr) client->on_readable();
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

  void close() {
    for (uv_handle_t* handle :
         {reinterpret_cast<uv_handle_t*>(&poll), reinterpret_cast<uv_handle_t*>(&prepare),
          reinterpret_cast<uv_handle_t*>(&idle)}) {
      if (handle->data != nullptr) uv_close(handle, on_close);
    }
  }
};

std::unique_ptr<LoopWatcher> LoopWatcher::make(napi_env env, int descriptor, Client& client, int& error) {
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok || loop == nullptr) {
    error = UV_ENOSYS;
    return nullptr;
  }
  auto handles = std::make_shared<Handles>();
  error = uv_poll_init(loop, &handles->poll, descriptor);
  if (error != 0) return nullptr;
  handles->self = handles;
  handles->client = &client;
  handles->add(handles->poll);
  std::unique_ptr<LoopWatcher> watcher(new LoopWatcher(handles));
  if ((error = uv_prepare_init(loop, &handles->prepare)) != 0) return nullptr;
  handles->add(handles->prepare);
  if ((error = uv_idle_init(loop, &handles->idle)) != 0) return nullptr;
  handles->add(handles->idle);
  if ((error = uv_poll_start(&handles->poll, UV_READABLE, Handles::on_poll)) != 0) return nullptr;
  if ((error = uv_prepare_start(&handles->prepare, Handles::on_prepare)) != 0) return nullptr;
  return watcher;
}

LoopWatcher::LoopWatcher(std::shared_ptr<Handles> handles) : handles_(std::move(handles)) {}

LoopWatcher::~LoopWatcher() { close(nullptr); }

void LoopWatcher::ref() {
  if (handles_) uv_ref(reinterpret_cast<uv_handle_t*>(&handles_->poll));
}

void LoopWatcher::unref() {
  if (handles_) uv_unref(reinterpret_cast<uv_handle_t*>(&handles_->poll));
}

void LoopWatcher::close(std::function<void()> closed) {
  const std::shared_ptr<Handles> handles = std::exchange(handles_, nullptr);
  if (!handles) return;
  handles->client = nullptr;
  handles->closed = std::move(closed);
  handles->close();
}

}  // namespace iocp
