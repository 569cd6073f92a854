#include "test/peers.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>

#include "test/harness.h"

namespace iocp::tls::test {

using iocp::test::check;

namespace {

/// A certificate made for this run, and its key.
struct Credentials {
  PkeyHandle key;
  X509Handle certificate;
};

const Credentials& credentials() {
  static const Credentials made = [] {
    Credentials result{PkeyHandle(EVP_EC_gen("P-256")), X509Handle(X509_new())};
    X509* certificate = result.certificate.get();
    X509_NAME* name = X509_get_subject_name(certificate);
    const unsigned char text[] = "localhost";
    check(X509_set_version(certificate, X509_VERSION_3) == 1 &&
              ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1 &&
              X509_gmtime_adj(X509_getm_notBefore(certificate), -60) != nullptr &&
              X509_gmtime_adj(X509_getm_notAfter(certificate), 3600) != nullptr &&
              X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0) == 1 &&
              X509_set_issuer_name(certificate, name) == 1 &&
              X509_set_pubkey(certificate, result.key.get()) == 1 &&
              X509_sign(certificate, result.key.get(), EVP_sha256()) > 0,
          "a certificate is made");
    return result;
  }();
  return made;
}

Blob pem_of(auto write) {
  const BioHandle bio(BIO_new(BIO_s_mem()));
  check(write(bio.get()) == 1, "PEM is written");
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, data + size};
}

void on_keylog(const SSL* ssl, const char* line) {
  auto& secrets = *static_cast<Secrets*>(SSL_get_app_data(ssl));
  const std::string_view text(line);
  const std::string_view digits = text.substr(text.rfind(' ') + 1);
  if (text.starts_with("CLIENT_TRAFFIC_SECRET_0")) check(secrets.client.read_hex(digits), "a secret is read");
  if (text.starts_with("SERVER_TRAFFIC_SECRET_0")) check(secrets.server.read_hex(digits), "a secret is read");
}

}  // namespace

Blob bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

Blob pattern(std::size_t size) {
  Blob result(size);
  std::uint32_t state = 12345;
  for (std::uint8_t& byte : result)
    byte = static_cast<std::uint8_t>((state = state * 1664525U + 1013904223U) >> 24U);
  return result;
}

void append(Blob& to, Bytes bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

OpensslPeer::OpensslPeer(Role role, const char* suites) : ctx_(SSL_CTX_new(TLS_method())) {
  SSL_CTX* ctx = ctx_.get();
  check(SSL_CTX_set_ciphersuites(ctx, suites) == 1, "the suites are known");
  SSL_CTX_set_keylog_callback(ctx, on_keylog);
  if (role == Role::Server) {
    check(SSL_CTX_use_certificate(ctx, credentials().certificate.get()) == 1 &&
              SSL_CTX_use_PrivateKey(ctx, credentials().key.get()) == 1 &&
              SSL_CTX_set_num_tickets(ctx, 0) == 1,
          "a server has a certificate");
  }
  ssl_.reset(SSL_new(ctx));
  SSL_set_app_data(ssl(), secrets_.get());
  SSL_set_bio(ssl(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  if (role == Role::Server) {
    SSL_set_accept_state(ssl());
  } else {
    SSL_set_connect_state(ssl());
    run();
  }
}

void OpensslPeer::receive(Bytes records) {
  check(BIO_write(SSL_get_rbio(ssl()), records.data(), static_cast<int>(records.size())) ==
            static_cast<int>(records.size()),
        "input is taken");
  run();
}

void OpensslPeer::run() {
  Blob block(20'000);
  while (error.empty() && !ended) {
    ERR_clear_error();
    std::size_t bytes = 0;
    // Reads too: it shakes hands first.
    const int done = SSL_read_ex(ssl(), block.data(), block.size(), &bytes);
    plain.insert(plain.end(), block.begin(), block.begin() + static_cast<std::ptrdiff_t>(bytes));
    if (done == 1) continue;
    const int reason = SSL_get_error(ssl(), done);
    if (reason == SSL_ERROR_WANT_READ) return;
    if (reason == SSL_ERROR_ZERO_RETURN)
      ended = true;
    else
      error = take_session_error("unknown").code;
  }
}

void OpensslPeer::send(Bytes text) {
  std::size_t bytes = 0;
  check(SSL_write_ex(ssl(), text.data(), text.size(), &bytes) == 1 && bytes == text.size(), "OpenSSL writes");
}

void OpensslPeer::end() { check(SSL_shutdown(ssl()) >= 0, "OpenSSL says close_notify"); }

Blob OpensslPeer::output() {
  BIO* bio = SSL_get_wbio(ssl());
  Blob result(BIO_ctrl_pending(bio));
  if (!result.empty()) BIO_read(bio, result.data(), static_cast<int>(result.size()));
  return result;
}

OurServer::OurServer(const Options& chosen) {
  const Blob certificate =
      pem_of([](BIO* bio) { return PEM_write_bio_X509(bio, credentials().certificate.get()); });
  const Blob key = pem_of([](BIO* bio) {
    return PEM_write_bio_PrivateKey(bio, credentials().key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  ContextOptions options;
  options.certificates = {certificate};
  options.keys = {{key, {}}};
  options.ca.emplace();
  options.cipher_suites =
      "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_CCM_SHA256";
  options.cipher_list = "ECDHE+AESGCM";
  options.honor_cipher_order = false;
  options.min_version = TLS1_2_VERSION;
  options.max_version = chosen.max_version;
  options.session_timeout_seconds = 300;
  std::shared_ptr<Context> context = Context::make(options, roots_);
  check(SSL_CTX_set_num_tickets(context->get(), chosen.tickets) == 1, "the number of tickets is set");
  SessionOptions session;
  session.server = true;
  session.records_by_openssl = chosen.records_by_openssl;
  session_ = std::make_unique<Session>(std::move(context), session);
}

void OurServer::receive(Bytes records, std::size_t part_bytes, std::size_t room_bytes) {
  Blob room(room_bytes);
  while (!records.empty()) {
    const Bytes part = records.first(std::min(part_bytes, records.size()));
    records = records.subspan(part.size());
    Received received;
    std::size_t consumed = 0;
    do {
      received = session_->receive(part.subspan(consumed), room);
      consumed += received.consumed;
      append(plain, Bytes(room).first(received.plain));
    } while (received.more);
    check(consumed == part.size(), "all of it is consumed");
  }
  keep_spilled();
}

void OurServer::send(Bytes text, std::size_t room_bytes) {
  Blob room(room_bytes);
  while (!text.empty()) {
    const Session::Sent sent = session_->send(text, room);
    check(sent.consumed > 0, "something is sent");
    text = text.subspan(sent.consumed);
    append(output_, Bytes(room).first(sent.output));
    keep_spilled();
  }
}

void OurServer::end() {
  session_->end();
  keep_spilled();
}

Blob OurServer::output() { return std::exchange(output_, {}); }

std::string OurServer::error() const { return session_->error() ? session_->error()->code : std::string(); }

void OurServer::keep_spilled() {
  Blob spilled(session_->spilled());
  if (spilled.empty()) return;
  check(session_->take_output(spilled) == spilled.size(), "what was spilled is taken");
  append(output_, spilled);
}

}  // namespace iocp::tls::test
