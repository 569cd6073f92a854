#include "backend/epoll/probe.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "backend/posix/descriptor.h"
#include "backend/net/system_text.h"
#include "backend/net/result.h"

namespace iocp {
namespace {

Probe failed(const char* syscall) {
  const net::SystemError error = net::last_error(syscall);
  Probe probe;
  probe.error = error.error;
  probe.reason = std::string(syscall) + ": " + net::describe(error.error);
  probe.hint =
      error.error == error_number::kEMFILE || error.error == error_number::kENFILE
          ? "no descriptors are left: raise the limit (ulimit -n) or close some"
          : "the kernel or its sandbox refuses epoll; only the backend without native code works here";
  return probe;
}

}  // namespace

Probe probe_epoll() {
  const posix::Descriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return failed("epoll_create1");
  const posix::Descriptor signal(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!signal) return failed("eventfd");
  epoll_event interest{.events = EPOLLIN | EPOLLET, .data = {.u64 = 0}};
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, signal.get(), &interest) != 0) return failed("epoll_ctl");
  Probe probe;
  probe.available = true;
  return probe;
}

}  // namespace iocp
