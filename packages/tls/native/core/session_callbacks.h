#pragma once

#include <openssl/ssl.h>

namespace iocp::tls {

class Session;

/// Tells a context to ask the session at work: at the ClientHello, about certificates, ALPN, OCSP, tickets, and with new
/// sessions. Once, by whoever makes the context.
void install_session_callbacks(SSL_CTX* context) noexcept;

/// Whether the sessions of this one's context are told lines for the key log. Each costs a handshake about one in a hundred of its
/// time, so a session asks for those that it needs, while it is at work.
void log_keys(const SSL* ssl, bool wanted) noexcept;

/// Has a server's session learn how many records were read and written under the keys of its application data, and when those
/// keys are not the first any more.
void count_records(SSL* ssl) noexcept;

/// Has the callbacks find the session. Takes index 0 of the SSL's extra data (`SSL_set_app_data`). Throws OpensslFailure.
void bind_callbacks(Session& session);

}  // namespace iocp::tls
