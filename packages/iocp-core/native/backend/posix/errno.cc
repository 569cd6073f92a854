#include "backend/posix/errno.h"

#include <cerrno>
#include <system_error>

#include "backend/posix/result.h"
#include "core/protocol.gen.h"

namespace iocp::posix {

static_assert(error_number::kEAGAIN == EAGAIN && error_number::kECONNRESET == ECONNRESET &&
                  error_number::kENOBUFS == ENOBUFS && error_number::kECANCELED == ECANCELED,
              "our error numbers are Linux's: other systems need a table here");

std::int32_t from_errno(int number) noexcept { return number; }

std::string describe(std::int32_t error) { return std::generic_category().message(error); }

SystemError last_error(const char* syscall) noexcept { return {from_errno(errno), syscall}; }

}  // namespace iocp::posix
