#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

#include "backend/sim/random.h"
#include "fuzz/engine_fuzz.h"

namespace {

constexpr std::uint64_t kIterations = 20000;
constexpr std::uint64_t kBytesMax = 2000;

std::uint64_t number(const char* text, std::uint64_t otherwise) {
  std::uint64_t value = otherwise;
  std::from_chars(text, text + std::strlen(text), value);
  return value;
}

void run_seed(std::uint64_t seed) {
  iocp::Random random(seed);
  std::vector<std::uint8_t> bytes(random.below(kBytesMax));
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random.next());
  iocp::fuzz::fuzz_engine(bytes);
}

}  // namespace

/// Usage: iocp_native_fuzz [iterations] [first seed]. Stops at the first seed that breaks a rule; that seed
/// with one iteration repeats it.
int main(int count, char** arguments) {
  const std::uint64_t iterations = count > 1 ? number(arguments[1], kIterations) : kIterations;
  const std::uint64_t first = count > 2 ? number(arguments[2], 1) : 1;
  for (std::uint64_t seed = first; seed < first + iterations; ++seed) {
    std::printf("\rseed %llu", static_cast<unsigned long long>(seed));
    std::fflush(stdout);  // it has to be known when the process ends in the middle
    run_seed(seed);
  }
  std::printf("\r%llu sessions, no rule broken (seeds %llu to %llu)\n",
              static_cast<unsigned long long>(iterations), static_cast<unsigned long long>(first),
              static_cast<unsigned long long>(first + iterations - 1));
  return 0;
}
