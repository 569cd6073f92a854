#pragma once

#include <cstdint>
#include <memory>
#include <unordered_set>

#include "backend/net/socket_system.h"
#include "bridge/loop_watcher.h"
#include "bridge/node_api.h"
#include "bridge/port_options.h"
#include "bridge/port_rings.h"

namespace iocp {

/// One port from its making to its end: the memory it borrows, the engine, its place in the event loop. Ends by `close`,
/// or with the environment, also when a worker is terminated in the middle.
class PortSession final : public std::enable_shared_from_this<PortSession> {
 public:
  /// Borrows the arrays named in `options`, and makes the driver. Throws a JavaScript error with `rejected` when there is
  /// none.
  [[nodiscard]] static std::shared_ptr<PortSession> make(Napi::Env env, const Napi::Object& options);
  PortSession(const PortSession&) = delete;
  PortSession& operator=(const PortSession&) = delete;
  ~PortSession() = default;

  [[nodiscard]] bool open() const noexcept { return open_; }
  /// Only while `open`.
  [[nodiscard]] PortRings& rings() noexcept { return *rings_; }
  [[nodiscard]] LoopWatcher& watcher() noexcept { return *watcher_; }
  [[nodiscard]] std::size_t pool_base() const noexcept { return pool_base_; }
  [[nodiscard]] std::uint32_t entries() const noexcept { return entries_; }
  [[nodiscard]] const std::vector<RejectedBackend>& rejected() const noexcept { return rejected_; }

  [[nodiscard]] std::uint64_t open_mailbox(std::uint32_t token, std::uint32_t generation);
  void close_mailbox(std::uint64_t id);

  /// Ends the port: everything in flight is joined and, with `deliver`, reported. Nothing is called afterwards.
  void close(bool deliver);

 private:
  explicit PortSession(Napi::Env env)
      : env_(env), context_(std::make_unique<Napi::AsyncContext>(env, "iocp.CompletionPort")) {}
  void borrow(const Napi::Object& options, const PortOptions& parsed);
  void make_engine(const PortOptions& options);
  void join_loop();
  [[nodiscard]] bool deliver(std::int32_t count);
  void let_go();
  static void on_environment_end(napi_async_cleanup_hook_handle handle, void* data);

  Napi::Env env_;
  std::unique_ptr<Napi::AsyncContext> context_;
  Napi::FunctionReference on_batch_;
  Napi::Reference<Napi::Int32Array> submission_;
  Napi::Reference<Napi::Int32Array> completion_;
  Napi::Reference<Napi::Uint8Array> pool_;
  SharedMemory memory_;
  std::size_t pool_base_ = 0;
  std::uint32_t entries_ = 0;
  std::vector<RejectedBackend> rejected_;
  net::NativeSocketSystem system_;
  std::unique_ptr<BufferSlots> slots_;
  std::unique_ptr<PortRings> rings_;
  std::unique_ptr<LoopWatcher> watcher_;
  std::unordered_set<std::uint64_t> mailboxes_;
  bool open_ = false;
  napi_async_cleanup_hook_handle cleanup_hook_ = nullptr;
  /// Held by the environment's cleanup hook until the loop has let go.
  std::shared_ptr<PortSession> self_;
};

}  // namespace iocp
