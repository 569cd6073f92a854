#pragma once

#include <cstdint>

namespace iocp {

/// Which faults to inject, as probabilities from 0 to 1. The same seed and the same events give the same
/// faults.
struct FaultPlan {
  std::uint64_t seed = 1;
  double short_send = 0;  // a send ends with a part of its bytes
  double short_recv = 0;  // received bytes come in two events
  double reset = 0;       // a connection breaks with ECONNRESET
  double no_buffers = 0;  // a receive ends with ENOBUFS although there are slots
  double emfile = 0;      // an accept fails with EMFILE
  double delay = 0;       // an event comes later
};

}  // namespace iocp
