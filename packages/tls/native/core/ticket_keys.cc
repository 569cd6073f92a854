#include "core/ticket_keys.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <string>
#include <utility>

#include "core/openssl_error.h"

namespace iocp::tls {

namespace {

constexpr std::size_t kPart = 16;

const std::uint8_t* name_of(const TicketKeys::Key& key) { return key.data(); }
const std::uint8_t* mac_key_of(const TicketKeys::Key& key) { return key.data() + kPart; }
const std::uint8_t* cipher_key_of(const TicketKeys::Key& key) { return key.data() + 2 * kPart; }

// What SSL_CTX_set_tlsext_ticket_key_evp_cb(3) wants to hear.
constexpr int kFailed = -1;
constexpr int kUnknown = 0;
constexpr int kUsed = 1;
constexpr int kUsedRenew = 2;

}  // namespace

TicketKeys::TicketKeys() : cipher_(EVP_CIPHER_fetch(nullptr, "AES-128-CBC", nullptr)) {
  if (cipher_ == nullptr) throw OpensslFailure("AES-128-CBC for session tickets is missing");
}

TicketKeys::~TicketKeys() { wipe(); }

void TicketKeys::make_random() {
  Key key;
  if (RAND_bytes(key.data(), kKeyBytes) != 1) throw OpensslFailure("Error generating ticket keys");
  const std::span<const std::uint8_t> bytes(key);
  replace({&bytes, 1});
  OPENSSL_cleanse(key.data(), key.size());
}

void TicketKeys::replace(std::span<const std::span<const std::uint8_t>> keys) {
  std::vector<Key> next(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) std::copy_n(keys[i].begin(), kKeyBytes, next[i].begin());
  wipe();
  keys_ = std::move(next);
}

int TicketKeys::use(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                    bool encrypt) const noexcept {
  const auto key =
      encrypt ? keys_.begin() : std::find_if(keys_.begin(), keys_.end(), [name](const Key& each) {
        return std::equal(name, name + kPart, name_of(each));
      });
  if (key == keys_.end()) return kUnknown;
  if (encrypt) {
    std::copy_n(name_of(*key), kPart, name);
    if (RAND_bytes(iv, kPart) != 1) return kFailed;
  }
  if (EVP_CipherInit_ex(cipher, cipher_.get(), nullptr, cipher_key_of(*key), iv, encrypt ? 1 : 0) != 1) {
    return kFailed;
  }
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                   OSSL_PARAM_construct_end()};
  if (EVP_MAC_init(mac, mac_key_of(*key), kPart, parameters) != 1) return kFailed;
  return encrypt || key == keys_.begin() ? kUsed : kUsedRenew;
}

void TicketKeys::wipe() noexcept {
  for (Key& key : keys_) OPENSSL_cleanse(key.data(), key.size());
}

}  // namespace iocp::tls
