#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/context.h"
#include "core/openssl_handles.h"
#include "core/record_protection.h"
#include "core/session.h"

namespace iocp::tls::test {

using Blob = std::vector<std::uint8_t>;

[[nodiscard]] Blob bytes_of(std::string_view text);
/// Bytes that differ from their neighbours.
[[nodiscard]] Blob pattern(std::size_t size);
void append(Blob& to, Bytes bytes);

/// Both traffic secrets, as one side's key log has told them.
struct Secrets {
  Secret client;
  Secret server;
};

/// OpenSSL's own connection, with nothing of ours in it: what ours has to get on with, and is compared with.
class OpensslPeer {
 public:
  enum class Role { Client, Server };

  /// @param suites of TLS 1.3, as for SSL_CTX_set_ciphersuites
  explicit OpensslPeer(Role role, const char* suites = "TLS_AES_128_GCM_SHA256");

  [[nodiscard]] SSL* ssl() const noexcept { return ssl_.get(); }
  [[nodiscard]] const Secrets& secrets() const noexcept { return *secrets_; }
  /// Takes records, and goes on with the handshake or reads.
  void receive(Bytes records);
  void send(Bytes plain);
  void end();
  /// What it has to say, once.
  [[nodiscard]] Blob output();

  Blob plain;
  bool ended = false;
  /// The code of what it has failed with.
  std::string error;

 private:
  void run();

  std::unique_ptr<Secrets> secrets_ = std::make_unique<Secrets>();
  SslCtxHandle ctx_;
  SslHandle ssl_;
};

/// Our server, as the bridge uses it.
class OurServer {
 public:
  struct Options {
    /// How many it sends after the handshake.
    std::size_t tickets = 1;
    int max_version = TLS1_3_VERSION;
    std::uint64_t records_by_openssl = SessionOptions::kRecordsByOpenssl;
  };

  explicit OurServer(const Options& chosen);

  /// @param part_bytes what `receive` gets at once
  /// @param room_bytes for plain text, in one call
  void receive(Bytes records, std::size_t part_bytes = SIZE_MAX, std::size_t room_bytes = 32'768);
  /// @param room_bytes for records, in one call
  void send(Bytes plain, std::size_t room_bytes = 32'768);
  void end();
  [[nodiscard]] Blob output();
  [[nodiscard]] Session& session() noexcept { return *session_; }
  [[nodiscard]] std::string error() const;

  Blob plain;

 private:
  void keep_spilled();

  DefaultRoots roots_;
  std::unique_ptr<Session> session_;
  Blob output_;
};

/// Carries what both have to say until they have nothing more to say.
template <typename Left, typename Right>
void exchange(Left& left, Right& right) {
  while (true) {
    const Blob to_right = left.output();
    if (!to_right.empty()) right.receive(to_right);
    const Blob to_left = right.output();
    if (!to_left.empty()) left.receive(to_left);
    if (to_right.empty() && to_left.empty()) return;
  }
}

}  // namespace iocp::tls::test
