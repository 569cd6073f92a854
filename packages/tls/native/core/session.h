#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/byte_window_bio.h"
#include "core/client_hello.h"
#include "core/context.h"
#include "core/openssl_error.h"
#include "core/record_layer.h"

namespace iocp::tls {

/// `NativeSessionOptions` of `src/engine/native/binding.ts`.
struct SessionOptions {
  /// After so many our own keys have paid for themselves: making them costs about as much as OpenSSL's way with 20 small records.
  static constexpr std::uint64_t kRecordsByOpenssl = 16;

  bool server = false;
  bool request_certificate = false;
  bool reject_unauthorized = true;
  bool request_ocsp = false;
  bool stop_at_hello = false;
  bool keylog = false;
  bool sessions = false;
  /// A server's TLS 1.3: records of both directions, tickets among them, before a RecordLayer goes on with them.
  std::uint64_t records_by_openssl = kRecordsByOpenssl;
  /// Empty: none.
  std::string servername;
  /// As on the wire; empty: none.
  std::vector<std::uint8_t> alpn;
  /// DER; empty: none.
  Bytes session;
};

/// What the application says to a ClientHello: `HelloAnswer` of `binding.ts`.
struct HelloAnswer {
  enum class Protocol { AsConfigured, Refused, Chosen };

  /// Null: the one of before.
  std::shared_ptr<Context> context;
  Protocol protocol = Protocol::AsConfigured;
  std::string chosen_protocol;
  std::vector<std::uint8_t> ocsp_response;
  bool refused = false;
};

/// One connection: OpenSSL's SSL, with bytes in and bytes out. It never waits and knows nothing of sockets. Where memory runs
/// out in the middle, the process ends, as it does in JavaScript. The records of a server's TLS 1.3 are a RecordLayer's once there
/// have been some, for short connections must not pay for its keys; a client's are OpenSSL's, who reads the tickets among them.
class Session {
 public:
  /// Throws OpensslFailure.
  Session(std::shared_ptr<Context> context, SessionOptions options);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  using Received = tls::Received;

  struct Sent {
    std::size_t consumed = 0;
    std::size_t output = 0;
  };

  /// Client: begins the handshake; its ClientHello spills.
  void start() noexcept;
  /// What is written meanwhile spills. Bytes after the peer's close_notify, and after a failure, are consumed and ignored.
  [[nodiscard]] Received receive(Bytes input, std::span<std::uint8_t> plain) noexcept;
  /// Whole records; a last one that finds no room in `output` spills. Consumes nothing before the handshake is done, and while
  /// a message of the handshake that came after it is incomplete: `receive` goes on with it.
  [[nodiscard]] Sent send(Bytes plain, std::span<std::uint8_t> output) noexcept;
  /// close_notify, spilled. Spills nothing while a message of the handshake is incomplete: call it again after `receive`.
  /// Once it was said, it does nothing any more.
  void end() noexcept;
  [[nodiscard]] std::size_t take_output(std::span<std::uint8_t> output) noexcept {
    return bio_.take_spilled(output);
  }
  [[nodiscard]] std::size_t spilled() const noexcept { return bio_.spilled(); }

  /// Whether a RecordLayer has taken over from OpenSSL.
  [[nodiscard]] bool protects_records() const noexcept { return records_ != nullptr; }
  [[nodiscard]] bool handshaken() const noexcept { return handshaken_; }
  [[nodiscard]] bool peer_ended() const noexcept { return peer_ended_; }
  [[nodiscard]] bool failed() const noexcept { return error_.has_value(); }
  [[nodiscard]] const std::optional<ErrorFacts>& error() const noexcept { return error_; }

  /// Set while the ClientHello waits for `continue_hello`.
  [[nodiscard]] const ClientHello* client_hello() const noexcept {
    return hello_state_ == HelloState::Waits ? &hello_ : nullptr;
  }
  /// Call `receive` afterwards, if with nothing.
  void continue_hello(HelloAnswer answer) noexcept;

  /// What has come since it was last taken: sessions in DER, and lines for the key log, with their newline.
  [[nodiscard]] std::vector<std::vector<std::uint8_t>>& sessions() noexcept { return sessions_; }
  [[nodiscard]] std::vector<std::string>& keylog() noexcept { return keylog_; }

  [[nodiscard]] const SessionOptions& options() const noexcept { return options_; }
  /// For `session_facts.h`.
  [[nodiscard]] SSL* ssl() const noexcept { return ssl_.get(); }

 private:
  friend struct SessionCallbacks;

  enum class HelloState { Ignored, Expected, Waits, Answered };

  void set_up_client();
  void set_up_server() noexcept;
  void handshake() noexcept;
  [[nodiscard]] bool records_are_due() const noexcept;
  void take_over_records() noexcept;
  void leave_records_to_openssl() noexcept;
  void check_resumed_peer() noexcept;
  void read(Bytes input, std::span<std::uint8_t> plain, Received& result) noexcept;
  void read_by_openssl(std::span<std::uint8_t> plain, Received& result) noexcept;
  void read_by_records(Bytes input, std::span<std::uint8_t> plain, Received& result) noexcept;
  [[nodiscard]] std::size_t write_by_openssl(Bytes plain) noexcept;
  [[nodiscard]] bool readable() const noexcept;
  /// OpenSSL has stopped with a result that is no success: it wants something, or it is over.
  void stopped(int result) noexcept;

  std::shared_ptr<Context> context_;
  /// Where the hello has led to another one: OpenSSL goes on using the first, too.
  std::shared_ptr<Context> first_context_;
  SessionOptions options_;
  ByteWindowBio bio_;
  SslHandle ssl_;

  /// A server's, from the key log; wiped as soon as they are used, or cannot be.
  Secret client_secret_;
  Secret server_secret_;
  /// Of records that OpenSSL reads after the handshake: the headers it has seen, and those records it has opened.
  std::uint64_t headers_read_ = 0;
  std::uint64_t records_read_ = 0;
  /// Under `server_secret_`.
  std::uint64_t records_written_ = 0;
  /// The client has sent a message of the handshake: what it changes is not told to the key log.
  bool keys_may_differ_ = false;
  /// Null: ours cannot go on with the records.
  const CipherSuite* own_suite_ = nullptr;
  std::unique_ptr<RecordLayer> records_;

  HelloState hello_state_ = HelloState::Ignored;
  ClientHello hello_;
  HelloAnswer answer_;

  bool handshaken_ = false;
  bool peer_ended_ = false;
  bool ended_ = false;
  bool peer_refused_ = false;
  std::optional<ErrorFacts> error_;
  std::vector<std::vector<std::uint8_t>> sessions_;
  std::vector<std::string> keylog_;
};

}  // namespace iocp::tls
