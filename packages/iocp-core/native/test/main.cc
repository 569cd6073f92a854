#include <string>
#include <string_view>
#include <vector>

#include "test/backends.h"
#include "test/conformance.h"
#include "test/harness.h"
#include "test/unit_tests.h"

namespace iocp::test {
namespace {

void add_conformance(std::vector<TestCase>& tests, const Backend& backend) {
  for (const auto assertions : {stream_assertions(), connection_assertions(), life_assertions(),
                                buffer_assertions(), refusal_assertions(), chaos_assertions()}) {
    for (const Assertion& assertion : assertions) {
      tests.push_back(
          {backend.name + ": " + assertion.name, [&backend, run = assertion.run] { run(backend); }});
    }
  }
}

}  // namespace
}  // namespace iocp::test

/// @param arguments a part of the names of the tests to run; without it all of them
int main(int count, char** arguments) {
  using namespace iocp::test;
  const std::vector<Backend> backends = available_backends();
  std::vector<TestCase> tests;
  add_posix_tests(tests);
  add_engine_tests(tests);
  add_sim_tests(tests);
  for (const Backend& backend : backends) add_conformance(tests, backend);
  return run_all(tests, count > 1 ? std::string_view(arguments[1]) : std::string_view());
}
