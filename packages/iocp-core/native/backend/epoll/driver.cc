#include "backend/epoll/driver.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "backend/epoll/attempt.h"
#include "backend/epoll/datagram_calls.h"
#include "backend/posix/descriptor.h"
#include "backend/posix/errno.h"
#include "core/event_queue.h"
#include "core/operation_queue.h"

namespace iocp {
namespace {

/// Slots that one socket fills, and connections that one listener takes, before it is the turn of the others.
constexpr int kReceivesPerTurn = 8;
constexpr int kAcceptsPerTurn = 64;
constexpr std::size_t kReportsPerPoll = 256;

constexpr std::uint32_t kInterest = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET;
/// A datagram socket reports room after every single datagram that left it: asked for only while a SendTo waits for it.
constexpr std::uint32_t kDatagramInterest = EPOLLIN | EPOLLET;
constexpr std::uint32_t kReadableReport = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
constexpr std::uint32_t kWritableReport = EPOLLOUT | EPOLLHUP | EPOLLERR;
/// With one of these, less than asked for does not mean that everything was read: the end or an error may
/// follow (and an edge is reported once), and a read stops early at urgent data.
constexpr std::uint32_t kMoreBehindReport = EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR;

/// Bits of `Handle::driver_flags`. The first three: what the kernel reported and no attempt has contradicted
/// yet.
constexpr std::uint32_t kReadable = 1;
constexpr std::uint32_t kWritable = 2;
constexpr std::uint32_t kMoreBehind = 4;
constexpr std::uint32_t kNonBlocking = 8;    // O_NONBLOCK is set
constexpr std::uint32_t kConnecting = 16;    // connect was called
constexpr std::uint32_t kCancelReader = 32;  // the operation that reads is to end
constexpr std::uint32_t kCancelWriter = 64;  // the operation that writes is to end
constexpr std::uint32_t kAwaitsRoom = 128;   // a datagram socket of which EPOLLOUT was asked for

/// In the place of a handle's key: the eventfd.
constexpr std::uint64_t kWakeKey = ~std::uint64_t{0};

std::uint64_t key_of(const Handle& handle) noexcept {
  return (std::uint64_t{handle.generation} << 32) | handle.index;
}

int descriptor_of(const Handle& handle) noexcept { return static_cast<int>(handle.native); }

class EpollDriver final : public Driver {
 public:
  EpollDriver(posix::Descriptor epoll, posix::Descriptor signal, const BufferSlots& slots)
      : epoll_(std::move(epoll)), signal_(std::move(signal)), slots_(slots) {}

  [[nodiscard]] const char* name() const noexcept override { return "epoll"; }
  [[nodiscard]] std::vector<std::string> features() const override { return {"edge-triggered"}; }

  [[nodiscard]] std::int32_t attach(Handle& handle) override;
  void start(Operation& operation) override;
  void cancel(Operation& operation) override;
  void close(Handle& handle, Operation& close) override;
  void provide(std::uint32_t slot) override { free_slots_.push_back(slot); }
  void flush() override;
  [[nodiscard]] std::size_t reap(std::span<Event> events) override;
  [[nodiscard]] bool prepare_wait() override;
  [[nodiscard]] int wait_descriptor() const noexcept override { return epoll_.get(); }
  void notify_with(std::function<void()> /*notify*/) override {}
  void acknowledge() override;
  void wait(int milliseconds) override;
  void wake() noexcept override;
  [[nodiscard]] DriverStats stats() const noexcept override { return stats_; }

 private:
  void poll_reports();
  void note_report(std::uint64_t key, std::uint32_t report);
  void try_operation(Operation& operation);
  void try_receive(Operation& operation);
  void try_accept(Operation& operation);
  void try_send(Operation& operation);
  void try_connect(Operation& operation);
  void try_receive_from(Operation& operation);
  void try_send_to(Operation& operation);
  [[nodiscard]] bool send_some(Operation& operation);
  void refuse(Operation& operation, std::int32_t error);
  void await_room(Operation& operation);
  void finish_send_to(Operation& operation);
  [[nodiscard]] std::int32_t change_interest(Handle& handle, std::uint32_t interest);
  [[nodiscard]] bool ensure_nonblocking(Operation& operation);
  void finish(Operation& operation, std::int32_t result);

  posix::Descriptor epoll_;
  posix::Descriptor signal_;
  const BufferSlots& slots_;
  std::vector<std::uint32_t> free_slots_;  // the last one given is used first: its memory is warm
  std::vector<Handle*> handles_;           // attached ones, by index
  OperationQueue outgoing_;                // Send, SendTo, Connect and Shutdown to try
  OperationQueue incoming_;                // Recv, RecvFrom and Accept to try
  EventQueue done_;
  std::unique_ptr<attempt::DatagramCalls> datagrams_;  // from the first datagram socket on
  bool polled_ = false;                                // since the last reap
  std::array<epoll_event, kReportsPerPoll> reports_{};
  DriverStats stats_;
};

std::int32_t EpollDriver::attach(Handle& handle) {
  // The key and not a pointer: a report that is on its way while the handle is closed must not find the next
  // owner of the place.
  const bool stream = handle.kind == SocketKind::Stream;
  epoll_event interest{.events = stream ? kInterest : kDatagramInterest, .data = {.u64 = key_of(handle)}};
  ++stats_.system_calls;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor_of(handle), &interest) != 0) {
    return -posix::from_errno(errno);
  }
  if (!stream && datagrams_ == nullptr) datagrams_ = std::make_unique<attempt::DatagramCalls>(slots_);
  if (handles_.size() <= handle.index) handles_.resize(handle.index + std::size_t{1}, nullptr);
  handles_[handle.index] = &handle;
  handle.driver_flags = kWritable;  // nearly always so: the first send does not wait for a report
  handle.driver_reader = nullptr;
  handle.driver_writer = nullptr;
  return 0;
}

void EpollDriver::start(Operation& operation) {
  Handle& handle = *operation.handle;
  switch (operation.code) {
    case OpCode::Recv:
    case OpCode::RecvFrom:
    case OpCode::Accept:
      handle.driver_reader = &operation;
      if ((handle.driver_flags & kReadable) != 0) incoming_.push(operation);
      return;
    case OpCode::Send:
    case OpCode::SendTo:
      handle.driver_writer = &operation;
      if ((handle.driver_flags & kWritable) != 0) outgoing_.push(operation);
      return;
    case OpCode::Connect: handle.driver_writer = &operation; [[fallthrough]];
    default: outgoing_.push(operation);
  }
}

void EpollDriver::cancel(Operation& operation) {
  // An operation that the handle does not wait for any more has ended: its last event is on the way.
  Handle& handle = *operation.handle;
  if (handle.driver_reader == &operation) {
    handle.driver_flags |= kCancelReader;
    incoming_.push(operation);
  } else if (handle.driver_writer == &operation) {
    handle.driver_flags |= kCancelWriter;
    outgoing_.push(operation);
  }
}

void EpollDriver::close(Handle& handle, Operation& close) {
  handles_[handle.index] = nullptr;
  // Closing alone is not enough where a duplicate of the descriptor lives on, in a child process for
  // instance.
  stats_.system_calls += 2;
  static_cast<void>(::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, descriptor_of(handle), nullptr));
  // The number is free even when close fails: trying again could close the descriptor of somebody else.
  const bool closed = ::close(descriptor_of(handle)) == 0 || errno == EINTR;
  done_.push({.operation = &close, .result = closed ? 0 : -posix::from_errno(errno)});
}

void EpollDriver::flush() {
  while (!outgoing_.empty()) try_operation(outgoing_.pop());
}

std::size_t EpollDriver::reap(std::span<Event> events) {
  if (!std::exchange(polled_, false)) poll_reports();
  flush();
  // Everybody has one turn. Those that are not through go to the end of the queue for the next time.
  OperationQueue turn = incoming_.take_all();
  while (!turn.empty() && done_.size() < events.size()) try_operation(turn.pop());
  incoming_.prepend(turn);
  polled_ = false;
  return done_.take(events);
}

bool EpollDriver::prepare_wait() { return done_.empty() && outgoing_.empty() && incoming_.empty(); }

void EpollDriver::acknowledge() {
  poll_reports();
  polled_ = true;
}

void EpollDriver::wait(int milliseconds) {
  pollfd waited{.fd = epoll_.get(), .events = POLLIN, .revents = 0};
  ++stats_.system_calls;
  static_cast<void>(::poll(&waited, 1, milliseconds));  // whatever it says, the caller looks for itself
}

void EpollDriver::wake() noexcept {
  const std::uint64_t one = 1;
  // Fails only when 2^64 - 2 signals are unread, and then the descriptor is readable anyway.
  static_cast<void>(!::write(signal_.get(), &one, sizeof one));
}

void EpollDriver::poll_reports() {
  ++stats_.system_calls;
  const int count = ::epoll_wait(epoll_.get(), reports_.data(), static_cast<int>(reports_.size()), 0);
  // An error can only be EINTR: the descriptor stays readable, so the next turn sees the same.
  for (int i = 0; i < count; ++i) {
    const epoll_event& report = reports_[static_cast<std::size_t>(i)];
    note_report(report.data.u64, report.events);
  }
}

void EpollDriver::note_report(std::uint64_t key, std::uint32_t report) {
  // The eventfd is never read: it is edge-triggered too, and every write to it is an edge.
  if (key == kWakeKey) return;
  const auto index = static_cast<std::size_t>(key & 0xffffffffU);
  Handle* const handle = index < handles_.size() ? handles_[index] : nullptr;
  if (handle == nullptr || key_of(*handle) != key) return;
  if ((report & kReadableReport) != 0) {
    handle->driver_flags |= kReadable;
    if (handle->driver_reader != nullptr) incoming_.push(*handle->driver_reader);
  }
  if ((report & kMoreBehindReport) != 0) handle->driver_flags |= kMoreBehind;
  if ((report & kWritableReport) != 0) {
    handle->driver_flags |= kWritable;
    if (handle->driver_writer != nullptr) outgoing_.push(*handle->driver_writer);
  }
}

void EpollDriver::try_operation(Operation& operation) {
  if (operation.code == OpCode::Shutdown) {
    ++stats_.system_calls;
    return finish(operation, attempt::shutdown(descriptor_of(*operation.handle), operation.argument));
  }
  Handle& handle = *operation.handle;
  const std::uint32_t canceled = handle.driver_reader == &operation ? kCancelReader : kCancelWriter;
  const bool ends = (handle.driver_flags & canceled) != 0;
  if (operation.code == OpCode::SendTo) {
    return ends ? finish_send_to(operation) : try_send_to(operation);
  }
  if (ends) return finish(operation, -error_number::kECANCELED);
  switch (operation.code) {
    case OpCode::Recv: return try_receive(operation);
    case OpCode::RecvFrom: return try_receive_from(operation);
    case OpCode::Accept: return try_accept(operation);
    case OpCode::Send: return try_send(operation);
    case OpCode::Connect: return try_connect(operation);
    default: return finish(operation, -error_number::kEINVAL);
  }
}

void EpollDriver::try_receive(Operation& operation) {
  Handle& handle = *operation.handle;
  for (int turn = 0; turn < kReceivesPerTurn; ++turn) {
    if (free_slots_.empty()) return finish(operation, -error_number::kENOBUFS);
    const std::uint32_t slot = free_slots_.back();
    ++stats_.system_calls;
    const std::int32_t result =
        attempt::receive(descriptor_of(handle), {slots_.address(slot), slots_.slot_bytes()});
    if (result == -error_number::kEAGAIN) {
      handle.driver_flags &= ~kReadable;
      return;
    }
    if (result <= 0) return finish(operation, result);
    free_slots_.pop_back();
    done_.push(
        {.operation = &operation, .result = result, .slot = static_cast<std::int32_t>(slot), .more = true});
    const bool filled = static_cast<std::uint32_t>(result) == slots_.slot_bytes();
    if (!filled && (handle.driver_flags & kMoreBehind) == 0) {
      handle.driver_flags &= ~kReadable;
      return;
    }
  }
  incoming_.push(operation);
}

void EpollDriver::try_accept(Operation& operation) {
  Handle& handle = *operation.handle;
  if (!ensure_nonblocking(operation)) return;
  for (int turn = 0; turn < kAcceptsPerTurn; ++turn) {
    ++stats_.system_calls;
    const std::int32_t result = attempt::accept(descriptor_of(handle));
    if (result >= 0) {
      done_.push({.operation = &operation, .accepted = result, .more = true});
    } else if (result == -error_number::kEAGAIN) {
      handle.driver_flags &= ~kReadable;
      return;
    } else if (!attempt::concerns_one_connection(result)) {
      return finish(operation, result);
    }
  }
  incoming_.push(operation);
}

void EpollDriver::try_send(Operation& operation) {
  Handle& handle = *operation.handle;
  ++stats_.system_calls;
  const std::int32_t result = attempt::send(descriptor_of(handle), operation);
  if (result == -error_number::kEAGAIN) {
    handle.driver_flags &= ~kWritable;
    return;
  }
  // A short send filled the socket's buffer: the rest, which the engine starts, waits for the report of
  // space.
  if (result >= 0 && static_cast<std::size_t>(result) < attempt::bytes_left(operation)) {
    handle.driver_flags &= ~kWritable;
  }
  finish(operation, result);
}

void EpollDriver::try_connect(Operation& operation) {
  Handle& handle = *operation.handle;
  if (!ensure_nonblocking(operation)) return;
  // An unconnected socket is reported as hung up: that says nothing about the connection to come.
  if ((handle.driver_flags & kConnecting) == 0) {
    handle.driver_flags = (handle.driver_flags & ~(kReadable | kWritable | kMoreBehind)) | kConnecting;
  }
  ++stats_.system_calls;
  // Called again on every report: unlike SO_ERROR its answer cannot be mistaken when the report was an old
  // one.
  const std::int32_t result = attempt::connect(descriptor_of(handle), *handle.remote);
  if (result == -error_number::kEINPROGRESS || result == -error_number::kEALREADY) return;
  handle.driver_flags &= ~kConnecting;
  if (result == 0) handle.driver_flags |= kWritable;
  finish(operation, result);
}

void EpollDriver::try_receive_from(Operation& operation) {
  Handle& handle = *operation.handle;
  if (free_slots_.empty()) return finish(operation, -error_number::kENOBUFS);
  const std::size_t asked = std::min(free_slots_.size(), attempt::kReceivedMax);
  ++stats_.system_calls;
  const std::int32_t result = datagrams_->receive(descriptor_of(handle), free_slots_);
  if (result == -error_number::kEAGAIN) {
    handle.driver_flags &= ~kReadable;
    return;
  }
  if (result < 0) return finish(operation, result);
  const auto count = static_cast<std::size_t>(result);
  for (std::size_t i = 0; i < count; ++i) {
    done_.push({.operation = &operation,
                .result = datagrams_->received_bytes(i),
                .slot = static_cast<std::int32_t>(free_slots_.back()),
                .more = true});
    free_slots_.pop_back();
  }
  // The call also ends early at an error, for the next one to return: that has been, or is yet to be, reported.
  if (count < asked) {
    handle.driver_flags &= ~kReadable;
  } else {
    incoming_.push(operation);
  }
}

void EpollDriver::try_send_to(Operation& operation) {
  Handle& handle = *operation.handle;
  while (operation.datagrams_settled < handle.outgoing.size()) {
    if (!send_some(operation)) return await_room(operation);
  }
  finish_send_to(operation);
}

/// Sends up to the first datagram that cannot be sent at all, which it refuses. False when the socket's buffer is full.
bool EpollDriver::send_some(Operation& operation) {
  Handle& handle = *operation.handle;
  std::int32_t refusal = 0;
  const std::size_t count = datagrams_->prepare(
      std::span(handle.outgoing).subspan(operation.datagrams_settled), handle.kind, refusal);
  for (std::size_t first = 0; first < count;) {
    ++stats_.system_calls;
    const std::int32_t result = datagrams_->send(descriptor_of(handle), first, count - first);
    if (result == -error_number::kEAGAIN) return false;
    if (result < 0) {
      // About the first of them only.
      refuse(operation, result);
      ++first;
      continue;
    }
    const auto sent = static_cast<std::uint32_t>(result);
    operation.datagrams_taken += sent;
    operation.datagrams_settled += sent;
    first += sent;
  }
  if (refusal != 0) refuse(operation, refusal);
  return true;
}

void EpollDriver::refuse(Operation& operation, std::int32_t error) {
  done_.push({.operation = &operation,
              .result = error,
              .datagram = static_cast<std::int32_t>(operation.datagrams_settled++),
              .more = true});
}

void EpollDriver::await_room(Operation& operation) {
  Handle& handle = *operation.handle;
  handle.driver_flags &= ~kWritable;
  if ((handle.driver_flags & kAwaitsRoom) != 0) return;
  const std::int32_t error = change_interest(handle, kDatagramInterest | EPOLLOUT);
  if (error == 0) {
    handle.driver_flags |= kAwaitsRoom;
    return;
  }
  // Nobody would tell of room: what is left cannot be sent, and what was taken must not be forgotten.
  while (operation.datagrams_settled < handle.outgoing.size()) refuse(operation, error);
  finish_send_to(operation);
}

void EpollDriver::finish_send_to(Operation& operation) {
  Handle& handle = *operation.handle;
  // Should it fail there are more reports than needed, and that is all. The next SendTo has to find out for itself.
  if ((handle.driver_flags & kAwaitsRoom) != 0 && change_interest(handle, kDatagramInterest) == 0) {
    handle.driver_flags &= ~kAwaitsRoom;
  }
  handle.driver_flags |= kWritable;
  finish(operation, static_cast<std::int32_t>(operation.datagrams_taken));
}

std::int32_t EpollDriver::change_interest(Handle& handle, std::uint32_t interest) {
  epoll_event wanted{.events = interest, .data = {.u64 = key_of(handle)}};
  ++stats_.system_calls;
  const int result = ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, descriptor_of(handle), &wanted);
  return result == 0 ? 0 : -posix::from_errno(errno);
}

bool EpollDriver::ensure_nonblocking(Operation& operation) {
  Handle& handle = *operation.handle;
  if ((handle.driver_flags & kNonBlocking) != 0) return true;
  ++stats_.system_calls;
  const std::int32_t result = attempt::set_nonblocking(descriptor_of(handle));
  if (result == 0) {
    handle.driver_flags |= kNonBlocking;
  } else {
    finish(operation, result);
  }
  return result == 0;
}

void EpollDriver::finish(Operation& operation, std::int32_t result) {
  Handle& handle = *operation.handle;
  if (handle.driver_reader == &operation) {
    handle.driver_reader = nullptr;
    handle.driver_flags &= ~kCancelReader;
  } else if (handle.driver_writer == &operation) {
    handle.driver_writer = nullptr;
    handle.driver_flags &= ~kCancelWriter;
  }
  done_.push({.operation = &operation, .result = result});
}

}  // namespace

std::unique_ptr<Driver> make_epoll_driver(const BufferSlots& slots) {
  posix::Descriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
  posix::Descriptor signal(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll || !signal) return nullptr;
  epoll_event interest{.events = EPOLLIN | EPOLLET, .data = {.u64 = kWakeKey}};
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, signal.get(), &interest) != 0) return nullptr;
  return std::make_unique<EpollDriver>(std::move(epoll), std::move(signal), slots);
}

}  // namespace iocp
