#include "backend/net/system_text.h"

#include <sys/utsname.h>

namespace iocp::net {

std::string kernel_release() {
  utsname name{};
  return ::uname(&name) == 0 ? name.release : "unknown";
}

}  // namespace iocp::net
