#include "core/mask.h"

#include <cstring>

namespace iocp::websocket {

namespace {

using Word = std::uint64_t;

// What the compiler makes vector instructions of: those that every processor of its kind has, or, where it asks the processor
// first, wider ones.
#if defined(__x86_64__) && defined(__GNUC__)
#define IOCP_WITH_WIDE_VECTORS 1
#define IOCP_ALWAYS_INLINE inline __attribute__((always_inline))
#else
#define IOCP_ALWAYS_INLINE inline
#endif

/// Copied from and to the bytes, so that neither their alignment nor the processor's order of bytes matters.
IOCP_ALWAYS_INLINE void mask_words(std::uint8_t* bytes, std::size_t words, Word pattern) noexcept {
  for (std::size_t index = 0; index < words; ++index) {
    Word word = 0;
    std::memcpy(&word, bytes + index * sizeof(Word), sizeof(Word));
    word ^= pattern;
    std::memcpy(bytes + index * sizeof(Word), &word, sizeof(Word));
  }
}

#ifdef IOCP_WITH_WIDE_VECTORS
__attribute__((target("avx2"))) void mask_words_wide(std::uint8_t* bytes, std::size_t words,
                                                     Word pattern) noexcept {
  mask_words(bytes, words, pattern);
}

const bool kHasWideVectors = __builtin_cpu_supports("avx2") != 0;
#endif

}  // namespace

MaskingKey masking_key(std::uint32_t key, std::uint32_t phase) noexcept {
  MaskingKey bytes{};
  for (std::uint32_t index = 0; index < bytes.size(); ++index) {
    const std::uint32_t from_highest = (index + phase) % bytes.size();
    bytes[index] = static_cast<std::uint8_t>(key >> (24 - 8 * from_highest));
  }
  return bytes;
}

void apply_mask(std::uint8_t* bytes, std::size_t length, const MaskingKey& key) noexcept {
  Word pattern = 0;
  std::memcpy(&pattern, key.data(), key.size());
  std::memcpy(reinterpret_cast<std::uint8_t*>(&pattern) + key.size(), key.data(), key.size());
  const std::size_t words = length / sizeof(Word);
#ifdef IOCP_WITH_WIDE_VECTORS
  if (kHasWideVectors) {
    mask_words_wide(bytes, words, pattern);
  } else {
    mask_words(bytes, words, pattern);
  }
#else
  mask_words(bytes, words, pattern);
#endif
  for (std::size_t index = words * sizeof(Word); index < length; ++index) {
    bytes[index] ^= key[index % key.size()];
  }
}

}  // namespace iocp::websocket
