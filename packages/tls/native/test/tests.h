#pragma once

#include <vector>

#include "test/harness.h"

namespace iocp::tls::test {

using iocp::test::check;
using iocp::test::check_equal;
using iocp::test::TestCase;

/// Keys and records, against published vectors.
void add_protection_tests(std::vector<TestCase>& tests);
/// Our server against OpenSSL's client.
void add_session_tests(std::vector<TestCase>& tests);
/// What a client with the right keys may send to do harm: the same alert and code as from OpenSSL's server.
void add_hostile_tests(std::vector<TestCase>& tests);

}  // namespace iocp::tls::test
