#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace iocp::websocket {

/// The four bytes that a payload is masked with, in the order in which they are used (RFC 6455, 5.3).
using MaskingKey = std::array<std::uint8_t, 4>;

/// The bytes of `key`, highest first, from the one for the payload's byte `phase` on.
MaskingKey masking_key(std::uint32_t key, std::uint32_t phase) noexcept;

/// XORs each byte with the key's, in place; a second time takes it back. The bytes may begin anywhere.
void apply_mask(std::uint8_t* bytes, std::size_t length, const MaskingKey& key) noexcept;

}  // namespace iocp::websocket
