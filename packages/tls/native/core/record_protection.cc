#include "core/record_protection.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <iterator>
#include <limits>

namespace iocp::tls {

namespace {

/// By its name: node.exe does not export the function.
const EVP_CIPHER* chacha20_poly1305() { return EVP_get_cipherbyname("ChaCha20-Poly1305"); }

constexpr CipherSuite kSuites[] = {
    {0x1301, EVP_aes_128_gcm, EVP_sha256, 16, 32},
    {0x1302, EVP_aes_256_gcm, EVP_sha384, 32, 48},
    {0x1303, chacha20_poly1305, EVP_sha256, 32, 32},
};

/// Up to this size, copying the content is cheaper than another call for the byte of its type.
constexpr std::size_t kCopiedBytesMax = 512;

/// The legacy version of every record (RFC 8446 section 5.2).
constexpr std::uint8_t kVersion[] = {3, 3};
constexpr std::uint8_t kApplicationData = SSL3_RT_APPLICATION_DATA;

int hex_value(char digit) noexcept {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const std::size_t found =
      kDigits.find(digit >= 'A' && digit <= 'F' ? static_cast<char>(digit | 0x20) : digit);
  return found == std::string_view::npos ? -1 : static_cast<int>(found);
}

}  // namespace

Secret& Secret::operator=(const Secret& other) noexcept {
  if (this != &other) {
    wipe();
    bytes_ = other.bytes_;
    size_ = other.size_;
  }
  return *this;
}

bool Secret::read_hex(std::string_view digits) noexcept {
  wipe();
  const std::size_t length = digits.size();
  if (length % 2 != 0 || length / 2 > kBytesMax) return false;
  for (std::size_t at = 0; at < length; at += 2) {
    const int high = hex_value(digits[at]);
    const int low = hex_value(digits[at + 1]);
    if (high < 0 || low < 0) return false;
    bytes_[at / 2] = static_cast<std::uint8_t>(high << 4 | low);
  }
  size_ = length / 2;
  return true;
}

std::span<std::uint8_t> Secret::renew(std::size_t size) noexcept {
  wipe();
  size_ = size;
  return std::span(bytes_).first(size);
}

void Secret::wipe() noexcept {
  OPENSSL_cleanse(bytes_.data(), bytes_.size());
  size_ = 0;
}

const CipherSuite* find_cipher_suite(std::uint16_t id) noexcept {
  const auto* found = std::find_if(std::begin(kSuites), std::end(kSuites),
                                   [id](const CipherSuite& suite) { return suite.id == id; });
  return found == std::end(kSuites) ? nullptr : found;
}

bool expand_label(const CipherSuite& suite, Bytes secret, const char* label,
                  std::span<std::uint8_t> result) noexcept {
  constexpr std::string_view kPrefix = "tls13 ";
  constexpr std::size_t kLabelBytesMax = 16;
  const std::string_view name(label);
  if (name.size() > kLabelBytesMax || result.size() > suite.hash_bytes) return false;
  // HkdfLabel, and behind it the number of the first, and here only, block of HKDF-Expand (RFC 5869 section 2.3).
  std::array<std::uint8_t, 3 + kPrefix.size() + kLabelBytesMax + 2> info{};
  auto* at = info.data();
  *at++ = 0;
  *at++ = static_cast<std::uint8_t>(result.size());
  *at++ = static_cast<std::uint8_t>(kPrefix.size() + name.size());
  at = std::copy(kPrefix.begin(), kPrefix.end(), at);
  at = std::copy(name.begin(), name.end(), at);
  *at++ = 0;
  *at++ = 1;
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> block;
  const bool done = HMAC(suite.hash(), secret.data(), static_cast<int>(secret.size()), info.data(),
                         static_cast<std::size_t>(at - info.data()), block.data(), nullptr) != nullptr;
  if (done) std::copy_n(block.begin(), result.size(), result.begin());
  OPENSSL_cleanse(block.data(), block.size());
  return done;
}

bool RecordProtection::start(const CipherSuite& suite, Bytes secret, std::uint64_t record) noexcept {
  cipher_.reset(EVP_CIPHER_CTX_new());
  if (cipher_ == nullptr || secret.size() != suite.hash_bytes) return false;
  suite_ = &suite;
  std::copy(secret.begin(), secret.end(), secret_.renew(secret.size()).begin());
  if (EVP_CipherInit_ex(cipher_.get(), suite.aead(), nullptr, nullptr, nullptr,
                        static_cast<int>(direction_)) != 1 ||
      !use_keys()) {
    return false;
  }
  record_ = record;
  return true;
}

bool RecordProtection::update() noexcept {
  Secret next;
  if (!expand_label(*suite_, secret_.bytes(), "traffic upd", next.renew(suite_->hash_bytes))) return false;
  secret_ = next;
  return use_keys();
}

bool RecordProtection::use_keys() noexcept {
  Secret key;
  const std::span<std::uint8_t> key_bytes = key.renew(suite_->key_bytes);
  record_ = 0;
  return expand_label(*suite_, secret_.bytes(), "key", key_bytes) &&
         expand_label(*suite_, secret_.bytes(), "iv", iv_) &&
         EVP_CipherInit_ex(cipher_.get(), nullptr, nullptr, key_bytes.data(), nullptr, -1) == 1;
}

bool RecordProtection::begin(Bytes header) noexcept {
  if (record_ == std::numeric_limits<std::uint64_t>::max()) return false;
  std::array<std::uint8_t, kIvBytes> nonce = iv_;
  for (std::size_t at = 0; at < sizeof(record_); ++at) {
    nonce[kIvBytes - 1 - at] ^= static_cast<std::uint8_t>(record_ >> (8 * at));
  }
  ++record_;
  return EVP_CipherInit_ex(cipher_.get(), nullptr, nullptr, nullptr, nonce.data(), -1) == 1 &&
         pass(header, nullptr);
}

bool RecordProtection::pass(Bytes input, std::uint8_t* output) noexcept {
  // OpenSSL takes a call without input for the last one.
  if (input.empty()) return true;
  int size = 0;
  return EVP_CipherUpdate(cipher_.get(), output, &size, input.data(), static_cast<int>(input.size())) == 1;
}

bool RecordProtection::finish() noexcept {
  std::uint8_t nothing = 0;
  int size = 0;
  return EVP_CipherFinal_ex(cipher_.get(), &nothing, &size) == 1;
}

bool RecordProtection::seal(std::uint8_t type, Bytes content, std::span<std::uint8_t> record) noexcept {
  const std::size_t sealed_bytes = content.size() + 1 + kTagBytes;
  const std::span<std::uint8_t> header = record.first(kHeaderBytes);
  header[0] = kApplicationData;
  header[1] = kVersion[0];
  header[2] = kVersion[1];
  header[3] = static_cast<std::uint8_t>(sealed_bytes >> 8);
  header[4] = static_cast<std::uint8_t>(sealed_bytes);
  if (!begin(header)) return false;
  std::uint8_t* inner = record.data() + kHeaderBytes;
  std::uint8_t* end = inner + content.size();
  if (content.size() <= kCopiedBytesMax) {
    std::copy(content.begin(), content.end(), inner);
    *end = type;
    if (!pass({inner, content.size() + 1}, inner)) return false;
  } else if (!pass(content, inner) || !pass({&type, 1}, end)) {
    return false;
  }
  return finish() && EVP_CIPHER_CTX_ctrl(cipher_.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes, end + 1) == 1;
}

bool RecordProtection::open(Bytes record, std::span<std::uint8_t> first,
                            std::span<std::uint8_t> rest) noexcept {
  const Bytes sealed = record.subspan(kHeaderBytes);
  const Bytes tag = sealed.last(kTagBytes);
  // The tag is read only, whatever the type of this argument says.
  return begin(record.first(kHeaderBytes)) &&
         EVP_CIPHER_CTX_ctrl(cipher_.get(), EVP_CTRL_AEAD_SET_TAG, kTagBytes,
                             const_cast<std::uint8_t*>(tag.data())) == 1 &&
         pass(sealed.first(first.size()), first.data()) &&
         pass(sealed.subspan(first.size(), rest.size()), rest.data()) && finish();
}

}  // namespace iocp::tls
