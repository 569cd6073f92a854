#include "backend/io_uring/probe.h"

#include <linux/io_uring.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

#include "backend/net/system_text.h"
#include "backend/posix/errno.h"

namespace iocp::uring {

namespace {

/// kernel.io_uring_disabled: 0 allowed, 1 for privileged processes only, 2 forbidden; -1 where there is no such switch
/// (before Linux 6.6).
int disabled_by_sysctl() {
  std::ifstream file("/proc/sys/kernel/io_uring_disabled");
  int value = -1;
  return file >> value ? value : -1;
}

std::string hint_for(int error) {
  switch (error) {
    case EPERM:
    case EACCES:
      if (const int value = disabled_by_sysctl(); value > 0) {
        return "kernel.io_uring_disabled is " + std::to_string(value) +
               "; an administrator can allow it with: sysctl -w kernel.io_uring_disabled=0";
      }
      return "a seccomp filter, usually the container runtime's, forbids it; allow io_uring_setup, "
             "io_uring_enter and "
             "io_uring_register in its profile";
    case ENOSYS: return "this kernel was built without io_uring, or a sandbox hides it";
    case EINVAL: return "Linux 6.1 or newer is needed";
    case ENOMEM: return "raise the limit on locked memory (ulimit -l), or make a port with fewer entries";
    case EMFILE:
    case ENFILE: return "raise the descriptor limit (ulimit -n)";
    default: return "see io_uring_setup(2)";
  }
}

}  // namespace

const char* missing_operation(const Ring& ring) noexcept {
  // Multishot receives (6.0) are no operations of their own: the flags that the ring was made with are newer (6.1).
  struct Needed {
    std::uint8_t code;
    const char* name;
  };
  static constexpr Needed kNeeded[] = {
      {IORING_OP_ACCEPT, "accept"},     {IORING_OP_CONNECT, "connect"},
      {IORING_OP_RECV, "recv"},         {IORING_OP_SEND, "send"},
      {IORING_OP_RECVMSG, "recvmsg"},   {IORING_OP_SENDMSG, "sendmsg"},
      {IORING_OP_CLOSE, "close"},       {IORING_OP_NOP, "nop"},
      {IORING_OP_POLL_ADD, "poll_add"}, {IORING_OP_ASYNC_CANCEL, "async_cancel"},
  };
  for (const Needed& needed : kNeeded) {
    if (!ring.supports(needed.code)) return needed.name;
  }
  return nullptr;
}

Probe explain_refusal(const RingError& error) {
  return {.available = false,
          .error = posix::from_errno(error.error),
          .reason = std::string(error.system_call) + ": " + net::describe(posix::from_errno(error.error)),
          .hint = hint_for(error.error)};
}

Probe explain_missing(const char* operation) {
  return {.available = false,
          .error = error_number::kENOSYS,
          .reason = std::string("the kernel's io_uring has no ") + operation,
          .hint = "Linux 6.1 or newer is needed"};
}

}  // namespace iocp::uring
