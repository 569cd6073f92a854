#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "bridge/loop_watcher.h"
#include "bridge/node_api.h"
#include "core/engine.h"

namespace iocp {

/// The shared blocks, borrowed from JavaScript.
struct SharedMemory {
  std::span<std::int32_t> submission;
  std::span<std::int32_t> completion;
  std::span<std::byte> pool;
};

/// Moves records between the shared blocks and the engine, at the pace of the event loop.
class PortRings final : public LoopWatcher::Client {
 public:
  /// Hands a batch of completions to JavaScript. False when JavaScript can no longer be called.
  using Deliver = std::function<bool(std::int32_t count)>;

  PortRings(std::unique_ptr<Engine> engine, SharedMemory memory, Deliver deliver)
      : engine_(std::move(engine)), memory_(memory), deliver_(std::move(deliver)) {}

  [[nodiscard]] Engine& engine() noexcept { return *engine_; }

  /// Reads the submission ring, and hands it to the system.
  void drain();

  /// Ends everything in flight. What settles is delivered first, unless JavaScript can no longer be called.
  void close(bool deliver);

  void on_signal() override;
  void on_work() override;
  [[nodiscard]] bool before_block() override;

 private:
  void pump();
  [[nodiscard]] bool deliver(std::size_t count);
  [[nodiscard]] std::int32_t* completion_records() const noexcept {
    return memory_.completion.data() + kHeaderWords;
  }

  std::unique_ptr<Engine> engine_;
  SharedMemory memory_;
  Deliver deliver_;
};

}  // namespace iocp
