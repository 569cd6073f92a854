#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/io_vector.h"
#include "core/protocol.gen.h"

namespace iocp {

struct Operation;

/// One datagram of a SendTo.
struct OutgoingDatagram {
  /// Leaves the arrays as they are: batches come and go, and what is used of them is written each time.
  OutgoingDatagram() noexcept {}  // NOLINT(modernize-use-equals-default)

  IoVector payload;
  /// Address and controls as the record has them (`outgoing_word`).
  std::array<std::int32_t, std::size_t{kRecordWords} * 2> words;
  Operation* operation = nullptr;
  std::uint32_t index = 0;  // within the operation
  /// For drivers: the structures that the kernel reads until the datagram has settled.
  alignas(std::max_align_t) std::array<std::byte, 256> driver_storage;
};

}  // namespace iocp
