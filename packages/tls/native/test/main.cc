#include <string_view>
#include <vector>

#include "test/tests.h"

/// @param arguments which tests to run, see run_all()
int main(int count, char** arguments) {
  std::vector<iocp::test::TestCase> tests;
  iocp::tls::test::add_protection_tests(tests);
  iocp::tls::test::add_session_tests(tests);
  iocp::tls::test::add_hostile_tests(tests);
  return iocp::test::run_all(tests, std::vector<std::string_view>(arguments + 1, arguments + count));
}
