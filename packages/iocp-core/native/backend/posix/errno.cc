#include "backend/posix/errno.h"

#include <cerrno>

#include "backend/net/result.h"
#include "core/protocol.gen.h"

namespace iocp {

static_assert(error_number::kEAGAIN == EAGAIN && error_number::kECONNRESET == ECONNRESET &&
                  error_number::kENOBUFS == ENOBUFS && error_number::kECANCELED == ECANCELED,
              "our error numbers are Linux's: other systems need a table here");

std::int32_t posix::from_errno(int number) noexcept { return number; }

net::SystemError net::last_error(const char* syscall) noexcept { return {posix::from_errno(errno), syscall}; }

}  // namespace iocp
