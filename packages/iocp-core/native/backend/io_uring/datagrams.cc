#include "backend/io_uring/datagrams.h"

#include <poll.h>
#include <sys/socket.h>

#include <cstring>
#include <utility>

#include "backend/io_uring/buffer_ring.h"
#include "backend/io_uring/kernel_abi.h"
#include "backend/posix/datagram_message.h"
#include "core/handle.h"

namespace iocp::uring {

namespace {

static_assert(sizeof(abi::ReceivedMessage) == posix::kNameOffset);

/// Set in the user data of a datagram, where the address of an operation has 0.
constexpr std::uint64_t kDatagramTag = 1;
static_assert(alignof(Operation) > kDatagramTag && alignof(OutgoingDatagram) > kDatagramTag);

/// How much room the kernel is to leave in a slot for the sender's address and the control messages. It reads no more
/// than that of the message of a multishot receive, and for as long as the receive goes on.
const msghdr kSlotLayout = [] {
  msghdr message{};
  message.msg_namelen = posix::kNameBytes;
  message.msg_controllen = posix::kControlBytes;
  return message;
}();

std::uint64_t user_data_of(const OutgoingDatagram& datagram) noexcept {
  return reinterpret_cast<std::uint64_t>(&datagram) | kDatagramTag;
}

}  // namespace

void prepare_receive_from(io_uring_sqe& entry, Operation& operation) noexcept {
  entry.opcode = IORING_OP_RECVMSG;
  entry.fd = static_cast<int>(operation.handle->native);
  entry.addr = reinterpret_cast<std::uint64_t>(&kSlotLayout);
  entry.len = 1;
  entry.ioprio = abi::kRecvMultishot;
  entry.flags = abi::kEntryBufferSelect;
  entry.buf_group = BufferRing::kGroup;
  entry.user_data = reinterpret_cast<std::uint64_t>(&operation);
}

std::int32_t finish_receive_from(std::byte* slot, std::int32_t result) noexcept {
  abi::ReceivedMessage message;
  std::memcpy(&message, slot, sizeof message);
  posix::describe(slot, {slot + posix::kNameOffset, message.name_length},
                  {slot + posix::kControlOffset, message.control_length}, (message.flags & MSG_TRUNC) != 0);
  return result - limit::kDatagramOffset;
}

void prepare_send_to(io_uring_sqe& entry, OutgoingDatagram& datagram) noexcept {
  const msghdr& message = posix::message_of(datagram);
  entry.fd = static_cast<int>(datagram.operation->handle->native);
  entry.msg_flags = MSG_NOSIGNAL | MSG_DONTWAIT;
  entry.user_data = user_data_of(datagram);
  if (message.msg_controllen != 0) {
    entry.opcode = IORING_OP_SENDMSG;
    entry.addr = reinterpret_cast<std::uint64_t>(&message);
    entry.len = 1;
    return;
  }
  // With its address in the entry (Linux 6.1) the kernel need not fetch and check a message.
  entry.opcode = IORING_OP_SEND;
  entry.addr = reinterpret_cast<std::uint64_t>(datagram.payload.base);
  entry.len = static_cast<std::uint32_t>(datagram.payload.length);
  entry.off = reinterpret_cast<std::uint64_t>(message.msg_name);        // addr2
  entry.splice_fd_in = static_cast<std::int32_t>(message.msg_namelen);  // addr_len, little-endian
}

void prepare_wait_for_room(io_uring_sqe& entry, Operation& operation) noexcept {
  entry.opcode = IORING_OP_POLL_ADD;
  entry.fd = static_cast<int>(operation.handle->native);
  entry.poll32_events = POLLOUT;
  entry.user_data = reinterpret_cast<std::uint64_t>(&operation);
}

OutgoingDatagram* datagram_of(std::uint64_t user_data) noexcept {
  if ((user_data & kDatagramTag) == 0) return nullptr;
  return reinterpret_cast<OutgoingDatagram*>(user_data - kDatagramTag);
}

void settle(OutgoingDatagram& datagram) noexcept {
  ++std::exchange(datagram.operation, nullptr)->datagrams_settled;
}

}  // namespace iocp::uring
