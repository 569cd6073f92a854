#include "core/context.h"

#include <openssl/err.h>

#include <utility>

#include "core/identity.h"
#include "core/openssl_error.h"
#include "core/session_callbacks.h"

namespace iocp::tls {

namespace {

constexpr int kDhBitsMin = 1024;

int use_ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                   int encrypt) {
  return Context::of(ssl).ticket_keys().use(name, iv, cipher, mac, encrypt != 0);
}

void set_protocol(SSL_CTX* ctx, const ContextOptions& options) {
  SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | options.secure_options);
  if (options.honor_cipher_order) SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
  // Chains are complete when the context is (`Identity::add_chain`), so that no handshake has to look for the rest.
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_read_ahead(ctx, 1);
  require(SSL_CTX_set_min_proto_version(ctx, options.min_version) == 1, "SSL_CTX_set_min_proto_version");
  require(SSL_CTX_set_max_proto_version(ctx, options.max_version) == 1, "SSL_CTX_set_max_proto_version");
}

/// First of all that is up to the caller: `@SECLEVEL` in the list decides what else is acceptable.
void set_ciphers(SSL_CTX* ctx, const ContextOptions& options) {
  if (!options.cipher_suites.empty()) {
    require(SSL_CTX_set_ciphersuites(ctx, options.cipher_suites.c_str()) == 1, "Failed to set ciphers");
  }
  // OpenSSL empties its list for "" and calls it an error, which it is not when TLS 1.3 alone is wanted.
  if (SSL_CTX_set_cipher_list(ctx, options.cipher_list.c_str()) != 1 && !options.cipher_list.empty()) {
    throw OpensslFailure("Failed to set ciphers");
  }
  ERR_clear_error();
}

void set_key_exchange(SSL_CTX* ctx, const ContextOptions& options) {
  if (!options.signature_algorithms.empty()) {
    require(SSL_CTX_set1_sigalgs_list(ctx, options.signature_algorithms.c_str()) == 1,
            "Failed to set signature algorithms");
  }
  if (!options.groups.empty() && SSL_CTX_set1_groups_list(ctx, options.groups.c_str()) != 1) {
    // Node leaves out OpenSSL's reason, which is at most a number of the list's syntax.
    ERR_clear_error();
    throw OpensslFailure("Failed to set ECDH curve");
  }
  if (options.dh == DhParameters::Auto) {
    require(SSL_CTX_set_dh_auto(ctx, 1) == 1, "SSL_CTX_set_dh_auto");
  } else if (options.dh == DhParameters::Given) {
    PkeyHandle parameters = read_dh_parameters(options.dh_parameters);
    if (EVP_PKEY_get_bits(parameters.get()) < kDhBitsMin) {
      throw OpensslFailure(
          ErrorFacts{"ERR_INVALID_ARG_VALUE", "DH parameter is less than 1024 bits", {}, {}});
    }
    require(SSL_CTX_set0_tmp_dh_pkey(ctx, parameters.get()) == 1, "Error setting temp DH parameter");
    static_cast<void>(parameters.release());
  }
}

void set_session_rules(SSL_CTX* ctx, const ContextOptions& options) {
  // Sessions are the peers' to keep: a client's are handed to its application, a server's travel in tickets.
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_SERVER |
                                          SSL_SESS_CACHE_NO_INTERNAL | SSL_SESS_CACHE_NO_AUTO_CLEAR);
  SSL_CTX_set_timeout(ctx, options.session_timeout_seconds);
  // OpenSSL's own two cost each full handshake a second sealed session. Each resumption brings a client its next ticket.
  require(SSL_CTX_set_num_tickets(ctx, 1) == 1, "SSL_CTX_set_num_tickets");
  if (const Bytes id = options.session_id_context; !id.empty()) {
    require(SSL_CTX_set_session_id_context(ctx, id.data(), static_cast<unsigned int>(id.size())) == 1,
            "SSL_CTX_set_session_id_context");
  }
  require(SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, use_ticket_key) == 1,
          "SSL_CTX_set_tlsext_ticket_key_evp_cb");
}

/// @param groups empty: OpenSSL's own, which go by a name from 3.5 on
bool set_groups(SSL* ssl, const std::string& groups) noexcept {
  if (!groups.empty()) return SSL_set1_groups_list(ssl, groups.c_str()) == 1;
  const bool done = SSL_set1_groups_list(ssl, "DEFAULT") == 1 ||
                    SSL_set1_groups_list(ssl, "X25519:P-256:X448:P-521:P-384") == 1;
  ERR_clear_error();
  return done;
}

}  // namespace

std::shared_ptr<Context> Context::make(const ContextOptions& options, DefaultRoots& roots) {
  ERR_clear_error();
  const std::shared_ptr<Context> context(new Context());
  context->ctx_.reset(SSL_CTX_new(TLS_method()));
  SSL_CTX* ctx = context->get();
  require(ctx != nullptr, "SSL_CTX_new");
  require(SSL_CTX_set_app_data(ctx, context.get()) == 1, "SSL_CTX_set_app_data");
  install_session_callbacks(ctx);
  set_protocol(ctx, options);
  set_ciphers(ctx, options);

  // The order of Node, so that of several errors the same one is reported.
  Trust trust(ctx, roots);
  if (options.ca) {
    for (const Bytes pem : *options.ca) trust.add(read_certificates(pem));
  } else {
    trust.add_default_roots();
  }
  if (options.allow_partial_trust_chain) trust.allow_partial_chains();
  Identity identity(ctx, trust);
  for (const Bytes pem : options.certificates) identity.add_chain(read_chain(pem));
  for (const SecretSource& source : options.keys) identity.add_key(read_private_key(source));
  set_key_exchange(ctx, options);
  context->groups_ = options.groups;
  for (const Bytes pem : options.crl) trust.add_crls(read_crls(pem));
  for (const SecretSource& source : options.pfx) {
    Pkcs12Contents contents = read_pkcs12(source);
    trust.add(contents.chain.others);
    identity.add_chain(std::move(contents.chain));
    identity.add_key(std::move(contents.key));
  }
  identity.check_pairs();
  context->certificate_ = identity.certificate();
  context->issuer_ = identity.issuer();

  set_session_rules(ctx, options);
  if (options.ticket_keys.empty()) {
    context->ticket_keys_.make_random();
  } else {
    context->ticket_keys_.replace(options.ticket_keys);
  }
  return context;
}

Context& Context::of(const SSL* ssl) noexcept {
  return *static_cast<Context*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
}

bool Context::adopt(SSL* ssl) const noexcept {
  const bool other_groups = of(ssl).groups_ != groups_;
  if (SSL_set_SSL_CTX(ssl, get()) == nullptr) return false;
  // What an SSL has taken over when it was made stays as it is in SSL_set_SSL_CTX.
  SSL_clear_options(ssl, SSL_get_options(ssl));
  SSL_set_options(ssl, SSL_CTX_get_options(get()));
  return SSL_set_min_proto_version(ssl, SSL_CTX_get_min_proto_version(get())) == 1 &&
         SSL_set_max_proto_version(ssl, SSL_CTX_get_max_proto_version(get())) == 1 &&
         (!other_groups || set_groups(ssl, groups_));
}

}  // namespace iocp::tls
