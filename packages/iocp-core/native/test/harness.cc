#include "test/harness.h"

#include <cstdio>
#include <utility>

namespace iocp::test {

Failure::Failure(std::string message, const std::source_location& where) : message_(std::move(message)) {
  const std::string_view path(where.file_name());
  message_.append(" (").append(path.substr(path.find_last_of('/') + 1));
  message_.append(":").append(std::to_string(where.line())).append(")");
}

void fail(const std::string& message, const std::source_location& where) { throw Failure(message, where); }

int run_all(const std::vector<TestCase>& tests, std::string_view filter) {
  int passed = 0;
  int failed = 0;
  for (const TestCase& test : tests) {
    if (test.name.find(filter) == std::string::npos) continue;
    try {
      test.run();
      ++passed;
    } catch (const std::exception& error) {
      ++failed;
      std::printf("FAILED %s: %s\n", test.name.c_str(), error.what());
    }
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}

}  // namespace iocp::test
