#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/credentials.h"
#include "core/openssl_handles.h"

namespace iocp::tls {

/// A traffic secret of TLS 1.3 (RFC 8446 section 7.1), wiped when it is replaced and when it goes.
class Secret {
 public:
  /// The longest hash of a cipher suite: SHA-384.
  static constexpr std::size_t kBytesMax = 48;

  Secret() = default;
  ~Secret() { wipe(); }
  Secret(const Secret& other) noexcept : Secret() { *this = other; }
  Secret& operator=(const Secret& other) noexcept;

  /// From hexadecimal digits, as in a key log. @returns false when they are no secret
  [[nodiscard]] bool read_hex(std::string_view digits) noexcept;
  /// Makes room for another one of that size, at most kBytesMax.
  [[nodiscard]] std::span<std::uint8_t> renew(std::size_t size) noexcept;
  void wipe() noexcept;
  [[nodiscard]] Bytes bytes() const noexcept { return Bytes(bytes_).first(size_); }

 private:
  std::array<std::uint8_t, kBytesMax> bytes_{};
  std::size_t size_ = 0;
};

/// A cipher suite of TLS 1.3 whose records we protect ourselves.
struct CipherSuite {
  std::uint16_t id;
  const EVP_CIPHER* (*aead)();
  const EVP_MD* (*hash)();
  std::size_t key_bytes;
  std::size_t hash_bytes;
};

/// Null: one that is not ours.
[[nodiscard]] const CipherSuite* find_cipher_suite(std::uint16_t id) noexcept;

/// HKDF-Expand-Label with an empty context, for results no longer than the hash (RFC 8446 section 7.1).
/// @returns false when OpenSSL refuses
[[nodiscard]] bool expand_label(const CipherSuite& suite, Bytes secret, const char* label,
                                std::span<std::uint8_t> result) noexcept;

/// The protection of records in one direction (RFC 8446 section 5.2): keys, and the number of the next record.
class RecordProtection {
 public:
  enum class Direction : int { Open = 0, Seal = 1 };

  static constexpr std::size_t kHeaderBytes = 5;
  static constexpr std::size_t kTagBytes = 16;
  /// What a record without padding is longer than its content: header, content type, tag.
  static constexpr std::size_t kOverheadBytes = kHeaderBytes + 1 + kTagBytes;

  explicit RecordProtection(Direction direction) noexcept : direction_(direction) {}

  /// @param suite lives on
  /// @param record the number of the next record
  /// @returns false when OpenSSL refuses
  [[nodiscard]] bool start(const CipherSuite& suite, Bytes secret, std::uint64_t record) noexcept;
  /// Goes on with the keys of the next generation (RFC 8446 section 7.2). @returns false when OpenSSL refuses
  [[nodiscard]] bool update() noexcept;
  /// How many records these keys have protected.
  [[nodiscard]] std::uint64_t records() const noexcept { return record_; }

  /// Writes a whole record. @param record kOverheadBytes longer than `content`, and apart from it
  /// @returns false when OpenSSL refuses
  [[nodiscard]] bool seal(std::uint8_t type, Bytes content, std::span<std::uint8_t> record) noexcept;
  /// Decrypts what is between header and tag into `first`, and what finds no room there into `rest`; they are exactly as long together.
  /// @returns false when the record is not genuine: then what was written is of no meaning
  [[nodiscard]] bool open(Bytes record, std::span<std::uint8_t> first, std::span<std::uint8_t> rest) noexcept;

 private:
  static constexpr std::size_t kIvBytes = 12;

  [[nodiscard]] bool use_keys() noexcept;
  [[nodiscard]] bool begin(Bytes header) noexcept;
  [[nodiscard]] bool pass(Bytes input, std::uint8_t* output) noexcept;
  [[nodiscard]] bool finish() noexcept;

  Direction direction_;
  const CipherSuite* suite_ = nullptr;
  Secret secret_;
  CipherCtxHandle cipher_;
  std::array<std::uint8_t, kIvBytes> iv_{};
  std::uint64_t record_ = 0;
};

}  // namespace iocp::tls
