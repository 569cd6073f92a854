#pragma once

#include <cstdint>
#include <source_location>
#include <string>
#include <utility>
#include <vector>

#include "backend/net/owned_socket.h"
#include "backend/net/result.h"
#include "backend/net/socket_factory.h"
#include "backend/net/socket_options.h"
#include "backend/net/system_text.h"
#include "test/harness.h"

namespace iocp::test {

/// The value, or the test fails.
template <typename T>
T value_of(net::Result<T> result, const std::source_location& where = std::source_location::current()) {
  if (!result) fail(std::string(result.error().syscall) + ": " + net::describe(result.error().error), where);
  return std::move(result).value();
}

/// Fails the test unless the result is `error`.
template <typename T>
void check_error(const net::Result<T>& result, std::int32_t error, const std::string& what,
                 const std::source_location& where = std::source_location::current()) {
  check(!result.ok(), what + " fails", where);
  check_equal(result.error().error, error, what, where);
}

/// Fails the test unless a number that is set comes back.
void check_round_trip(const net::OwnedSocket& socket, const char* option, std::int32_t value,
                      const std::source_location& where = std::source_location::current());

/// Where a listener listens.
[[nodiscard]] net::Endpoint endpoint_of(const net::OwnedSocket& listener);

/// Tests of what this system does in its own way.
void add_system_net_tests(std::vector<TestCase>& tests);

}  // namespace iocp::test
