#include "backend/io_uring/prepare.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <new>

#include "backend/io_uring/buffer_ring.h"
#include "backend/io_uring/datagrams.h"
#include "backend/io_uring/kernel_abi.h"
#include "core/handle.h"

namespace iocp::uring {

namespace {

static_assert(sizeof(IoVector) == sizeof(iovec) && alignof(IoVector) == alignof(iovec));
static_assert(sizeof(msghdr) <= sizeof(Gather::driver_storage));

// The kernel goes on with a short send by itself as long as it can.
constexpr unsigned kSendFlags = MSG_NOSIGNAL | MSG_WAITALL;

void prepare_send(io_uring_sqe& entry, Operation& operation) noexcept {
  entry.msg_flags = kSendFlags;
  if (!operation.gathered()) {
    entry.opcode = IORING_OP_SEND;
    entry.addr = reinterpret_cast<std::uint64_t>(operation.vector.base);
    entry.len = static_cast<std::uint32_t>(operation.vector.length);
    return;
  }
  auto& vectors = operation.gather->vectors;
  auto* message = new (operation.gather->driver_storage.data()) msghdr{};
  message->msg_iov = reinterpret_cast<iovec*>(vectors.data() + operation.vector_first);
  message->msg_iovlen = vectors.size() - operation.vector_first;
  entry.opcode = IORING_OP_SENDMSG;
  entry.addr = reinterpret_cast<std::uint64_t>(message);
  entry.len = 1;
}

}  // namespace

void prepare_operation(io_uring_sqe& entry, Operation& operation) noexcept {
  const Handle& handle = *operation.handle;
  entry.fd = static_cast<int>(handle.native);
  entry.user_data = reinterpret_cast<std::uint64_t>(&operation);
  switch (operation.code) {
    case OpCode::Accept:
      entry.opcode = IORING_OP_ACCEPT;
      entry.ioprio = abi::kAcceptMultishot;
      entry.accept_flags = SOCK_CLOEXEC;
      break;
    case OpCode::Connect:
      entry.opcode = IORING_OP_CONNECT;
      entry.addr = reinterpret_cast<std::uint64_t>(handle.remote->bytes.data());
      entry.off = handle.remote->length;
      break;
    case OpCode::Recv:
      entry.opcode = IORING_OP_RECV;
      entry.ioprio = abi::kRecvMultishot;
      entry.flags = abi::kEntryBufferSelect;
      entry.buf_group = BufferRing::kGroup;
      break;
    case OpCode::Send: prepare_send(entry, operation); break;
    case OpCode::RecvFrom: prepare_receive_from(entry, operation); break;
    default: entry.opcode = IORING_OP_NOP; break;
  }
}

void prepare_cancel(io_uring_sqe& entry, const Operation& target) noexcept {
  entry.opcode = IORING_OP_ASYNC_CANCEL;
  entry.fd = -1;
  entry.addr = reinterpret_cast<std::uint64_t>(&target);
  entry.flags = abi::kEntrySkipSuccess;
}

void prepare_close(io_uring_sqe& entry, Operation& close) noexcept {
  entry.opcode = IORING_OP_CLOSE;
  entry.fd = static_cast<int>(close.handle->native);
  entry.user_data = reinterpret_cast<std::uint64_t>(&close);
}

}  // namespace iocp::uring
