#include "core/openssl_error.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <iterator>

namespace iocp::tls {

namespace {

struct Name {
  long number;
  const char* text;
};

/// The parts of codes for libraries that Node has names for; other libraries leave no trace in a code.
constexpr Name kLibraries[] = {
    {ERR_LIB_SYS, "SYS_"},     {ERR_LIB_BN, "BN_"},         {ERR_LIB_RSA, "RSA_"},
    {ERR_LIB_DH, "DH_"},       {ERR_LIB_EVP, "EVP_"},       {ERR_LIB_BUF, "BUF_"},
    {ERR_LIB_OBJ, "OBJ_"},     {ERR_LIB_PEM, "PEM_"},       {ERR_LIB_DSA, "DSA_"},
    {ERR_LIB_X509, "X509_"},   {ERR_LIB_ASN1, "ASN1_"},     {ERR_LIB_CONF, "CONF_"},
    {ERR_LIB_EC, "EC_"},       {ERR_LIB_BIO, "BIO_"},       {ERR_LIB_CRYPTO, "CRYPTO_"},
    {ERR_LIB_PKCS7, "PKCS7_"}, {ERR_LIB_X509V3, "X509V3_"}, {ERR_LIB_PKCS12, "PKCS12_"},
    {ERR_LIB_RAND, "RAND_"},   {ERR_LIB_DSO, "DSO_"},       {ERR_LIB_ENGINE, "ENGINE_"},
    {ERR_LIB_OCSP, "OCSP_"},   {ERR_LIB_UI, "UI_"},         {ERR_LIB_OSSL_STORE, "OSSL_STORE_"},
    {ERR_LIB_COMP, "COMP_"},   {ERR_LIB_ECDSA, "ECDSA_"},   {ERR_LIB_ECDH, "ECDH_"},
    {ERR_LIB_FIPS, "FIPS_"},   {ERR_LIB_CMS, "CMS_"},       {ERR_LIB_TS, "TS_"},
    {ERR_LIB_HMAC, "HMAC_"},   {ERR_LIB_CT, "CT_"},         {ERR_LIB_ASYNC, "ASYNC_"},
    {ERR_LIB_KDF, "KDF_"},     {ERR_LIB_SM2, "SM2_"},       {ERR_LIB_USER, "USER_"},
};

constexpr Name kVerification[] = {
    {X509_V_OK, "OK"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, "UNABLE_TO_GET_ISSUER_CERT"},
    {X509_V_ERR_UNABLE_TO_GET_CRL, "UNABLE_TO_GET_CRL"},
    {X509_V_ERR_UNABLE_TO_DECRYPT_CERT_SIGNATURE, "UNABLE_TO_DECRYPT_CERT_SIGNATURE"},
    {X509_V_ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE, "UNABLE_TO_DECRYPT_CRL_SIGNATURE"},
    {X509_V_ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY, "UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY"},
    {X509_V_ERR_CERT_SIGNATURE_FAILURE, "CERT_SIGNATURE_FAILURE"},
    {X509_V_ERR_CRL_SIGNATURE_FAILURE, "CRL_SIGNATURE_FAILURE"},
    {X509_V_ERR_CERT_NOT_YET_VALID, "CERT_NOT_YET_VALID"},
    {X509_V_ERR_CERT_HAS_EXPIRED, "CERT_HAS_EXPIRED"},
    {X509_V_ERR_CRL_NOT_YET_VALID, "CRL_NOT_YET_VALID"},
    {X509_V_ERR_CRL_HAS_EXPIRED, "CRL_HAS_EXPIRED"},
    {X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD, "ERROR_IN_CERT_NOT_BEFORE_FIELD"},
    {X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD, "ERROR_IN_CERT_NOT_AFTER_FIELD"},
    {X509_V_ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD, "ERROR_IN_CRL_LAST_UPDATE_FIELD"},
    {X509_V_ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD, "ERROR_IN_CRL_NEXT_UPDATE_FIELD"},
    {X509_V_ERR_OUT_OF_MEM, "OUT_OF_MEM"},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "DEPTH_ZERO_SELF_SIGNED_CERT"},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "SELF_SIGNED_CERT_IN_CHAIN"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "UNABLE_TO_GET_ISSUER_CERT_LOCALLY"},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, "UNABLE_TO_VERIFY_LEAF_SIGNATURE"},
    {X509_V_ERR_CERT_CHAIN_TOO_LONG, "CERT_CHAIN_TOO_LONG"},
    {X509_V_ERR_CERT_REVOKED, "CERT_REVOKED"},
    {X509_V_ERR_INVALID_CA, "INVALID_CA"},
    {X509_V_ERR_PATH_LENGTH_EXCEEDED, "PATH_LENGTH_EXCEEDED"},
    {X509_V_ERR_INVALID_PURPOSE, "INVALID_PURPOSE"},
    {X509_V_ERR_CERT_UNTRUSTED, "CERT_UNTRUSTED"},
    {X509_V_ERR_CERT_REJECTED, "CERT_REJECTED"},
    {X509_V_ERR_HOSTNAME_MISMATCH, "HOSTNAME_MISMATCH"},
};

template <std::size_t count>
const char* find_name(const Name (&names)[count], long number, const char* otherwise) noexcept {
  const auto* found = std::find_if(std::begin(names), std::end(names),
                                   [number](const Name& name) { return name.number == number; });
  return found == std::end(names) ? otherwise : found->text;
}

std::string text_or_empty(const char* text) { return text == nullptr ? std::string() : std::string(text); }

std::string library_prefix(unsigned long error) {
  const int library = ERR_GET_LIB(error);
  if (library == ERR_LIB_SSL) return "ERR_SSL_";
  return std::string("ERR_OSSL_") + find_name(kLibraries, library, "");
}

/// "bad decrypt" -> "BAD_DECRYPT": nearly the name of the reason in OpenSSL's headers.
std::string reason_name(std::string reason) {
  std::transform(reason.begin(), reason.end(), reason.begin(), [](unsigned char letter) {
    return letter == ' ' ? '_' : static_cast<char>(std::toupper(letter));
  });
  return reason;
}

/// @param prefix of the code; null: what the error's library says
ErrorFacts take(const char* prefix, const char* otherwise) {
  const unsigned long error = ERR_get_error();
  ErrorFacts facts{"ERR_CRYPTO_OPERATION_FAILED", otherwise, {}, {}};
  if (error != 0) {
    std::array<char, 256> message{};
    ERR_error_string_n(error, message.data(), message.size());
    facts.message = message.data();
    facts.library = text_or_empty(ERR_lib_error_string(error));
    facts.reason = text_or_empty(ERR_reason_error_string(error));
    if (!facts.reason.empty()) {
      facts.code = (prefix == nullptr ? library_prefix(error) : prefix) + reason_name(facts.reason);
    }
  }
  ERR_clear_error();
  return facts;
}

}  // namespace

ErrorFacts take_error(const char* otherwise) { return take(nullptr, otherwise); }

ErrorFacts take_session_error(const char* otherwise) { return take("ERR_SSL_", otherwise); }

const char* verification_code(long number) noexcept {
  return find_name(kVerification, number, "UNSPECIFIED");
}

}  // namespace iocp::tls
