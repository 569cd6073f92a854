#pragma once

#include <concepts>
#include <exception>
#include <functional>
#include <source_location>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace iocp::test {

/// Ends a test that has failed.
class Failure final : public std::exception {
 public:
  Failure(std::string message, const std::source_location& where);
  [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }

 private:
  std::string message_;
};

[[noreturn]] void fail(const std::string& message,
                       const std::source_location& where = std::source_location::current());

/// Fails the test unless `condition` holds; `claim` says what should have been.
inline void check(bool condition, std::string_view claim,
                  const std::source_location& where = std::source_location::current()) {
  if (!condition) fail(std::string(claim), where);
}

template <typename Value>
std::string show(const Value& value) {
  std::ostringstream text;
  if constexpr (std::is_enum_v<Value>) {
    text << static_cast<long long>(value);
  } else {
    text << value;
  }
  return text.str();
}

/// Fails the test unless both are equal; `what` names the thing that was looked at.
template <typename Actual, typename Expected>
void check_equal(const Actual& actual, const Expected& expected, std::string_view what,
                 const std::source_location& where = std::source_location::current()) {
  bool equal = false;
  if constexpr (std::integral<Actual> && std::integral<Expected> && !std::same_as<Actual, bool> &&
                !std::same_as<Expected, bool>) {
    equal = std::cmp_equal(actual, expected);
  } else {
    equal = actual == expected;
  }
  if (!equal) fail(std::string(what) + " is " + show(actual) + ", expected " + show(expected), where);
}

struct TestCase {
  std::string name;
  std::function<void()> run;
};

/// Runs tests, prints what failed and "N passed, M failed". Returns the exit code.
/// @param choices parts of the names of the tests to run, without any all of them; one that begins with '-' names
///                those to leave out
[[nodiscard]] int run_all(const std::vector<TestCase>& tests, const std::vector<std::string_view>& choices);

}  // namespace iocp::test
