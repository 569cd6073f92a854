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

namespace {

bool is_chosen(std::string_view name, const std::vector<std::string_view>& choices) {
  bool all = true;
  bool wanted = false;
  for (const std::string_view choice : choices) {
    if (choice.starts_with('-')) {
      if (name.find(choice.substr(1)) != std::string_view::npos) return false;
    } else {
      all = false;
      wanted = wanted || name.find(choice) != std::string_view::npos;
    }
  }
  return all || wanted;
}

}  // namespace

int run_all(const std::vector<TestCase>& tests, const std::vector<std::string_view>& choices) {
  int passed = 0;
  int failed = 0;
  int left_out = 0;
  for (const TestCase& test : tests) {
    if (!is_chosen(test.name, choices)) {
      ++left_out;
      continue;
    }
    try {
      test.run();
      ++passed;
    } catch (const std::exception& error) {
      ++failed;
      std::printf("FAILED %s: %s\n", test.name.c_str(), error.what());
    }
  }
  std::printf("%d passed, %d failed", passed, failed);
  if (left_out > 0) std::printf(", %d left out", left_out);
  std::printf("\n");
  return failed == 0 && passed > 0 ? 0 : 1;
}

}  // namespace iocp::test
