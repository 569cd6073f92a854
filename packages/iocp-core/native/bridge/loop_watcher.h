#pragma once

#include <functional>
#include <memory>
#include <string>

#include "bridge/node_api.h"

namespace iocp {

/// Joins a port to the event loop of its thread. The only place that knows libuv.
class LoopWatcher {
 public:
  /// Called on the loop's thread.
  class Client {
   public:
    virtual ~Client() = default;
    /// The watched descriptor is readable, or `notify` was called.
    virtual void on_signal() = 0;
    /// `before_block` has found work: here it is done, in the next turn of the loop.
    virtual void on_work() = 0;
    /// The loop is about to block. False: there is work. Must not call JavaScript: what that submits elsewhere would
    /// be seen too late, because others have been asked already.
    [[nodiscard]] virtual bool before_block() = 0;
  };

  /// Watches `descriptor`, or waits for `notify` when it is `Driver::kNoDescriptor`, until `close`. Does not keep the
  /// loop alive before `ref`.
  /// @param client outlives the watcher, or the call of `close`
  /// @return null when libuv refuses; `error` is then its name for the error, `EMFILE` for example
  [[nodiscard]] static std::unique_ptr<LoopWatcher> make(napi_env env, int descriptor, Client& client,
                                                         std::string& error);

  LoopWatcher(const LoopWatcher&) = delete;
  LoopWatcher& operator=(const LoopWatcher&) = delete;
  ~LoopWatcher();

  void ref();
  void unref();

  /// Signals the client: for drivers without a descriptor. From any thread, but not after `close`.
  void notify() noexcept;

  /// Takes the handles out of the loop, which needs another turn for it; then calls `closed`. The client is not called
  /// any more from here on.
  void close(std::function<void()> closed);

 private:
  struct Handles;
  explicit LoopWatcher(std::shared_ptr<Handles> handles);
  std::shared_ptr<Handles> handles_;
};

}  // namespace iocp
