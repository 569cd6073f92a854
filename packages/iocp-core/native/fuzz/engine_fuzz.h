#pragma once

#include <cstdint>
#include <span>

namespace iocp::fuzz {

/// Drives an engine over a scripted driver as `bytes` say: records, sensible and not, from the side of
/// JavaScript, and events from the side of the system. Ends the process with a message when
///  - an operation settles more than once, or never;
///  - a completion names an operation, slot or handle that it must not name;
///  - the engine breaks a promise to its driver;
///  - handles, slots or descriptors are lost.
void fuzz_engine(std::span<const std::uint8_t> bytes);

}  // namespace iocp::fuzz
