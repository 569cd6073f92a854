#pragma once

#include <cstdint>
#include <utility>
#include <variant>

namespace iocp::net {

/// A system call that failed: our error number (positive) and the name of the call, a literal.
struct SystemError {
  std::int32_t error = 0;
  const char* syscall = "";
};

/// Why the call `syscall` failed just now: `errno`, or what WSAGetLastError says.
[[nodiscard]] SystemError last_error(const char* syscall) noexcept;

/// A value, or why there is none.
template <typename T>
class Result {
 public:
  Result(T value) : content_(std::in_place_index<0>, std::move(value)) {}
  Result(SystemError error) : content_(std::in_place_index<1>, error) {}

  [[nodiscard]] bool ok() const noexcept { return content_.index() == 0; }
  [[nodiscard]] explicit operator bool() const noexcept { return ok(); }

  /// Only when `ok()`.
  [[nodiscard]] T& value() & noexcept { return *std::get_if<0>(&content_); }
  [[nodiscard]] const T& value() const& noexcept { return *std::get_if<0>(&content_); }
  [[nodiscard]] T&& value() && noexcept { return std::move(*std::get_if<0>(&content_)); }

  /// Only when not `ok()`.
  [[nodiscard]] const SystemError& error() const noexcept { return *std::get_if<1>(&content_); }

 private:
  std::variant<T, SystemError> content_;
};

/// The result of a call that yields nothing.
using Status = Result<std::monostate>;

}  // namespace iocp::net
