#include "bridge/port_rings.h"

#include <algorithm>

namespace iocp {

namespace {

/// Rounds of collect and deliver in one turn of the loop: timers and other sockets want their share.
constexpr int kRoundsPerTurn = 16;

}  // namespace

void PortRings::drain() {
  std::int32_t& count = memory_.submission[submission_header::kCount];
  if (count > 0) {
    const auto room = static_cast<std::int32_t>((memory_.submission.size() - kHeaderWords) / kRecordWords);
    engine_->submit(memory_.submission.data() + kHeaderWords, std::min(count, room));
    count = 0;
  }
  engine_->flush();
}

bool PortRings::deliver(std::size_t count) {
  memory_.completion[completion_header::kParked] = static_cast<std::int32_t>(engine_->parked());
  memory_.completion[completion_header::kKernelSlots] = static_cast<std::int32_t>(engine_->available_slots());
  return deliver_(static_cast<std::int32_t>(count));
}

void PortRings::pump() {
  for (int round = 0; round < kRoundsPerTurn; ++round) {
    const std::size_t count = engine_->collect(completion_records(), limit::kCompletionRecords);
    const bool starved = engine_->take_starved();
    if (count == 0 && !starved) return;
    if (!deliver(count)) return;
    drain();
  }
}

void PortRings::on_signal() {
  engine_->driver().acknowledge();
  pump();
}

void PortRings::on_work() { pump(); }

bool PortRings::before_block() {
  drain();
  return engine_->prepare_wait();
}

void PortRings::close(bool deliver_completions) {
  engine_->close();
  while (deliver_completions) {
    const std::size_t count = engine_->collect(completion_records(), limit::kCompletionRecords);
    if (count == 0 || !deliver(count)) return;
  }
}

}  // namespace iocp
