#pragma once

#include <cstdint>
#include <vector>

#include "backend/net/result.h"
#include "backend/select/select.h"
#include "bridge/node_api.h"

namespace iocp {

/// An Error with `errno` (our number, positive) and `syscall`.
[[nodiscard]] Napi::Error system_error(Napi::Env env, std::int32_t error, const char* syscall);
[[nodiscard]] Napi::Error system_error(Napi::Env env, const net::SystemError& error);

/// Rejected backends as an array of `{backend, code, reason, hint}`.
[[nodiscard]] Napi::Array rejected_backends(Napi::Env env, const std::vector<RejectedBackend>& rejected);

}  // namespace iocp
