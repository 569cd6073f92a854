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
                                buffer_assertions(), refusal_assertions(), datagram_assertions(),
                                datagram_control_assertions(), chaos_assertions(), system_assertions()}) {
    for (const Assertion& assertion : assertions) {
      tests.push_back(
          {backend.name + ": " + assertion.name, [&backend, run = assertion.run] { run(backend); }});
    }
  }
}

}  // namespace
}  // namespace iocp::test

/// @param arguments which tests to run, see run_all()
int main(int count, char** arguments) {
  using namespace iocp::test;
  const std::vector<Backend> backends = available_backends();
  std::vector<TestCase> tests;
  add_net_tests(tests);
  add_datagram_net_tests(tests);
  add_engine_tests(tests);
  add_handover_tests(tests);
  add_sim_tests(tests);
  for (const Backend& backend : backends) add_conformance(tests, backend);
  return run_all(tests, std::vector<std::string_view>(arguments + 1, arguments + count));
}
