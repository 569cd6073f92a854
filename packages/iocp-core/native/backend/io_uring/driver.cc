#include "backend/io_uring/driver.h"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <optional>
#include <utility>

#include "backend/io_uring/buffer_ring.h"
#include "backend/io_uring/datagrams.h"
#include "backend/io_uring/kernel_abi.h"
#include "backend/io_uring/prepare.h"
#include "backend/io_uring/probe.h"
#include "backend/io_uring/ring.h"
#include "backend/posix/datagram_message.h"
#include "backend/posix/errno.h"

namespace iocp {

namespace uring {

namespace {

int shutdown_direction(std::int32_t direction) noexcept {
  switch (direction) {
    case shutdown_direction::kRead: return SHUT_RD;
    case shutdown_direction::kWrite: return SHUT_WR;
    default: return SHUT_RDWR;
  }
}

/// Rounds of a busy port after which it is looked for missed hang-ups although it never blocks.
constexpr int kRoundsPerCheck = 128;

/// Datagrams that are tried again when a full buffer has room: most of them would come back once more.
constexpr std::uint32_t kDatagramsPerRetry = 32;

class UringDriver final : public Driver {
 public:
  UringDriver(Ring ring, BufferRing buffers, posix::Descriptor signal, const BufferSlots& slots)
      : slots_(slots), ring_(std::move(ring)), buffers_(std::move(buffers)), signal_(std::move(signal)) {}

  [[nodiscard]] const char* name() const noexcept override { return "io_uring"; }

  [[nodiscard]] std::vector<std::string> features() const override {
    return {"single_issuer",     "defer_taskrun",        "multishot_accept", "multishot_recv",
            "multishot_recvmsg", "provided_buffer_ring", "eventfd"};
  }

  [[nodiscard]] std::int32_t attach(Handle& handle) override {
    // On a non-blocking socket some operations end with EAGAIN instead of waiting in the ring.
    const int descriptor = static_cast<int>(handle.native);
    const int flags = fcntl(descriptor, F_GETFL);
    if (flags < 0) return -posix::from_errno(errno);
    if ((flags & O_NONBLOCK) == 0) return 0;
    return fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK) == 0 ? 0 : -posix::from_errno(errno);
  }

  void start(Operation& operation) override {
    if (operation.code == OpCode::Shutdown) {
      // As an operation of the ring it would go to a worker thread of the kernel; it never blocks.
      const int result =
          ::shutdown(static_cast<int>(operation.handle->native), shutdown_direction(operation.argument));
      ++own_system_calls_;
      ready_.push_back({.operation = &operation, .result = result == 0 ? 0 : -posix::from_errno(errno)});
      return;
    }
    operation.driver_queued = false;
    operation.driver_restarting = false;
    if (operation.code == OpCode::SendTo) return enter_round(operation, limit::kDatagramsMax);
    enqueue({.kind = Request::Kind::Start, .operation = &operation});
  }

  void cancel(Operation& operation) override {
    enqueue({.kind = Request::Kind::Cancel, .operation = &operation});
  }

  void close(Handle& /*handle*/, Operation& close) override {
    enqueue({.kind = Request::Kind::Close, .operation = &close});
  }

  void provide(std::uint32_t slot) override {
    buffers_.add(slots_, slot);
    provided_ = true;
  }

  void flush() override {
    set_signalling(false);
    publish_buffers();
    do {
      while (!backlog_.empty() && write(backlog_.front())) backlog_.pop_front();
      if (ring_.unsubmitted() == 0) return;
      // EBUSY, EAGAIN: completions have to be reaped first; the entries stay where they are.
      if (ring_.enter() != 0) return;
    } while (!backlog_.empty());
  }

  [[nodiscard]] std::size_t reap(std::span<Event> events) override {
    set_signalling(false);
    if (++rounds_since_check_ > kRoundsPerCheck) restart_hung_up();
    std::size_t count = 0;
    bool entered = false;
    while (count < events.size()) {
      if (!ready_.empty()) {
        events[count++] = ready_.front();
        ready_.pop_front();
        continue;
      }
      const io_uring_cqe* entry = ring_.peek();
      if (entry == nullptr) {
        // Once a call: under load there is always more, and JavaScript must get its turn.
        if (entered || !ring_.work_waits()) break;
        if (ring_.overflowed()) ++overflows_;
        entered = true;
        if (ring_.enter() != 0) break;
        continue;
      }
      if (take(*entry, events[count])) ++count;
      ring_.advance();
    }
    return count;
  }

  [[nodiscard]] bool prepare_wait() override {
    if (!has_completions()) restart_hung_up();
    if (!ready_.empty() || !backlog_.empty() || ring_.unsubmitted() > 0) return false;
    if (has_completions()) return false;
    set_signalling(true);
    // What came between the first look and the switch has signalled nobody.
    return !has_completions();
  }

  [[nodiscard]] int wait_descriptor() const noexcept override { return signal_.get(); }

  void notify_with(std::function<void()> /*notify*/) override {}

  void acknowledge() override {
    std::uint64_t count = 0;
    ++own_system_calls_;
    // EAGAIN: somebody has read it already. There is no other failure for an eventfd of ours.
    [[maybe_unused]] const auto result = ::read(signal_.get(), &count, sizeof(count));
  }

  void wait(int milliseconds) override {
    pollfd descriptor{.fd = signal_.get(), .events = POLLIN, .revents = 0};
    ++own_system_calls_;
    if (::poll(&descriptor, 1, milliseconds) > 0) acknowledge();
  }

  void wake() noexcept override {
    constexpr std::uint64_t kOne = 1;
    // Fails only when the counter is full, and then the descriptor is readable already.
    [[maybe_unused]] const auto result = ::write(signal_.get(), &kOne, sizeof(kOne));
  }

  [[nodiscard]] DriverStats stats() const noexcept override {
    return {.system_calls = ring_.system_calls() + own_system_calls_, .overflows = overflows_};
  }

 private:
  struct Request {
    enum class Kind : std::uint8_t { Start, WaitForRoom, Cancel, Close } kind;
    Operation* operation;
    std::uint32_t datagram = 0;  // SendTo: the next one to look at
    std::uint32_t room = 0;      // SendTo: how many may be written
  };

  void enqueue(Request request) {
    if (!backlog_.empty() || !write(request)) backlog_.push_back(request);
  }

  /// A zeroed submission entry, or null when the queue is full, also after handing it over.
  [[nodiscard]] io_uring_sqe* next_entry() {
    if (io_uring_sqe* entry = ring_.next_entry(); entry != nullptr) return entry;
    publish_buffers();
    return ring_.enter() == 0 ? ring_.next_entry() : nullptr;
  }

  /// False when there is no room: then the request has to be written again, from where it got to.
  [[nodiscard]] bool write(Request& request) {
    if (request.kind == Request::Kind::Start && request.operation->code == OpCode::SendTo) {
      return write_datagrams(request);
    }
    io_uring_sqe* entry = next_entry();
    if (entry == nullptr) return false;
    switch (request.kind) {
      case Request::Kind::Start: prepare_operation(*entry, *request.operation); break;
      case Request::Kind::WaitForRoom: prepare_wait_for_room(*entry, *request.operation); break;
      case Request::Kind::Cancel: prepare_cancel(*entry, *request.operation); break;
      case Request::Kind::Close: prepare_close(*entry, *request.operation); break;
    }
    return true;
  }

  /// Writes the datagrams of a SendTo that have not settled, as far as there may be room for them in the socket's buffer.
  [[nodiscard]] bool write_datagrams(Request& request) {
    Operation& operation = *request.operation;
    Handle& handle = *operation.handle;
    for (; request.datagram < handle.outgoing.size(); ++request.datagram) {
      if (request.room == 0 || operation.cancel_requested) break;
      OutgoingDatagram& datagram = handle.outgoing[request.datagram];
      if (datagram.operation == nullptr) continue;
      if (const std::int32_t error = posix::prepare_message(datagram, handle.kind); error != 0) {
        ready_.push_back(refusal_of(datagram, error));
        settle(datagram);
        continue;
      }
      io_uring_sqe* entry = next_entry();
      if (entry == nullptr) return false;
      prepare_send_to(*entry, datagram);
      ++operation.datagrams_busy;
      --request.room;
    }
    leave_round(operation);
    return true;
  }

  void enter_round(Operation& operation, std::uint32_t room) {
    operation.datagrams_busy = 1;  // the request that writes the others
    enqueue({.kind = Request::Kind::Start, .operation = &operation, .room = room});
  }

  /// The last one to leave a round ends the SendTo, or begins another round when there is room for it.
  void leave_round(Operation& operation) {
    if (--operation.datagrams_busy > 0) return;
    if (operation.datagrams_settled < operation.handle->outgoing.size() && !operation.cancel_requested) {
      return enqueue({.kind = Request::Kind::WaitForRoom, .operation = &operation});
    }
    ready_.push_back(
        {.operation = &operation, .result = static_cast<std::int32_t>(operation.datagrams_taken)});
  }

  void publish_buffers() noexcept {
    if (std::exchange(provided_, false)) buffers_.publish();
  }

  [[nodiscard]] bool has_completions() const noexcept {
    return ring_.peek() != nullptr || ring_.work_waits();
  }

  /// While we are awake the kernel need not tell us anything.
  void set_signalling(bool on) noexcept {
    if (std::exchange(signalling_, on) != on) ring_.set_signalling(on);
  }

  /// Writes what the completion means to `event`. False when it is nobody's event.
  bool take(const io_uring_cqe& entry, Event& event) {
    if (OutgoingDatagram* datagram = datagram_of(entry.user_data); datagram != nullptr) {
      return take_datagram(*datagram, entry.res, event);
    }
    Operation* operation = operation_of(entry.user_data);
    if (operation == nullptr) return false;
    if (operation->code == OpCode::SendTo) {
      enter_round(*operation, kDatagramsPerRetry);  // there is room, or it was told to end
      return false;
    }
    event = event_of(*operation, entry);
    return !restarts(*operation, entry);
  }

  bool take_datagram(OutgoingDatagram& datagram, std::int32_t result, Event& event) {
    Operation& operation = *datagram.operation;
    const bool refused = result < 0 && result != -EAGAIN;
    if (refused) event = refusal_of(datagram, -posix::from_errno(-result));
    if (result >= 0) ++operation.datagrams_taken;
    if (result >= 0 || refused) settle(datagram);
    leave_round(operation);
    return refused;
  }

  static Event refusal_of(const OutgoingDatagram& datagram, std::int32_t error) noexcept {
    return {.operation = datagram.operation,
            .result = error,
            .datagram = static_cast<std::int32_t>(datagram.index),
            .more = true};
  }

  /// True when the completion is only the end of a receive that is started anew, and nobody's event.
  bool restarts(Operation& operation, const io_uring_cqe& entry) {
    if (operation.code != OpCode::Recv) return false;
    if ((entry.flags & abi::kCompletionMore) != 0) {
      if ((entry.flags & abi::kCompletionSocketNonEmpty) == 0) watch_for_hang_up(operation);
      return false;
    }
    operation.driver_queued = false;
    if (!std::exchange(operation.driver_restarting, false)) return false;
    if (entry.res != -ECANCELED || operation.cancel_requested) return false;
    start(operation);
    return true;
  }

  /// A multishot receive that has emptied its socket waits for the next wake-up. When a reset came while it was still
  /// receiving, that wake-up may have been and gone (Linux up to 6.18 at least): it would wait for ever.
  void watch_for_hang_up(Operation& operation) {
    if (!std::exchange(operation.driver_queued, true)) drained_.push_back(&operation);
  }

  /// Asks the sockets that were emptied since the last time, all at once, and starts the receives of those anew that
  /// have hung up: that reads the reason.
  void restart_hung_up() {
    rounds_since_check_ = 0;
    std::erase_if(drained_, [](const Operation* operation) {
      return operation->state != Operation::State::InDriver || !operation->driver_queued;
    });
    if (drained_.empty()) return;
    polled_.clear();
    for (const Operation* operation : drained_) {
      polled_.push_back(
          {.fd = static_cast<int>(operation->handle->native), .events = POLLRDHUP, .revents = 0});
    }
    ++own_system_calls_;
    // Fails for lack of memory only: then they stay listed, for the next check.
    const int hung_up = ::poll(polled_.data(), polled_.size(), 0);
    if (hung_up < 0) return;
    for (Operation* operation : drained_) operation->driver_queued = false;
    if (hung_up > 0) restart_polled();
    drained_.clear();
  }

  void restart_polled() {
    for (std::size_t i = 0; i < polled_.size(); ++i) {
      Operation& operation = *drained_[i];
      if (polled_[i].revents == 0 || operation.driver_restarting || operation.cancel_requested) continue;
      operation.driver_restarting = true;
      enqueue({.kind = Request::Kind::Cancel, .operation = &operation});
    }
  }

  [[nodiscard]] Event event_of(Operation& operation, const io_uring_cqe& entry) const noexcept {
    Event event{.operation = &operation};
    event.more = (entry.flags & abi::kCompletionMore) != 0;
    if ((entry.flags & abi::kCompletionBuffer) != 0) {
      event.slot = static_cast<std::int32_t>(entry.flags >> abi::kCompletionBufferShift);
    }
    if (entry.res < 0) {
      event.result = -posix::from_errno(-entry.res);
    } else if (operation.code == OpCode::Accept) {
      event.accepted = entry.res;
    } else if (operation.code == OpCode::RecvFrom) {
      event.result = finish_receive_from(slots_.address(static_cast<std::uint32_t>(event.slot)), entry.res);
    } else {
      event.result = entry.res;
    }
    return event;
  }

  const BufferSlots& slots_;
  Ring ring_;
  BufferRing buffers_;
  posix::Descriptor signal_;
  std::deque<Event> ready_;          // what comes before the ring's next completion
  std::deque<Request> backlog_;      // what did not fit into the submission queue
  std::vector<Operation*> drained_;  // receives that have emptied their sockets
  std::vector<pollfd> polled_;
  int rounds_since_check_ = 0;
  bool provided_ = false;
  bool signalling_ = true;
  std::uint64_t own_system_calls_ = 0;
  std::uint64_t overflows_ = 0;
};

}  // namespace

}  // namespace uring

std::unique_ptr<Driver> make_uring_driver(const BufferSlots& slots, unsigned entries, Probe& probe) {
  using namespace uring;
  RingError error;
  std::optional<Ring> ring = Ring::make(entries, error);
  if (!ring) {
    probe = explain_refusal(error);
    return nullptr;
  }
  if (const char* missing = missing_operation(*ring); missing != nullptr) {
    probe = explain_missing(missing);
    return nullptr;
  }
  BufferRing buffers;
  if (const int failed = buffers.make(*ring, slots); failed != 0) {
    probe = explain_refusal({failed, "io_uring_register(IORING_REGISTER_PBUF_RING)"});
    return nullptr;
  }
  posix::Descriptor signal(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!signal) {
    probe = explain_refusal({errno, "eventfd"});
    return nullptr;
  }
  if (const int failed = ring->register_eventfd(signal.get()); failed != 0) {
    probe = explain_refusal({failed, "io_uring_register(IORING_REGISTER_EVENTFD)"});
    return nullptr;
  }
  // Some sandboxes allow the set-up and forbid the rest.
  if (const int failed = ring->enter(); failed != 0) {
    probe = explain_refusal({failed, "io_uring_enter"});
    return nullptr;
  }
  probe = {.available = true, .error = 0, .reason = {}, .hint = {}};
  return std::make_unique<UringDriver>(std::move(*ring), std::move(buffers), std::move(signal), slots);
}

}  // namespace iocp
