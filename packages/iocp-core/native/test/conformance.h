#pragma once

#include <span>

#include "test/backends.h"

namespace iocp::test {

/// One thing that every driver has to do under the engine.
struct Assertion {
  const char* name;
  void (*run)(const Backend& backend);
};

[[nodiscard]] std::span<const Assertion> stream_assertions();
[[nodiscard]] std::span<const Assertion> connection_assertions();
[[nodiscard]] std::span<const Assertion> life_assertions();
[[nodiscard]] std::span<const Assertion> buffer_assertions();
[[nodiscard]] std::span<const Assertion> refusal_assertions();
[[nodiscard]] std::span<const Assertion> datagram_assertions();
[[nodiscard]] std::span<const Assertion> datagram_control_assertions();
[[nodiscard]] std::span<const Assertion> chaos_assertions();
/// What only this system has, and its drivers have to get right.
[[nodiscard]] std::span<const Assertion> system_assertions();

}  // namespace iocp::test
