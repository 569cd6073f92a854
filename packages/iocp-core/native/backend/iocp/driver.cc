#include "backend/iocp/driver.h"

#include <winsock2.h>
#include <ws2tcpip.h>

#include <algorithm>
#include <utility>

#include "backend/iocp/poller.h"
#include "backend/iocp/socket.h"
#include "backend/net/address.h"
#include "backend/net/system_text.h"
#include "backend/winsock/startup.h"
#include "core/event_queue.h"
#include "core/operation_queue.h"

namespace iocp {
namespace {

/// Slots that one socket fills before it is the turn of the others.
constexpr int kReceivesPerTurn = 8;

/// A send holds its memory in place until the last byte has gone: what is longer goes in parts, as short sends.
constexpr std::size_t kSendBytesMax = std::size_t{4} << 20;

/// For the end of a port: how long packets are waited for that the system still has, although their sockets are closed.
constexpr int kLastPacketRounds = 100;
constexpr int kLastPacketWaitMs = 10;

static_assert(shutdown_direction::kRead == SD_RECEIVE && shutdown_direction::kWrite == SD_SEND &&
              shutdown_direction::kBoth == SD_BOTH);

std::int32_t last_error() noexcept { return -winsock::from_wsa(::WSAGetLastError()); }

std::int32_t set_nonblocking(SOCKET native, bool on) noexcept {
  u_long value = on ? 1 : 0;
  return ::ioctlsocket(native, static_cast<long>(FIONBIO), &value) == 0 ? 0 : last_error();
}

/// ConnectEx is for IP only. A Unix socket is connected or refused at once, whether somebody accepts or not, so it may be
/// done without an operation.
std::int32_t connect_unix(SOCKET native, const AddressBytes& remote) noexcept {
  if (const std::int32_t error = set_nonblocking(native, false); error != 0) return error;
  const bool connected = ::connect(native, net::as_sockaddr(remote), static_cast<int>(remote.length)) == 0;
  const std::int32_t result = connected ? 0 : last_error();
  const std::int32_t restored = set_nonblocking(native, true);
  return result != 0 ? result : restored;
}

/// ConnectEx wants the socket to be bound, to whatever address; EINVAL means that it is already.
std::int32_t bind_for_connect(SOCKET native, int family) noexcept {
  sockaddr_storage any{};
  any.ss_family = static_cast<ADDRESS_FAMILY>(family);
  const int length = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  if (::bind(native, reinterpret_cast<const sockaddr*>(&any), length) == 0) return 0;
  const int error = ::WSAGetLastError();
  return error == WSAEINVAL ? 0 : -winsock::from_wsa(error);
}

class IocpDriver final : public Driver {
 public:
  explicit IocpDriver(BufferSlots& slots) : free_slots_(slots) {}
  ~IocpDriver() override;

  /// Makes the port and its thread. Returns what the system refused, if anything.
  [[nodiscard]] net::Status open();

  [[nodiscard]] const char* name() const noexcept override { return "iocp"; }
  [[nodiscard]] std::vector<std::string> features() const override {
    return {"accept-ex", "connect-ex", "zero-byte-recv", "gathered-send", "recv-msg"};
  }

  [[nodiscard]] std::int32_t attach(Handle& handle) override;
  void start(Operation& operation) override;
  void cancel(Operation& operation) override;
  void close(Handle& handle, Operation& close) override;
  void provide(std::uint32_t slot) override { free_slots_.put(slot); }
  void flush() override {}  // everything is handed to the system as it comes
  [[nodiscard]] std::size_t reap(std::span<Event> events) override;
  [[nodiscard]] bool prepare_wait() override {
    return done_.empty() && incoming_.empty() && arrived_.sleep();
  }
  [[nodiscard]] int wait_descriptor() const noexcept override { return kNoDescriptor; }
  void notify_with(std::function<void()> notify) override { bell_.notify_with(std::move(notify)); }
  void acknowledge() override { take_packets(); }
  void wait(int milliseconds) override { bell_.wait(milliseconds); }
  void wake() noexcept override {
    if (arrived_.wake()) bell_.ring();
  }
  [[nodiscard]] DriverStats stats() const noexcept override {
    return {.system_calls = packets_.calls() + poller_->calls()};
  }

 private:
  [[nodiscard]] IocpSocket& socket_of(const Operation& operation) noexcept {
    return *sockets_[operation.handle->index];
  }

  void take_packets();
  void take_packet(Packet& packet);
  void finish(Operation*& operation, std::int32_t result);

  void try_receive(IocpSocket& socket);
  [[nodiscard]] std::int32_t receive(IocpSocket& socket, std::uint32_t slot);
  void wait_for_data(IocpSocket& socket);
  void end_receive(IocpSocket& socket, std::int32_t result);
  void on_readable(IocpSocket& socket);

  void start_send(IocpSocket& socket, const Operation& operation);
  void on_sent(IocpSocket& socket);
  void start_connect(IocpSocket& socket);
  void on_connected(IocpSocket& socket);
  void start_accept(IocpSocket& socket);
  void on_accepted(IocpSocket& socket, AcceptPacket& packet);
  [[nodiscard]] std::int32_t shut_down(IocpSocket& socket, std::int32_t direction);

  void start_receive_from(IocpSocket& socket);
  void on_received_from(IocpSocket& socket, DatagramPacket& packet);
  void start_send_to(IocpSocket& socket);
  void on_sent_to(IocpSocket& socket);
  void finish_send_to(IocpSocket& socket);

  Handover<Packet> arrived_;
  Doorbell bell_;
  PacketCounter packets_;
  std::vector<std::unique_ptr<IocpSocket>> sockets_;  // by the index of the handle
  FreeSlots free_slots_;
  OperationQueue incoming_;  // receives to try
  EventQueue done_;
  std::uint64_t turn_ = 0;
  std::unique_ptr<Poller> poller_;
};

net::Status IocpDriver::open() {
  if (const net::Status started = winsock::startup(); !started) return started;
  net::SystemError error;
  poller_ = Poller::make(arrived_, bell_, error);
  if (!poller_) return error;
  return std::monostate{};
}

IocpDriver::~IocpDriver() {
  // The engine has closed all sockets, so whatever is in flight comes back now.
  for (int round = 0; round < kLastPacketRounds && packets_.in_flight() > 0;) {
    std::size_t count = 0;
    for (Packet* packet = arrived_.take(); packet != nullptr; packet = packet->handover_next, ++count) {
      packets_.came_back();
    }
    if (count > 0) continue;
    ++round;
    if (arrived_.sleep()) bell_.wait(kLastPacketWaitMs);
  }
  poller_.reset();
  // Memory that the system may still write to is never given back: lost memory is the lesser evil.
  if (packets_.in_flight() > 0) {
    for (std::unique_ptr<IocpSocket>& socket : sockets_) static_cast<void>(socket.release());
  }
}

// ------------------------------------------------------------------------------------------------- handles, operations

std::int32_t IocpDriver::attach(Handle& handle) {
  const auto native = static_cast<SOCKET>(handle.native);
  packets_.count_call();
  if (::CreateIoCompletionPort(reinterpret_cast<HANDLE>(native), poller_->port(), 0, 0) == nullptr) {
    return -winsock::from_wsa(static_cast<int>(::GetLastError()));
  }
  // Receives that were announced are read without waiting. What is in flight is not touched by this.
  packets_.count_call();
  if (const std::int32_t error = set_nonblocking(native, true); error != 0) return error;
  if (sockets_.size() <= handle.index) sockets_.resize(handle.index + std::size_t{1});
  std::unique_ptr<IocpSocket>& socket = sockets_[handle.index];
  if (!socket) socket = std::make_unique<IocpSocket>();
  socket->handle = &handle;
  return 0;
}

void IocpDriver::start(Operation& operation) {
  IocpSocket& socket = socket_of(operation);
  switch (operation.code) {
    case OpCode::Recv:
      socket.receiving = &operation;
      // Tried before it waits: what has come meanwhile needs no packet.
      incoming_.push(operation);
      return;
    case OpCode::Send: socket.sending = &operation; return start_send(socket, operation);
    case OpCode::Connect: socket.connecting = &operation; return start_connect(socket);
    case OpCode::Accept: socket.accepting = &operation; return start_accept(socket);
    case OpCode::RecvFrom: socket.receiving = &operation; return start_receive_from(socket);
    case OpCode::SendTo: socket.sending = &operation; return start_send_to(socket);
    case OpCode::Shutdown:
      return done_.push({.operation = &operation, .result = shut_down(socket, operation.argument)});
    default: return done_.push({.operation = &operation, .result = -error_number::kEINVAL});
  }
}

void IocpDriver::cancel(Operation& operation) {
  IocpSocket& socket = socket_of(operation);
  // An operation that its socket does not name any more has ended: its last event is on the way.
  if (socket.receiving == &operation && operation.code == OpCode::RecvFrom) {
    if (!socket.datagram_receiver->ending()) socket.datagram_receiver->end(-error_number::kECANCELED);
  } else if (socket.sending == &operation && operation.code == OpCode::SendTo) {
    socket.datagram_sender->cancel();
  } else if (socket.receiving == &operation) {
    socket.receive_canceled = true;
    if (socket.receive_waits) {
      packets_.cancel(socket.native(), socket.receive);
    } else {
      incoming_.push(operation);
    }
  } else if (socket.sending == &operation) {
    packets_.cancel(socket.native(), socket.send);
  } else if (socket.connecting == &operation) {
    packets_.cancel(socket.native(), socket.connect);
  } else if (socket.accepting == &operation && !socket.acceptor->ending()) {
    socket.acceptor->end(-error_number::kECANCELED);
  }
}

void IocpDriver::close(Handle& handle, Operation& close) {
  IocpSocket& socket = *sockets_[handle.index];
  const SOCKET native = socket.native();
  packets_.count_call();
  int failed = ::closesocket(native);
  if (failed != 0 && ::WSAGetLastError() == WSAEWOULDBLOCK) {
    // A time to linger was set, and this thread cannot stay for it: the system sends what is left behind our back.
    const linger in_background{.l_onoff = 0, .l_linger = 0};
    static_cast<void>(::setsockopt(native, SOL_SOCKET, SO_LINGER,
                                   reinterpret_cast<const char*>(&in_background), sizeof in_background));
    failed = ::closesocket(native);
  }
  done_.push({.operation = &close, .result = failed == 0 ? 0 : last_error()});
  socket.acceptor.reset();
  socket.datagram_receiver.reset();
  socket.datagram_sender.reset();
  socket.read_shut_down = false;
  socket.handle = nullptr;
}

/// `operation` is the place where its socket names it.
void IocpDriver::finish(Operation*& operation, std::int32_t result) {
  done_.push({.operation = std::exchange(operation, nullptr), .result = result});
}

std::size_t IocpDriver::reap(std::span<Event> events) {
  take_packets();
  // Everybody has one turn. Those that are not through go to the end of the queue for the next time.
  OperationQueue turn = incoming_.take_all();
  while (!turn.empty() && done_.size() < events.size()) try_receive(socket_of(turn.pop()));
  incoming_.prepend(turn);
  return done_.take(events);
}

void IocpDriver::take_packets() {
  ++turn_;
  for (Packet* packet = arrived_.take(); packet != nullptr;) {
    // First: the packet may be on its way again after this.
    Packet* const next = packet->handover_next;
    take_packet(*packet);
    packet = next;
  }
}

void IocpDriver::take_packet(Packet& packet) {
  packets_.came_back();
  IocpSocket& socket = *packet.socket;
  switch (packet.kind) {
    case Packet::Kind::Receive: return on_readable(socket);
    case Packet::Kind::Send: return on_sent(socket);
    case Packet::Kind::Connect: return on_connected(socket);
    case Packet::Kind::Accept: return on_accepted(socket, static_cast<AcceptPacket&>(packet));
    case Packet::Kind::ReceiveFrom: return on_received_from(socket, static_cast<DatagramPacket&>(packet));
    case Packet::Kind::SendTo: return on_sent_to(socket);
  }
}

// ------------------------------------------------------------------------------------------------------------- receive

void IocpDriver::on_readable(IocpSocket& socket) {
  socket.receive_waits = false;
  if (const std::int32_t error = socket.receive.status(); error != 0) return end_receive(socket, error);
  socket.readable = true;
  incoming_.push(*socket.receiving);
}

void IocpDriver::try_receive(IocpSocket& socket) {
  if (socket.receive_canceled) return end_receive(socket, -error_number::kECANCELED);
  for (int turn = 0; turn < kReceivesPerTurn; ++turn) {
    if (free_slots_.empty()) {
      // Only who has something to receive is in need of a slot.
      return socket.readable ? end_receive(socket, -error_number::kENOBUFS) : wait_for_data(socket);
    }
    const std::uint32_t slot = free_slots_.next();
    const std::int32_t result = receive(socket, slot);
    if (result == -error_number::kEAGAIN) return wait_for_data(socket);
    if (result <= 0) return end_receive(socket, result);
    socket.readable = false;
    free_slots_.drop_next();
    done_.push({.operation = socket.receiving,
                .result = result,
                .slot = static_cast<std::int32_t>(slot),
                .more = true});
    // What follows, data or the end, brings the packet back at once.
    if (static_cast<std::uint32_t>(result) < free_slots_.slot_bytes()) return wait_for_data(socket);
  }
  incoming_.push(*socket.receiving);
}

std::int32_t IocpDriver::receive(IocpSocket& socket, std::uint32_t slot) {
  packets_.count_call();
  const int result = ::recv(socket.native(), reinterpret_cast<char*>(free_slots_.address(slot)),
                            static_cast<int>(free_slots_.slot_bytes()), 0);
  return result >= 0 ? result : last_error();
}

/// A receive of no bytes comes back when there is something to receive, the end or an error included, and holds no
/// memory until then.
void IocpDriver::wait_for_data(IocpSocket& socket) {
  socket.readable = false;
  const std::int32_t error = packets_.issue(socket.receive, [&](OVERLAPPED* overlapped) {
    static char nobody_writes_here = 0;
    WSABUF nothing{.len = 0, .buf = &nobody_writes_here};
    DWORD flags = 0;
    return ::WSARecv(socket.native(), &nothing, 1, nullptr, &flags, overlapped, nullptr) == 0;
  });
  if (error != 0) return end_receive(socket, error);
  socket.receive_waits = true;
}

void IocpDriver::end_receive(IocpSocket& socket, std::int32_t result) {
  const bool shut_down =
      socket.read_shut_down && !socket.receive_canceled && result != -error_number::kENOBUFS;
  socket.receive_canceled = false;
  socket.readable = false;
  finish(socket.receiving, shut_down ? 0 : result);
}

// ---------------------------------------------------------------------------------------------------------------- send

void IocpDriver::start_send(IocpSocket& socket, const Operation& operation) {
  std::vector<WSABUF>& pieces = socket.send.pieces;
  pieces.clear();
  std::size_t room = kSendBytesMax;
  const auto add = [&](const IoVector& vector) {
    const std::size_t length = std::min(vector.length, room);
    pieces.push_back({.len = static_cast<ULONG>(length), .buf = static_cast<char*>(vector.base)});
    room -= length;
  };
  if (operation.gathered()) {
    const auto& vectors = operation.gather->vectors;
    for (std::size_t i = operation.vector_first; i < vectors.size() && room > 0; ++i) add(vectors[i]);
  } else {
    add(operation.vector);
  }
  const std::int32_t error = packets_.issue(socket.send, [&](OVERLAPPED* overlapped) {
    return ::WSASend(socket.native(), pieces.data(), static_cast<DWORD>(pieces.size()), nullptr, 0,
                     overlapped, nullptr) == 0;
  });
  if (error != 0) finish(socket.sending, error);
}

void IocpDriver::on_sent(IocpSocket& socket) {
  std::vector<WSABUF>& pieces = socket.send.pieces;
  if (pieces.capacity() > SendPacket::kPiecesKept) pieces = {};
  finish(socket.sending, socket.send.result());
}

std::int32_t IocpDriver::shut_down(IocpSocket& socket, std::int32_t direction) {
  packets_.count_call();
  if (::shutdown(socket.native(), direction) != 0) return last_error();
  if (direction != SD_SEND) {
    socket.read_shut_down = true;
    // Windows leaves a receive that waits alone.
    if (socket.receive_waits) packets_.cancel(socket.native(), socket.receive);
  }
  return 0;
}

// ----------------------------------------------------------------------------------------------------- connect, accept

void IocpDriver::start_connect(IocpSocket& socket) {
  const AddressBytes& remote = *socket.handle->remote;
  packets_.count_call();
  if (net::address_family(remote) == AF_UNIX)
    return finish(socket.connecting, connect_unix(socket.native(), remote));
  std::int32_t error = bind_for_connect(socket.native(), net::address_family(remote));
  if (error == 0) {
    const auto connect_ex = load_extension<LPFN_CONNECTEX>(socket.native(), WSAID_CONNECTEX);
    if (connect_ex == nullptr) return finish(socket.connecting, last_error());
    error = packets_.issue(socket.connect, [&](OVERLAPPED* overlapped) {
      return connect_ex(socket.native(), net::as_sockaddr(remote), static_cast<int>(remote.length), nullptr,
                        0, nullptr, overlapped) != FALSE;
    });
  }
  if (error != 0) finish(socket.connecting, error);
}

void IocpDriver::on_connected(IocpSocket& socket) {
  std::int32_t result = socket.connect.status();
  if (result == 0) {
    packets_.count_call();
    // Without it the socket does not know that it is connected.
    const int updated = ::setsockopt(socket.native(), SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, nullptr, 0);
    if (updated != 0) result = last_error();
  }
  finish(socket.connecting, result);
}

void IocpDriver::start_accept(IocpSocket& socket) {
  if (!socket.acceptor) socket.acceptor = std::make_unique<Acceptor>(socket, packets_);
  if (const std::int32_t error = socket.acceptor->start(); error != 0) finish(socket.accepting, error);
}

void IocpDriver::on_accepted(IocpSocket& socket, AcceptPacket& packet) {
  Acceptor& acceptor = *socket.acceptor;
  acceptor.begin_turn(turn_);
  net::OwnedSocket connection = acceptor.take(packet);
  if (connection) {
    done_.push({.operation = socket.accepting, .accepted = connection.release(), .more = true});
  }
  if (acceptor.ending()) {
    if (acceptor.waiting() == 0) finish(socket.accepting, acceptor.result());
  } else if (const std::int32_t error = acceptor.refill(); error != 0) {
    finish(socket.accepting, error);
  }
}

// ----------------------------------------------------------------------------------------------------------- datagrams

void IocpDriver::start_receive_from(IocpSocket& socket) {
  if (!socket.datagram_receiver) {
    socket.datagram_receiver = std::make_unique<DatagramReceiver>(socket, packets_, free_slots_);
  }
  if (const std::int32_t error = socket.datagram_receiver->start(); error != 0)
    finish(socket.receiving, error);
}

void IocpDriver::on_received_from(IocpSocket& socket, DatagramPacket& packet) {
  DatagramReceiver& receiver = *socket.datagram_receiver;
  receiver.take(packet, done_);
  if (receiver.ending()) {
    if (receiver.under_way() == 0) finish(socket.receiving, receiver.result());
  } else if (const std::int32_t error = receiver.refill(); error != 0) {
    finish(socket.receiving, error);
  }
}

void IocpDriver::start_send_to(IocpSocket& socket) {
  if (!socket.datagram_sender) {
    socket.datagram_sender = std::make_unique<DatagramSender>(socket, packets_, done_);
  }
  if (socket.datagram_sender->run(*socket.sending)) finish_send_to(socket);
}

void IocpDriver::on_sent_to(IocpSocket& socket) {
  if (socket.datagram_sender->resume(*socket.sending)) finish_send_to(socket);
}

void IocpDriver::finish_send_to(IocpSocket& socket) {
  finish(socket.sending, static_cast<std::int32_t>(socket.sending->datagrams_taken));
}

Probe explain(const net::SystemError& error) {
  return {
      .available = false,
      .error = error.error,
      .reason = std::string(error.syscall) + ": " + net::describe(error.error),
      .hint =
          "the system refuses completion ports or threads; only the backend without native code works here"};
}

}  // namespace

std::unique_ptr<Driver> make_iocp_driver(BufferSlots& slots, Probe& probe) {
  auto driver = std::make_unique<IocpDriver>(slots);
  if (const net::Status opened = driver->open(); !opened) {
    probe = explain(opened.error());
    return nullptr;
  }
  probe = {.available = true, .error = 0, .reason = {}, .hint = {}};
  return driver;
}

}  // namespace iocp
