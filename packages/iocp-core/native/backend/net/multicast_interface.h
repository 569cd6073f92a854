#pragma once

#include <string>

#include "backend/net/os.h"
#include "backend/net/result.h"
#include "backend/net/socket_options.h"

namespace iocp::net {

/// Reads the option `multicastInterface`.
[[nodiscard]] Result<OptionValue> read_multicast_interface(NativeHandle native, const os::OptionPlace& place);

/// Sets it.
[[nodiscard]] Status write_multicast_interface(NativeHandle native, const os::OptionPlace& place,
                                               const std::string& text);

}  // namespace iocp::net
