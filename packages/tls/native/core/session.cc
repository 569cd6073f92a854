#include "core/session.h"

#include <openssl/err.h>

#include <algorithm>
#include <utility>

#include "core/session_callbacks.h"

namespace iocp::tls {

namespace {

/// More than any cipher suite adds to a record: header, nonce, content type, padding, tag (RFC 8446 section 5.2, RFC 5246
/// section 6.2.3). Only decides which records are begun: what does not fit is spilled.
constexpr std::size_t kRecordOverheadMax = 128;

/// SSL_get_error takes what anybody has left in the thread's queue for the session's. Emptying it is dearer than a look.
void clear_errors() noexcept {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

ErrorFacts verification_error(long number) {
  return {verification_code(number), X509_verify_cert_error_string(number), {}, {}};
}

}  // namespace

Session::Session(std::shared_ptr<Context> context, SessionOptions options)
    : context_(std::move(context)), options_(std::move(options)) {
  clear_errors();
  ssl_.reset(SSL_new(context_->get()));
  require(ssl_ != nullptr, "SSL_new");
  bind_callbacks(*this);
  BioHandle bio = bio_.open();
  require(bio != nullptr, "BIO_new");
  // Both directions are one BIO, and both references are the SSL's from here on.
  BIO* both = bio.release();
  SSL_set_bio(ssl_.get(), both, both);
  if (options_.server) {
    set_up_server();
  } else {
    set_up_client();
  }
  options_.session = {};
}

void Session::set_up_client() {
  SSL* ssl = ssl_.get();
  SSL_set_connect_state(ssl);
  SSL_set_verify(ssl, SSL_VERIFY_PEER, nullptr);
  // It belongs to servers: sessions of a client that had one could be resumed with the same one alone.
  require(SSL_set_session_id_context(ssl, nullptr, 0) == 1, "SSL_set_session_id_context");
  if (!options_.servername.empty()) {
    require(SSL_set_tlsext_host_name(ssl, options_.servername.c_str()) == 1, "SSL_set_tlsext_host_name");
  }
  if (!options_.alpn.empty()) {
    const auto size = static_cast<unsigned int>(options_.alpn.size());
    // 0 is success here.
    require(SSL_set_alpn_protos(ssl, options_.alpn.data(), size) == 0, "SSL_set_alpn_protos");
  }
  if (options_.request_ocsp) {
    require(SSL_set_tlsext_status_type(ssl, TLSEXT_STATUSTYPE_ocsp) == 1, "SSL_set_tlsext_status_type");
  }
  if (!options_.session.empty()) {
    const unsigned char* der = options_.session.data();
    const SslSessionHandle session(
        d2i_SSL_SESSION(nullptr, &der, static_cast<long>(options_.session.size())));
    // One that cannot be used, for it was damaged or is another version's, costs a full handshake and nothing else.
    if (session != nullptr) static_cast<void>(SSL_set_session(ssl, session.get()));
    clear_errors();
  }
}

void Session::set_up_server() noexcept {
  SSL_set_accept_state(ssl_.get());
  // So that what is behind a record is left to `records_`.
  SSL_set_read_ahead(ssl_.get(), 0);
  count_records(ssl_.get());
  int mode = SSL_VERIFY_NONE;
  if (options_.request_certificate) {
    mode = SSL_VERIFY_PEER | (options_.reject_unauthorized ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
  }
  SSL_set_verify(ssl_.get(), mode, nullptr);
  if (options_.stop_at_hello) hello_state_ = HelloState::Expected;
}

void Session::start() noexcept {
  if (!options_.server && !failed() && !handshaken_) handshake();
}

Session::Received Session::receive(Bytes input, std::span<std::uint8_t> plain) noexcept {
  Received result;
  if (hello_state_ == HelloState::Waits) return result;
  if (!failed() && !peer_ended_) {
    bio_.open_input(input);
    if (!handshaken_) handshake();
    if (handshaken_ && !failed()) read(input, plain, result);
    result.consumed = input.size() - bio_.input_left();
    bio_.close_input();
  }
  if (failed() || peer_ended_) {
    result.consumed = input.size();
    result.more = false;
  }
  return result;
}

void Session::handshake() noexcept {
  clear_errors();
  // The client's secret comes after ours, with its Finished.
  log_keys(ssl_.get(), options_.keylog || !server_secret_.bytes().empty());
  const int result = SSL_do_handshake(ssl_.get());
  if (result != 1) {
    stopped(result);
    return;
  }
  hello_ = {};
  answer_ = {};
  if (options_.reject_unauthorized) check_resumed_peer();
  handshaken_ = !failed();
  if (!handshaken_ || !options_.server) return;
  headers_read_ = 0;
  records_read_ = 0;
  keys_may_differ_ = false;
  own_suite_ = find_cipher_suite(SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(ssl_.get())));
  if (own_suite_ == nullptr) leave_records_to_openssl();
  SSL_free_buffers(ssl_.get());
}

/// Between two records: OpenSSL holds nothing of the next one.
bool Session::records_are_due() const noexcept {
  return own_suite_ != nullptr && records_read_ + records_written_ >= options_.records_by_openssl &&
         headers_read_ == records_read_ && !keys_may_differ_ && !ended_ && SSL_has_pending(ssl_.get()) == 0;
}

void Session::take_over_records() noexcept {
  auto records = std::make_unique<RecordLayer>(bio_);
  if (!records->start(*own_suite_, {client_secret_.bytes(), records_read_},
                      {server_secret_.bytes(), records_written_})) {
    leave_records_to_openssl();
    clear_errors();
    return;
  }
  records_ = std::move(records);
  own_suite_ = nullptr;
  client_secret_.wipe();
  server_secret_.wipe();
  SSL_free_buffers(ssl_.get());
}

void Session::leave_records_to_openssl() noexcept {
  own_suite_ = nullptr;
  client_secret_.wipe();
  server_secret_.wipe();
  SSL_set_read_ahead(ssl_.get(), 1);
}

/// A full handshake has refused a bad certificate itself; with a session of before, OpenSSL does not look again at what was
/// found, and perhaps tolerated, when it was made.
void Session::check_resumed_peer() noexcept {
  if (options_.server && !options_.request_certificate) return;
  if (const long number = SSL_get_verify_result(ssl_.get()); number != X509_V_OK) {
    error_ = verification_error(number);
  } else if (SSL_get0_peer_certificate(ssl_.get()) == nullptr) {
    ERR_raise(ERR_LIB_SSL, SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE);
    error_ = take_session_error("");
  }
}

bool Session::readable() const noexcept { return bio_.input_left() > 0 || SSL_has_pending(ssl_.get()) == 1; }

void Session::read(Bytes input, std::span<std::uint8_t> plain, Received& result) noexcept {
  if (records_ == nullptr && records_are_due()) take_over_records();
  if (records_ == nullptr) read_by_openssl(plain, result);
  if (own_suite_ != nullptr && keys_may_differ_) leave_records_to_openssl();
  if (records_ != nullptr) read_by_records(input.last(bio_.input_left()), plain, result);
}

void Session::read_by_records(Bytes input, std::span<std::uint8_t> plain, Received& result) noexcept {
  const Received received = records_->receive(input, plain.subspan(result.plain));
  bio_.skip_input(received.consumed);
  result.plain += received.plain;
  result.more = received.more;
  peer_ended_ = records_->peer_ended();
  error_ = records_->error();
}

void Session::read_by_openssl(std::span<std::uint8_t> plain, Received& result) noexcept {
  if (!readable()) return;
  clear_errors();
  while (result.plain < plain.size()) {
    std::size_t bytes = 0;
    const int done =
        SSL_read_ex(ssl_.get(), plain.data() + result.plain, plain.size() - result.plain, &bytes);
    if (done != 1) {
      stopped(done);
      return;
    }
    result.plain += bytes;
    if (records_are_due()) take_over_records();
    if (records_ != nullptr || !readable()) return;
  }
  result.more = true;
}

Session::Sent Session::send(Bytes plain, std::span<std::uint8_t> output) noexcept {
  Sent result;
  if (!handshaken_ || failed()) return result;
  bio_.open_output(output);
  if (records_ == nullptr && records_are_due()) take_over_records();
  if (records_ == nullptr) {
    result.consumed = write_by_openssl(plain);
  } else {
    result.consumed = records_->send(plain);
    error_ = records_->error();
  }
  result.output = output.size() - bio_.room_left();
  bio_.close_output();
  return result;
}

std::size_t Session::write_by_openssl(Bytes plain) noexcept {
  clear_errors();
  std::size_t consumed = 0;
  while (consumed < plain.size()) {
    const std::size_t size = std::min<std::size_t>(plain.size() - consumed, SSL3_RT_MAX_PLAIN_LENGTH);
    if (consumed > 0 && bio_.room_left() < size + kRecordOverheadMax) break;
    std::size_t bytes = 0;
    const int done = SSL_write_ex(ssl_.get(), plain.data() + consumed, size, &bytes);
    if (done != 1) {
      stopped(done);
      break;
    }
    consumed += bytes;
  }
  return consumed;
}

void Session::end() noexcept {
  if (!handshaken_ || failed() || ended_) return;
  if (records_ != nullptr) {
    ended_ = true;
    records_->end();
    error_ = records_->error();
    return;
  }
  // OpenSSL refuses to close in the middle of a message of the handshake.
  if (SSL_in_init(ssl_.get()) != 0) return;
  clear_errors();
  ended_ = true;
  const int done = SSL_shutdown(ssl_.get());
  if (done < 0) stopped(done);
}

void Session::continue_hello(HelloAnswer answer) noexcept {
  if (hello_state_ != HelloState::Waits) return;
  hello_state_ = HelloState::Answered;
  answer_ = std::move(answer);
  if (answer_.context == nullptr || answer_.refused) return;
  first_context_ = std::exchange(context_, std::move(answer_.context));
  clear_errors();
  if (!context_->adopt(ssl_.get())) error_ = take_session_error("the context cannot be used");
}

void Session::stopped(int result) noexcept {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_CLIENT_HELLO_CB: return;
    case SSL_ERROR_ZERO_RETURN: peer_ended_ = true; return;
    default: break;
  }
  // Everything else is an error: our BIO takes whatever is written, and no other callback asks to wait.
  error_ = peer_refused_ ? verification_error(SSL_get_verify_result(ssl_.get()))
                         : take_session_error("OpenSSL has failed and does not say why");
  clear_errors();
}

}  // namespace iocp::tls
