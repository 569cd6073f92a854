#include "core/client_hello.h"

#include <algorithm>
#include <cstddef>

namespace iocp::tls {

namespace {

constexpr std::size_t kServerNameBytesMax = 255;

/// Reads numbers and vectors as TLS writes them (RFC 8446 section 3). Whoever reads past the end gets nothing any more.
class WireReader {
 public:
  explicit WireReader(Bytes bytes) noexcept : left_(bytes) {}

  [[nodiscard]] bool empty() const noexcept { return left_.empty(); }

  [[nodiscard]] std::optional<std::size_t> number(std::size_t bytes) noexcept {
    if (left_.size() < bytes) return end();
    std::size_t result = 0;
    for (const std::uint8_t byte : left_.first(bytes)) result = result << 8 | byte;
    left_ = left_.subspan(bytes);
    return result;
  }

  /// A length of `length_bytes`, and as many bytes.
  [[nodiscard]] std::optional<Bytes> vector(std::size_t length_bytes) noexcept {
    const std::optional<std::size_t> length = number(length_bytes);
    if (!length || left_.size() < *length) return end();
    const Bytes result = left_.first(*length);
    left_ = left_.subspan(*length);
    return result;
  }

 private:
  [[nodiscard]] std::nullopt_t end() noexcept {
    left_ = {};
    return std::nullopt;
  }

  Bytes left_;
};

std::string text(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

char lower_case(char letter) noexcept {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

Bytes find_extension(SSL* ssl, unsigned int type) noexcept {
  const unsigned char* data = nullptr;
  std::size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl, type, &data, &size) != 1) return {};
  return {data, size};
}

}  // namespace

std::optional<std::string> read_server_name(Bytes extension) noexcept {
  WireReader reader(extension);
  const std::optional<Bytes> list = reader.vector(2);
  if (!list || !reader.empty()) return std::nullopt;
  WireReader names(*list);
  const std::optional<std::size_t> type = names.number(1);
  const std::optional<Bytes> name = names.vector(2);
  if (type != TLSEXT_NAMETYPE_host_name || !name || !names.empty()) return std::nullopt;
  if (name->empty() || name->size() > kServerNameBytesMax) return std::nullopt;
  if (std::find(name->begin(), name->end(), 0) != name->end()) return std::nullopt;
  std::string result = text(*name);
  std::transform(result.begin(), result.end(), result.begin(), lower_case);
  return result;
}

std::vector<std::string> read_protocols(Bytes extension) noexcept {
  WireReader reader(extension);
  const std::optional<Bytes> list = reader.vector(2);
  if (!list || !reader.empty()) return {};
  std::vector<std::string> result;
  for (WireReader names(*list); !names.empty();) {
    const std::optional<Bytes> name = names.vector(1);
    if (!name || name->empty()) return {};
    result.push_back(text(*name));
  }
  return result;
}

bool asks_for_ocsp(Bytes extension) noexcept {
  return WireReader(extension).number(1) == TLSEXT_STATUSTYPE_ocsp;
}

ClientHello read_client_hello(SSL* ssl) noexcept {
  ClientHello hello;
  hello.servername = read_server_name(find_extension(ssl, TLSEXT_TYPE_server_name));
  hello.protocols = read_protocols(find_extension(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation));
  hello.wants_ocsp = asks_for_ocsp(find_extension(ssl, TLSEXT_TYPE_status_request));
  const unsigned char* id = nullptr;
  const std::size_t size = SSL_client_hello_get0_session_id(ssl, &id);
  hello.session_id.assign(id, id + size);
  return hello;
}

}  // namespace iocp::tls
