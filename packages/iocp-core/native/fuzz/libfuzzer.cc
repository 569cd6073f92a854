#include <cstddef>
#include <cstdint>

#include "fuzz/engine_fuzz.h"

/// Entry of libFuzzer (clang++ -fsanitize=fuzzer).
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  iocp::fuzz::fuzz_engine({data, size});
  return 0;
}
