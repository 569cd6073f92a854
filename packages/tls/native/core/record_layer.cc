#include "core/record_layer.h"

#include <openssl/err.h>

#include <algorithm>

namespace iocp::tls {

namespace {

constexpr std::size_t kHeaderBytes = RecordProtection::kHeaderBytes;
constexpr std::size_t kContentBytesMax = SSL3_RT_MAX_PLAIN_LENGTH;
constexpr std::size_t kSealedBytesMax = SSL3_RT_MAX_TLS13_ENCRYPTED_LENGTH;
/// As many as OpenSSL puts up with.
constexpr unsigned int kIdleRecordsMax = 32;
/// A record is cut to the room there is when that is at least so long.
constexpr std::size_t kCutBytesMin = 1024;

std::size_t sealed_bytes(Bytes header) noexcept {
  return static_cast<std::size_t>(header[3]) << 8U | header[4];
}

template <typename Container>
void release(Container& container) noexcept {
  Container().swap(container);
}

}  // namespace

bool RecordLayer::start(const CipherSuite& suite, Begin client, Begin server) noexcept {
  return reader_.start(suite, client.secret, client.records) &&
         writer_.start(suite, server.secret, server.records);
}

Received RecordLayer::receive(Bytes input, std::span<std::uint8_t> plain) noexcept {
  Received result;
  result.plain = hand_out_unread(plain);
  while (!over()) {
    const std::span<std::uint8_t> room = plain.subspan(result.plain);
    if (!unread_.empty()) {
      result.more = true;
      return result;
    }
    const Bytes record = next_record(input, result.consumed);
    if (record.empty()) return result;
    const std::size_t inner_bytes = record.size() - kHeaderBytes - RecordProtection::kTagBytes;
    if (result.plain > 0 && room.size() < inner_bytes) {
      result.more = true;
      return result;
    }
    if (partial_.empty()) result.consumed += record.size();
    result.plain += open(record, room);
    release(partial_);
  }
  return result;
}

/// The next record, in `input` or in `partial_`. Empty: it has not come completely, or is none.
Bytes RecordLayer::next_record(Bytes input, std::size_t& consumed) noexcept {
  const Bytes rest = input.subspan(consumed);
  if (partial_.empty()) {
    if (rest.empty()) return {};
    if (rest.size() >= kHeaderBytes) {
      if (!check_header(rest)) return {};
      const std::size_t size = kHeaderBytes + sealed_bytes(rest);
      if (rest.size() >= size) return rest.first(size);
      partial_.reserve(size);
    }
  }
  if (!collect(kHeaderBytes, input, consumed) || !check_header(partial_)) return {};
  if (!collect(kHeaderBytes + sealed_bytes(partial_), input, consumed)) return {};
  return partial_;
}

/// Moves input to `partial_` until it has that size. @returns whether it has
bool RecordLayer::collect(std::size_t size, Bytes input, std::size_t& consumed) noexcept {
  if (partial_.size() >= size) return true;
  partial_.reserve(size);
  const Bytes rest = input.subspan(consumed);
  const Bytes next = rest.first(std::min(rest.size(), size - partial_.size()));
  partial_.insert(partial_.end(), next.begin(), next.end());
  consumed += next.size();
  return partial_.size() == size;
}

bool RecordLayer::check_header(Bytes header) noexcept {
  const std::size_t size = sealed_bytes(header);
  if (header[1] != SSL3_VERSION_MAJOR) {
    fail(SSL_AD_PROTOCOL_VERSION, SSL_R_WRONG_VERSION_NUMBER);
  } else if (header[0] != SSL3_RT_APPLICATION_DATA) {
    fail(SSL_AD_UNEXPECTED_MESSAGE, SSL_R_BAD_RECORD_TYPE);
  } else if (header[2] != (TLS1_2_VERSION & 0xff)) {
    fail(SSL_AD_DECODE_ERROR, SSL_R_WRONG_VERSION_NUMBER);
  } else if (size > kSealedBytesMax) {
    fail(SSL_AD_RECORD_OVERFLOW, SSL_R_ENCRYPTED_LENGTH_TOO_LONG);
  } else if (size <= RecordProtection::kTagBytes) {
    fail(SSL_AD_BAD_RECORD_MAC, SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC);
  } else {
    return true;
  }
  return false;
}

/// @returns how much data of the record is in `room`; `unread_` has the rest
std::size_t RecordLayer::open(Bytes record, std::span<std::uint8_t> room) noexcept {
  const std::size_t inner_bytes = record.size() - kHeaderBytes - RecordProtection::kTagBytes;
  const std::span<std::uint8_t> first = room.first(std::min(room.size(), inner_bytes));
  unread_.resize(inner_bytes - first.size());
  if (!reader_.open(record, first, unread_)) {
    release(unread_);
    fail(SSL_AD_BAD_RECORD_MAC, SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC);
    return 0;
  }
  const Inner inner{first, unread_};
  std::size_t size = inner_bytes;
  while (size > 0 && inner.at(size - 1) == 0) --size;
  // Zeros alone have no type, and 0 is none.
  const std::uint8_t type = size == 0 ? 0 : inner.at(--size);
  const bool is_data = type == SSL3_RT_APPLICATION_DATA && message_bytes_ == 0 && size <= kContentBytesMax;
  if (is_data && size > 0) {
    idle_records_ = 0;
    unread_.resize(size - std::min(size, first.size()));
  } else {
    read_message(type, inner, size);
    size = 0;
    unread_.clear();
  }
  if (unread_.empty()) release(unread_);
  return std::min(size, first.size());
}

/// A record without data.
void RecordLayer::read_message(std::uint8_t type, const Inner& inner, std::size_t size) noexcept {
  const bool too_many = ++idle_records_ > kIdleRecordsMax;
  if (size > kContentBytesMax) {
    fail(SSL_AD_RECORD_OVERFLOW, SSL_R_DATA_LENGTH_TOO_LONG);
  } else if (type != SSL3_RT_APPLICATION_DATA && type != SSL3_RT_ALERT && type != SSL3_RT_HANDSHAKE) {
    fail(SSL_AD_UNEXPECTED_MESSAGE, SSL_R_BAD_RECORD_TYPE);
  } else if (type != SSL3_RT_HANDSHAKE && message_bytes_ > 0) {
    fail(SSL_AD_UNEXPECTED_MESSAGE, SSL_R_MIXED_HANDSHAKE_AND_NON_HANDSHAKE_DATA);
  } else if (type == SSL3_RT_APPLICATION_DATA) {
    if (too_many) fail(SSL_AD_UNEXPECTED_MESSAGE, SSL_R_RECORD_TOO_SMALL);
  } else if (size == 0) {
    fail(SSL_AD_UNEXPECTED_MESSAGE, SSL_R_BAD_LENGTH);
  } else if (type == SSL3_RT_ALERT) {
    if (too_many)
      fail(SSL_AD_UNEXPECTED_MESSAGE, SSL_R_TOO_MANY_WARN_ALERTS);
    else
      read_alert(inner, size);
  } else if (too_many) {
    fail(SSL_AD_UNEXPECTED_MESSAGE, SSL_R_TOO_MANY_KEY_UPDATES);
  } else {
    read_handshake(inner, size);
  }
}

void RecordLayer::read_alert(const Inner& inner, std::size_t size) noexcept {
  if (size != 2) {
    fail(SSL_AD_UNEXPECTED_MESSAGE, SSL_R_INVALID_ALERT);
    return;
  }
  const std::uint8_t alert = inner.at(1);
  if (alert == SSL_AD_CLOSE_NOTIFY) {
    peer_ended_ = true;
  } else if (alert != SSL_AD_USER_CANCELLED) {
    // Every other one is fatal, whatever its level says (RFC 8446 section 6).
    stop(SSL_AD_REASON_OFFSET + alert);
  }
}

void RecordLayer::read_handshake(const Inner& inner, std::size_t size) noexcept {
  for (std::size_t at = 0; at < size; ++at) {
    message_[message_bytes_++] = inner.at(at);
    if (message_bytes_ == 1 && message_[0] != SSL3_MT_KEY_UPDATE) {
      fail(SSL_AD_UNEXPECTED_MESSAGE, SSL_R_UNEXPECTED_MESSAGE);
      return;
    }
    if (message_bytes_ == SSL3_HM_HEADER_LENGTH && (message_[1] > 0 || message_[2] > 0 || message_[3] > 1)) {
      fail(SSL_AD_ILLEGAL_PARAMETER, SSL_R_EXCESSIVE_MESSAGE_SIZE);
      return;
    }
    if (message_bytes_ == SSL3_HM_HEADER_LENGTH && message_[3] == 0) {
      fail(SSL_AD_DECODE_ERROR, SSL_R_BAD_KEY_UPDATE);
      return;
    }
    if (message_bytes_ < message_.size()) continue;
    message_bytes_ = 0;
    if (at + 1 < size)
      fail(SSL_AD_UNEXPECTED_MESSAGE, SSL_R_NOT_ON_RECORD_BOUNDARY);
    else
      read_key_update(message_.back());
    return;
  }
}

void RecordLayer::read_key_update(std::uint8_t request) noexcept {
  if (request != SSL_KEY_UPDATE_NOT_REQUESTED && request != SSL_KEY_UPDATE_REQUESTED) {
    fail(SSL_AD_ILLEGAL_PARAMETER, SSL_R_BAD_KEY_UPDATE);
  } else if (!reader_.update()) {
    fail(SSL_AD_INTERNAL_ERROR, ERR_R_INTERNAL_ERROR);
  } else if (request == SSL_KEY_UPDATE_REQUESTED) {
    update_due_ = true;
  }
}

std::size_t RecordLayer::hand_out_unread(std::span<std::uint8_t> plain) noexcept {
  const std::size_t size = std::min(plain.size(), unread_.size() - unread_taken_);
  std::copy_n(unread_.begin() + static_cast<std::ptrdiff_t>(unread_taken_), size, plain.begin());
  unread_taken_ += size;
  if (unread_taken_ == unread_.size()) {
    release(unread_);
    unread_taken_ = 0;
  }
  return size;
}

std::size_t RecordLayer::send(Bytes plain) noexcept {
  if (ended_) {
    stop(SSL_R_PROTOCOL_IS_SHUTDOWN);
    return 0;
  }
  if (!plain.empty()) idle_records_ = 0;
  std::size_t consumed = 0;
  while (consumed < plain.size() && !error_) {
    if (update_due_ || writer_.records() >= records_per_key_max_) update_own_keys();
    const std::size_t room = output_.room().size();
    std::size_t size = std::min(plain.size() - consumed, kContentBytesMax);
    if (room < size + RecordProtection::kOverheadBytes) {
      if (room >= kCutBytesMin) {
        size = room - RecordProtection::kOverheadBytes;
      } else if (consumed > 0) {
        break;
      }
    }
    write(SSL3_RT_APPLICATION_DATA, plain.subspan(consumed, size));
    consumed += size;
  }
  return error_ ? 0 : consumed;
}

void RecordLayer::end() noexcept {
  if (ended_ || error_) return;
  constexpr std::uint8_t kAlert[] = {SSL3_AL_WARNING, SSL_AD_CLOSE_NOTIFY};
  write(SSL3_RT_ALERT, kAlert);
  ended_ = true;
}

void RecordLayer::update_own_keys() noexcept {
  constexpr std::uint8_t kMessage[] = {SSL3_MT_KEY_UPDATE, 0, 0, 1, SSL_KEY_UPDATE_NOT_REQUESTED};
  write(SSL3_RT_HANDSHAKE, kMessage);
  update_due_ = false;
  if (!error_ && !writer_.update()) stop(ERR_R_INTERNAL_ERROR);
}

/// Into the room there is, or where it spills.
void RecordLayer::write(std::uint8_t type, Bytes content) noexcept {
  const std::size_t size = content.size() + RecordProtection::kOverheadBytes;
  const std::span<std::uint8_t> room = output_.room();
  const bool fits = room.size() >= size;
  std::vector<std::uint8_t> apart(fits ? 0 : size);
  const std::span<std::uint8_t> record = fits ? room.first(size) : std::span(apart);
  if (!writer_.seal(type, content, record))
    stop(ERR_R_INTERNAL_ERROR);
  else if (fits)
    output_.fill(size);
  else
    output_.write({reinterpret_cast<const char*>(record.data()), size});
}

/// Tells the peer why. Behind a close_notify there is nothing more to say.
void RecordLayer::fail(int alert, int reason) noexcept {
  const std::uint8_t message[] = {SSL3_AL_FATAL, static_cast<std::uint8_t>(alert)};
  if (!ended_) write(SSL3_RT_ALERT, message);
  stop(reason);
}

void RecordLayer::stop(int reason) noexcept {
  if (error_) return;
  ERR_clear_error();
  ERR_raise(ERR_LIB_SSL, reason);
  error_ = take_session_error("");
}

}  // namespace iocp::tls
