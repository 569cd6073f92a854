#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/byte_window_bio.h"
#include "core/openssl_error.h"
#include "core/record_protection.h"

namespace iocp::tls {

struct Received {
  std::size_t consumed = 0;
  std::size_t plain = 0;
  /// `plain` has no room for what comes next, and there is more from the same input.
  bool more = false;
};

/// The records of a server's TLS 1.3 connection after the handshake (RFC 8446 section 5), without a copy between the memory they
/// arrive in, the plain text, and the memory they are sent from. Handshakes are OpenSSL's, but for KeyUpdate.
/// It fails as OpenSSL does, with the same alerts and reasons.
class RecordLayer {
 public:
  /// Of one generation of our keys; AES-GCM bears no more than 2^24.5 of full size (RFC 8446 section 5.5).
  static constexpr std::uint64_t kRecordsPerKeyMax = std::uint64_t{1} << 24U;

  /// @param output where records go; lives on
  /// @param records_per_key_max fewer in tests
  explicit RecordLayer(ByteWindowBio& output, std::uint64_t records_per_key_max = kRecordsPerKeyMax) noexcept
      : output_(output), records_per_key_max_(records_per_key_max) {}
  RecordLayer(const RecordLayer&) = delete;
  RecordLayer& operator=(const RecordLayer&) = delete;

  /// Where a direction goes on.
  struct Begin {
    Bytes secret;
    /// How many records were protected with it already.
    std::uint64_t records = 0;
  };

  /// @returns false when OpenSSL refuses
  [[nodiscard]] bool start(const CipherSuite& suite, Begin client, Begin server) noexcept;

  /// Consumes all of the input, unless there is `more`, the peer has ended, or it has failed.
  [[nodiscard]] Received receive(Bytes input, std::span<std::uint8_t> plain) noexcept;
  /// Writes records as long as they find room, but at least one. @returns how much of `plain` is in them
  [[nodiscard]] std::size_t send(Bytes plain) noexcept;
  /// Says close_notify, once.
  void end() noexcept;

  [[nodiscard]] bool peer_ended() const noexcept { return peer_ended_; }
  [[nodiscard]] const std::optional<ErrorFacts>& error() const noexcept { return error_; }
  /// Memory held for records that are not complete, or found no room.
  [[nodiscard]] std::size_t held_bytes() const noexcept { return partial_.capacity() + unread_.capacity(); }

 private:
  /// Of a decrypted record, which may lie in two places.
  struct Inner {
    Bytes first;
    Bytes rest;

    [[nodiscard]] std::size_t size() const noexcept { return first.size() + rest.size(); }
    [[nodiscard]] std::uint8_t at(std::size_t index) const noexcept {
      return index < first.size() ? first[index] : rest[index - first.size()];
    }
  };

  [[nodiscard]] bool over() const noexcept { return peer_ended_ || error_.has_value(); }
  [[nodiscard]] Bytes next_record(Bytes input, std::size_t& consumed) noexcept;
  [[nodiscard]] bool collect(std::size_t size, Bytes input, std::size_t& consumed) noexcept;
  [[nodiscard]] bool check_header(Bytes header) noexcept;
  [[nodiscard]] std::size_t open(Bytes record, std::span<std::uint8_t> room) noexcept;
  void read_message(std::uint8_t type, const Inner& inner, std::size_t size) noexcept;
  void read_alert(const Inner& inner, std::size_t size) noexcept;
  void read_handshake(const Inner& inner, std::size_t size) noexcept;
  void read_key_update(std::uint8_t request) noexcept;
  [[nodiscard]] std::size_t hand_out_unread(std::span<std::uint8_t> plain) noexcept;
  void update_own_keys() noexcept;
  void write(std::uint8_t type, Bytes content) noexcept;
  void fail(int alert, int reason) noexcept;
  void stop(int reason) noexcept;

  ByteWindowBio& output_;
  const std::uint64_t records_per_key_max_;
  RecordProtection reader_{RecordProtection::Direction::Open};
  RecordProtection writer_{RecordProtection::Direction::Seal};

  /// A record that has not come completely; empty, it holds no memory.
  std::vector<std::uint8_t> partial_;
  /// Plain text that found no room; empty, it holds no memory.
  std::vector<std::uint8_t> unread_;
  std::size_t unread_taken_ = 0;
  /// A message of the handshake that has not come completely. KeyUpdate is the longest.
  std::array<std::uint8_t, 5> message_{};
  std::size_t message_bytes_ = 0;
  /// Records in a row that brought no data, while we sent none.
  unsigned int idle_records_ = 0;
  /// The peer wants new keys from us before the next data.
  bool update_due_ = false;
  bool ended_ = false;
  bool peer_ended_ = false;
  std::optional<ErrorFacts> error_;
};

}  // namespace iocp::tls
