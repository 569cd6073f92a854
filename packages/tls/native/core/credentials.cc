#include "core/credentials.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <climits>
#include <iterator>
#include <utility>

#include "core/openssl_error.h"

namespace iocp::tls {

namespace {

BioHandle open_bytes(Bytes bytes) {
  ERR_clear_error();
  if (bytes.size() > INT_MAX) throw OpensslFailure("The text is too long");
  // OpenSSL takes null for a mistake, and an empty span may point nowhere.
  const void* start = bytes.empty() ? "" : static_cast<const void*>(bytes.data());
  BioHandle bio(BIO_new_mem_buf(start, static_cast<int>(bytes.size())));
  if (bio == nullptr) throw OpensslFailure("BIO_new_mem_buf");
  return bio;
}

/// Where OpenSSL would ask the terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

int give_passphrase(char* buffer, int size, int, void* source) {
  const std::string& passphrase = static_cast<const SecretSource*>(source)->passphrase;
  if (passphrase.size() > static_cast<std::size_t>(size)) return -1;
  std::copy(passphrase.begin(), passphrase.end(), buffer);
  return static_cast<int>(passphrase.size());
}

bool at_end_of_text() {
  const unsigned long error = ERR_peek_last_error();
  return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

/// Everything of one kind in the text; empty when something in it is broken, with the reason in the error queue.
template <typename Owner, auto read>
std::vector<Owner> read_all(Bytes pem) {
  const BioHandle bio = open_bytes(pem);
  std::vector<Owner> result;
  while (Owner next{read(bio.get(), nullptr, no_passphrase, nullptr)}) result.push_back(std::move(next));
  if (result.empty() || !at_end_of_text()) return {};
  ERR_clear_error();
  return result;
}

}  // namespace

std::vector<X509Handle> read_certificates(Bytes pem) {
  std::vector<X509Handle> certificates = read_all<X509Handle, PEM_read_bio_X509_AUX>(pem);
  require(!certificates.empty(), "PEM_read_bio_X509_AUX");
  return certificates;
}

CertificateChain read_chain(Bytes pem) {
  std::vector<X509Handle> all = read_certificates(pem);
  CertificateChain chain{std::move(all.front()), {}};
  chain.others.assign(std::make_move_iterator(all.begin() + 1), std::make_move_iterator(all.end()));
  return chain;
}

std::vector<X509CrlHandle> read_crls(Bytes pem) {
  std::vector<X509CrlHandle> crls = read_all<X509CrlHandle, PEM_read_bio_X509_CRL>(pem);
  // Node does not say what is wrong with it.
  if (crls.empty()) ERR_clear_error();
  require(!crls.empty(), "Failed to parse CRL");
  return crls;
}

PkeyHandle read_private_key(const SecretSource& source) {
  const BioHandle bio = open_bytes(source.bytes);
  PkeyHandle key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, give_passphrase, const_cast<SecretSource*>(&source)));
  if (key == nullptr) throw OpensslFailure("PEM_read_bio_PrivateKey");
  ERR_clear_error();
  return key;
}

Pkcs12Contents read_pkcs12(const SecretSource& source) {
  const BioHandle bio = open_bytes(source.bytes);
  const Pkcs12Handle bundle(d2i_PKCS12_bio(bio.get(), nullptr));
  if (bundle == nullptr) throw OpensslFailure("d2i_PKCS12_bio");

  EVP_PKEY* key = nullptr;
  X509* leaf = nullptr;
  STACK_OF(X509)* others = nullptr;
  const bool parsed = PKCS12_parse(bundle.get(), source.passphrase.c_str(), &key, &leaf, &others) == 1;
  Pkcs12Contents contents{PkeyHandle(key), {X509Handle(leaf), {}}};
  const X509StackHandle stack(others);
  if (!parsed) throw OpensslFailure("PKCS12_parse");
  if (key == nullptr || leaf == nullptr) throw OpensslFailure("Unable to load PFX certificate");

  for (int i = 0; i < sk_X509_num(stack.get()); ++i) {
    contents.chain.others.push_back(share(sk_X509_value(stack.get(), i)));
  }
  ERR_clear_error();
  return contents;
}

PkeyHandle read_dh_parameters(Bytes pem) {
  const BioHandle bio = open_bytes(pem);
  PkeyHandle parameters(PEM_read_bio_Parameters(bio.get(), nullptr));
  if (parameters == nullptr) throw OpensslFailure("PEM_read_bio_Parameters");
  ERR_clear_error();
  return parameters;
}

}  // namespace iocp::tls
