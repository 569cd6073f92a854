#include "backend/net/system_text.h"

#include "core/protocol.gen.h"

namespace iocp::net {

std::string describe(std::int32_t error) {
  const char* const text = error_text(error);
  return text == nullptr ? "error " + std::to_string(error) : text;
}

}  // namespace iocp::net
