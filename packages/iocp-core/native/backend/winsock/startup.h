#pragma once

#include "backend/net/result.h"

namespace iocp::winsock {

/// Starts Winsock 2.2 for this process, once; later calls give the first result again. From any thread. Everything that
/// makes a socket calls it. It is never taken back: the process ends it, and sockets of the program that hosts us need
/// it as well.
[[nodiscard]] net::Status startup() noexcept;

}  // namespace iocp::winsock
