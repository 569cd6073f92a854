#include "backend/epoll/datagram_calls.h"

#include <sys/uio.h>

#include <algorithm>

#include "backend/epoll/complete.h"
#include "backend/posix/datagram_message.h"

namespace iocp::attempt {

DatagramCalls::DatagramCalls(const BufferSlots& slots) noexcept : slots_(slots) {
  for (std::size_t i = 0; i < kReceivedMax; ++i) {
    memory_[i].iov_len = slots.slot_bytes() - limit::kDatagramOffset;
    msghdr& message = incoming_[i].msg_hdr;
    message.msg_iov = &memory_[i];
    message.msg_iovlen = 1;
    message.msg_namelen = posix::kNameBytes;
    message.msg_controllen = posix::kControlBytes;
  }
}

std::int32_t DatagramCalls::receive(int descriptor, std::span<const std::uint32_t> free) noexcept {
  const std::size_t asked = std::min(free.size(), kReceivedMax);
  for (std::size_t i = 0; i < asked; ++i) {
    std::byte* const slot = slots_.address(free[free.size() - 1 - i]);
    memory_[i].iov_base = slot + limit::kDatagramOffset;
    incoming_[i].msg_hdr.msg_name = slot + posix::kNameOffset;
    incoming_[i].msg_hdr.msg_control = slot + posix::kControlOffset;
  }
  const std::int32_t result = complete([&] {
    return ::recvmmsg(descriptor, incoming_.data(), static_cast<unsigned>(asked), MSG_DONTWAIT, nullptr);
  });
  for (std::size_t i = 0; result > 0 && i < static_cast<std::size_t>(result); ++i) {
    msghdr& message = incoming_[i].msg_hdr;
    const auto* const name = static_cast<const std::byte*>(message.msg_name);
    const auto* const control = static_cast<const std::byte*>(message.msg_control);
    posix::describe(slots_.address(free[free.size() - 1 - i]), {name, message.msg_namelen},
                    {control, message.msg_controllen}, (message.msg_flags & MSG_TRUNC) != 0);
    // The system has written how much it used.
    message.msg_namelen = posix::kNameBytes;
    message.msg_controllen = posix::kControlBytes;
  }
  return result;
}

std::size_t DatagramCalls::prepare(std::span<OutgoingDatagram> datagrams, SocketKind kind,
                                   std::int32_t& refusal) noexcept {
  for (std::size_t i = 0; i < datagrams.size(); ++i) {
    refusal = posix::prepare_message(datagrams[i], kind);
    if (refusal != 0) return i;
    outgoing_[i].msg_hdr = posix::message_of(datagrams[i]);
  }
  return datagrams.size();
}

std::int32_t DatagramCalls::send(int descriptor, std::size_t first, std::size_t count) noexcept {
  return complete([&] {
    return ::sendmmsg(descriptor, outgoing_.data() + first, static_cast<unsigned>(count),
                      MSG_DONTWAIT | MSG_NOSIGNAL);
  });
}

}  // namespace iocp::attempt
