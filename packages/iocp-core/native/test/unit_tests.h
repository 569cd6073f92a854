#pragma once

#include <vector>

#include "test/harness.h"

namespace iocp::test {

/// Tests that do not depend on a backend.
void add_net_tests(std::vector<TestCase>& tests);
void add_datagram_net_tests(std::vector<TestCase>& tests);
void add_sim_tests(std::vector<TestCase>& tests);
void add_engine_tests(std::vector<TestCase>& tests);
void add_handover_tests(std::vector<TestCase>& tests);

}  // namespace iocp::test
