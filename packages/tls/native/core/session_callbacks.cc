#include "core/session_callbacks.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include "core/session.h"

namespace iocp::tls {

/// What OpenSSL calls. None of them throws: it is C that they would throw through.
struct SessionCallbacks {
  static Session& of(const SSL* ssl) noexcept { return *static_cast<Session*>(SSL_get_app_data(ssl)); }

  static int on_client_hello(SSL* ssl, int* alert, void* /*argument*/) noexcept {
    Session& session = of(ssl);
    switch (session.hello_state_) {
      case Session::HelloState::Ignored: return SSL_CLIENT_HELLO_SUCCESS;
      case Session::HelloState::Waits: return SSL_CLIENT_HELLO_RETRY;
      case Session::HelloState::Expected:
        session.hello_ = read_client_hello(ssl);
        session.hello_state_ = Session::HelloState::Waits;
        return SSL_CLIENT_HELLO_RETRY;
      case Session::HelloState::Answered: break;
    }
    if (session.answer_.refused) {
      *alert = SSL_AD_UNRECOGNIZED_NAME;
      return SSL_CLIENT_HELLO_ERROR;
    }
    // A second hello, after a HelloRetryRequest, must not get by another name what the first has got (RFC 8446 section 4.1.2).
    if (read_client_hello(ssl).servername == session.hello_.servername) return SSL_CLIENT_HELLO_SUCCESS;
    *alert = SSL_AD_ILLEGAL_PARAMETER;
    return SSL_CLIENT_HELLO_ERROR;
  }

  /// OpenSSL keeps the name of a session, and tells the client that it was heeded, only if somebody says so.
  static int on_server_name(SSL* /*ssl*/, int* /*alert*/, void* /*argument*/) noexcept {
    return SSL_TLSEXT_ERR_OK;
  }

  /// @param offered checked by OpenSSL
  static int on_alpn(SSL* ssl, const unsigned char** chosen, unsigned char* chosen_size,
                     const unsigned char* offered, unsigned int offered_size, void* /*argument*/) noexcept {
    const Session& session = of(ssl);
    const HelloAnswer& answer = session.answer_;
    switch (answer.protocol) {
      case HelloAnswer::Protocol::Refused: return SSL_TLSEXT_ERR_ALERT_FATAL;
      case HelloAnswer::Protocol::Chosen:
        return choose(answer.chosen_protocol, chosen, chosen_size, {offered, offered_size});
      case HelloAnswer::Protocol::AsConfigured: break;
    }
    const Bytes ours = session.options_.alpn;
    if (ours.empty()) return SSL_TLSEXT_ERR_NOACK;
    unsigned char* found = nullptr;
    const int result = SSL_select_next_proto(&found, chosen_size, ours.data(),
                                             static_cast<unsigned int>(ours.size()), offered, offered_size);
    *chosen = found;
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
  }

  static int on_status(SSL* ssl, void* /*argument*/) noexcept {
    // A client's: the response is taken as it is, and judged by who asked for it.
    if (SSL_is_server(ssl) == 0) return 1;
    const std::vector<std::uint8_t>& response = of(ssl).answer_.ocsp_response;
    if (response.empty()) return SSL_TLSEXT_ERR_NOACK;
    OpensslBytes copy(static_cast<unsigned char*>(OPENSSL_memdup(response.data(), response.size())));
    if (copy == nullptr) return SSL_TLSEXT_ERR_ALERT_FATAL;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy.get(), static_cast<long>(response.size()));
    static_cast<void>(copy.release());
    return SSL_TLSEXT_ERR_OK;
  }

  /// As OpenSSL would do it itself, but that it goes on after an error as Node does: the last one found, which says more
  /// than the first, is the result.
  static int on_certificates(X509_STORE_CTX* store, void* /*argument*/) noexcept {
    const auto* ssl =
        static_cast<const SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    X509_STORE_CTX_set_verify_cb(store, [](int /*good*/, X509_STORE_CTX* /*store*/) { return 1; });
    if (X509_verify_cert(store) <= 0 && X509_STORE_CTX_get_error(store) == X509_V_OK) {
      X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED);
    }
    Session& session = of(ssl);
    session.peer_refused_ =
        session.options_.reject_unauthorized && X509_STORE_CTX_get_error(store) != X509_V_OK;
    return session.peer_refused_ ? 0 : 1;
  }

  static int on_session(SSL* ssl, SSL_SESSION* resumable) noexcept {
    Session& session = of(ssl);
    if (session.options_.sessions) {
      unsigned char* der = nullptr;
      const int size = i2d_SSL_SESSION(resumable, &der);
      const OpensslBytes owned(der);
      if (size > 0) session.sessions_.emplace_back(der, der + size);
    }
    return 0;
  }

  static void on_keylog(const SSL* ssl, const char* line) noexcept {
    Session& session = of(ssl);
    if (session.options_.server && keep_secret(session, line)) log_keys(ssl, session.options_.keylog);
    if (session.options_.keylog) session.keylog_.push_back(std::string(line) + '\n');
  }

  static void on_message(int written, int /*version*/, int content_type, const void* data,
                         std::size_t size, SSL* ssl, void* /*argument*/) noexcept {
    Session& session = of(ssl);
    if (content_type == SSL3_RT_HEADER) {
      ++(written == 1 ? session.records_written_ : session.headers_read_);
    } else if (content_type == SSL3_RT_INNER_CONTENT_TYPE && written == 0) {
      ++session.records_read_;
      const bool is_handshake = *static_cast<const std::uint8_t*>(data) == SSL3_RT_HANDSHAKE;
      session.keys_may_differ_ = session.keys_may_differ_ || is_handshake;
    } else if (content_type == SSL3_RT_HANDSHAKE && written == 1 && size > 0 &&
               *static_cast<const std::uint8_t*>(data) == SSL3_MT_FINISHED) {
      // Our traffic secret comes next.
      log_keys(ssl, true);
    }
  }

  /// A session whose client has shown no certificate does not serve where one is asked for: the handshake is done in full.
  static SSL_TICKET_RETURN on_ticket(SSL* ssl, SSL_SESSION* resumed, const unsigned char* /*key_name*/,
                                     std::size_t /*key_name_size*/, SSL_TICKET_STATUS status,
                                     void* /*argument*/) noexcept {
    if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
      return SSL_TICKET_RETURN_IGNORE_RENEW;
    if (of(ssl).options_.request_certificate && SSL_SESSION_get0_peer(resumed) == nullptr) {
      return SSL_TICKET_RETURN_IGNORE_RENEW;
    }
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
  }

 private:
  /// Of a line of NSS's key log format: a label, the client's random value, and the secret, with spaces between them.
  /// @returns whether it is one that we need; nothing else is needed until `handshake` is called again
  static bool keep_secret(Session& session, std::string_view line) noexcept {
    const std::string_view label = line.substr(0, line.find(' '));
    const std::string_view digits = line.substr(line.rfind(' ') + 1);
    if (label == "CLIENT_TRAFFIC_SECRET_0") {
      static_cast<void>(session.client_secret_.read_hex(digits));
      return true;
    }
    if (label == "SERVER_TRAFFIC_SECRET_0") {
      static_cast<void>(session.server_secret_.read_hex(digits));
      session.records_written_ = 0;
      return true;
    }
    return false;
  }

  static int choose(std::string_view wanted, const unsigned char** chosen, unsigned char* chosen_size,
                    Bytes offered) noexcept {
    for (std::size_t at = 0; at < offered.size(); at += 1U + offered[at]) {
      const Bytes name = offered.subspan(at + 1, std::min<std::size_t>(offered[at], offered.size() - at - 1));
      if (!std::equal(
              name.begin(), name.end(), wanted.begin(), wanted.end(),
              [](std::uint8_t left, char right) { return left == static_cast<std::uint8_t>(right); })) {
        continue;
      }
      *chosen = name.data();
      *chosen_size = static_cast<unsigned char>(name.size());
      return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
};

void install_session_callbacks(SSL_CTX* context) noexcept {
  SSL_CTX_set_client_hello_cb(context, SessionCallbacks::on_client_hello, nullptr);
  SSL_CTX_set_tlsext_servername_callback(context, SessionCallbacks::on_server_name);
  SSL_CTX_set_alpn_select_cb(context, SessionCallbacks::on_alpn, nullptr);
  SSL_CTX_set_tlsext_status_cb(context, SessionCallbacks::on_status);
  SSL_CTX_set_cert_verify_callback(context, SessionCallbacks::on_certificates, nullptr);
  SSL_CTX_sess_set_new_cb(context, SessionCallbacks::on_session);
  SSL_CTX_set_session_ticket_cb(context, nullptr, SessionCallbacks::on_ticket, nullptr);
}

void log_keys(const SSL* ssl, bool wanted) noexcept {
  SSL_CTX_set_keylog_callback(SSL_get_SSL_CTX(ssl), wanted ? SessionCallbacks::on_keylog : nullptr);
}

void count_records(SSL* ssl) noexcept { SSL_set_msg_callback(ssl, SessionCallbacks::on_message); }

void bind_callbacks(Session& session) {
  if (SSL_set_app_data(session.ssl(), &session) != 1) throw OpensslFailure("SSL_set_app_data");
}

}  // namespace iocp::tls
