#include "backend/epoll/attempt.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>

#include "backend/epoll/complete.h"
#include "backend/net/address.h"
#include "backend/posix/errno.h"
#include "core/protocol.gen.h"

namespace iocp::attempt {
namespace {

static_assert(sizeof(IoVector) == sizeof(iovec) && offsetof(IoVector, base) == offsetof(iovec, iov_base) &&
              offsetof(IoVector, length) == offsetof(iovec, iov_len));
static_assert(shutdown_direction::kRead == SHUT_RD && shutdown_direction::kWrite == SHUT_WR &&
              shutdown_direction::kBoth == SHUT_RDWR);

std::span<IoVector> vectors_left(const Operation& send) noexcept {
  return std::span(send.gather->vectors).subspan(send.vector_first);
}

}  // namespace

std::int32_t receive(int descriptor, std::span<std::byte> memory) noexcept {
  return complete([&] { return ::recv(descriptor, memory.data(), memory.size(), MSG_DONTWAIT); });
}

std::int32_t send(int descriptor, const Operation& send) noexcept {
  constexpr int kFlags = MSG_DONTWAIT | MSG_NOSIGNAL;
  if (!send.gathered()) {
    return complete([&] { return ::send(descriptor, send.vector.base, send.vector.length, kFlags); });
  }
  const std::span<IoVector> left = vectors_left(send);
  msghdr message{};
  message.msg_iov = reinterpret_cast<iovec*>(left.data());
  message.msg_iovlen = left.size();
  return complete([&] { return ::sendmsg(descriptor, &message, kFlags); });
}

std::size_t bytes_left(const Operation& send) noexcept {
  if (!send.gathered()) return send.vector.length;
  std::size_t bytes = 0;
  for (const IoVector& vector : vectors_left(send)) bytes += vector.length;
  return bytes;
}

std::int32_t connect(int descriptor, const AddressBytes& remote) noexcept {
  // Not made again after EINTR: connect(2) goes on by itself then, as if it had said EINPROGRESS.
  if (::connect(descriptor, net::as_sockaddr(remote), static_cast<socklen_t>(remote.length)) == 0) return 0;
  return errno == EINTR ? -error_number::kEINPROGRESS : -posix::from_errno(errno);
}

std::int32_t accept(int descriptor) noexcept {
  return complete([&] { return ::accept4(descriptor, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK); });
}

std::int32_t shutdown(int descriptor, std::int32_t direction) noexcept {
  return complete([&] { return ::shutdown(descriptor, direction); });
}

std::int32_t set_nonblocking(int descriptor) noexcept {
  const int flags = ::fcntl(descriptor, F_GETFL);
  if (flags < 0) return -posix::from_errno(errno);
  if ((flags & O_NONBLOCK) != 0) return 0;
  return ::fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) < 0 ? -posix::from_errno(errno) : 0;
}

bool concerns_one_connection(std::int32_t accept_result) noexcept {
  switch (-accept_result) {
    case error_number::kECONNABORTED:
    case error_number::kEPROTO:
    case error_number::kENETDOWN:
    case error_number::kENETUNREACH:
    case error_number::kEHOSTDOWN:
    case error_number::kEHOSTUNREACH:
    case error_number::kETIMEDOUT: return true;
    default: return false;
  }
}

}  // namespace iocp::attempt
