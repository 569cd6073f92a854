#include "bridge/session_wrap.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bridge/context_wrap.h"

namespace iocp::tls {

namespace {

// `Word` and `Status` of src/engine/native/binding.ts.
enum Word : std::size_t { kStatus, kConsumed, kPlain, kOutput, kSpilled };

enum Status : std::int32_t {
  kHandshaken = 1 << 0,
  kPeerEnded = 1 << 1,
  kHello = 1 << 2,
  kFailed = 1 << 3,
  kSessions = 1 << 4,
  kKeylog = 1 << 5,
  kMore = 1 << 6,
};

constexpr char kMisuse[] = "ERR_TLS_FREED";
constexpr char kMisuseText[] = "This TLS session was freed";

/// Arguments of a call in which nothing may throw.
template <std::size_t count>
class PlainCall {
 public:
  PlainCall(napi_env env, napi_callback_info info) noexcept : env_(env) {
    std::size_t given = count;
    ok_ = napi_get_cb_info(env, info, &given, arguments_, &this_, nullptr) == napi_ok && given == count;
  }

  [[nodiscard]] SessionWrap* object() noexcept {
    void* object = nullptr;
    ok_ = ok_ && napi_unwrap(env_, this_, &object) == napi_ok;
    return static_cast<SessionWrap*>(object);
  }

  /// Of a Uint8Array. Another typed array has more bytes than are used here: not asking for its type is safe, and fast.
  [[nodiscard]] std::span<std::uint8_t> bytes(std::size_t index) noexcept {
    std::size_t size = 0;
    void* data = nullptr;
    ok_ = ok_ && napi_get_typedarray_info(env_, arguments_[index], nullptr, &size, &data, nullptr, nullptr) ==
                     napi_ok;
    if (!ok_) return {};
    return {static_cast<std::uint8_t*>(data), size};
  }

  /// An offset into as many bytes.
  [[nodiscard]] std::size_t offset(std::size_t index, std::size_t size) noexcept {
    std::uint32_t result = 0;
    ok_ = ok_ && napi_get_value_uint32(env_, arguments_[index], &result) == napi_ok && result <= size;
    return ok_ ? result : 0;
  }

  /// Whether all of them were of the right kind, and the session is not freed; has thrown if not.
  [[nodiscard]] bool complete(const SessionWrap* object) const noexcept {
    if (!ok_)
      napi_throw_type_error(env_, "ERR_INVALID_ARG_TYPE", "Wrong arguments for a TLS session");
    else if (!object->open())
      napi_throw_error(env_, kMisuse, kMisuseText);
    else
      return true;
    return false;
  }

 private:
  napi_env env_;
  napi_value arguments_[count]{};
  napi_value this_ = nullptr;
  bool ok_ = false;
};

napi_property_descriptor plain_method(const char* name, napi_callback method) noexcept {
  napi_property_descriptor result{};
  result.utf8name = name;
  result.method = method;
  result.attributes = napi_default;
  return result;
}

Bytes read_bytes(const Napi::Value& value) {
  const auto array = value.As<Napi::Uint8Array>();
  return {array.Data(), array.ByteLength()};
}

OwnBytes read_own_bytes(const Napi::Value& value) {
  if (value.IsUndefined()) return {};
  const Bytes bytes = read_bytes(value);
  return {bytes.begin(), bytes.end()};
}

bool read_flag(const Napi::Object& object, const char* name) { return object.Get(name).ToBoolean(); }

SessionOptions read_options(const Napi::Object& object) {
  SessionOptions options;
  options.server = read_flag(object, "server");
  options.request_certificate = read_flag(object, "requestCert");
  options.reject_unauthorized = read_flag(object, "rejectUnauthorized");
  options.request_ocsp = read_flag(object, "requestOcsp");
  options.stop_at_hello = read_flag(object, "stopAtHello");
  options.keylog = read_flag(object, "keylog");
  options.sessions = read_flag(object, "sessions");
  if (const Napi::Value name = object.Get("servername"); name.IsString()) {
    options.servername = name.As<Napi::String>().Utf8Value();
  }
  options.alpn = read_own_bytes(object.Get("alpn"));
  if (const Napi::Value session = object.Get("session"); !session.IsUndefined()) {
    options.session = read_bytes(session);
  }
  if (const Napi::Value records = object.Get("recordsByOpenssl"); records.IsNumber()) {
    options.records_by_openssl = records.As<Napi::Number>().Uint32Value();
  }
  return options;
}

/// Characters up to 255, each of them a byte.
std::string read_wire_text(const Napi::Value& value) {
  const std::u16string text = value.As<Napi::String>();
  std::string bytes;
  for (const char16_t character : text) bytes.push_back(static_cast<char>(character));
  return bytes;
}

HelloAnswer read_answer(const Napi::Object& object) {
  HelloAnswer answer;
  if (const Napi::Value context = object.Get("context"); !context.IsUndefined()) {
    answer.context = ContextWrap::unwrap(context);
  }
  if (const Napi::Value protocol = object.Get("protocol"); protocol.IsNull()) {
    answer.protocol = HelloAnswer::Protocol::Refused;
  } else if (!protocol.IsUndefined()) {
    answer.protocol = HelloAnswer::Protocol::Chosen;
    answer.chosen_protocol = read_wire_text(protocol);
  }
  answer.ocsp_response = read_own_bytes(object.Get("ocspResponse"));
  answer.refused = read_flag(object, "refused");
  return answer;
}

template <typename Container>
Napi::Value bytes_value(Napi::Env env, const Container& bytes) {
  return Napi::Buffer<std::uint8_t>::Copy(env, reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                          bytes.size());
}

Napi::Value bytes_or_undefined(Napi::Env env, const OwnBytes& bytes) {
  return bytes.empty() ? env.Undefined() : bytes_value(env, bytes);
}

Napi::Value text_value(Napi::Env env, const std::string& text) { return Napi::String::New(env, text); }

/// Bytes of any value, each of them a character: what comes from the wire need not be UTF-8.
Napi::Value wire_text(Napi::Env env, const std::string& bytes) {
  napi_value result = nullptr;
  NAPI_THROW_IF_FAILED(env, napi_create_string_latin1(env, bytes.data(), bytes.size(), &result),
                       Napi::Value());
  return {env, result};
}

Napi::Value wire_text_or_null(Napi::Env env, const std::string& bytes) {
  return bytes.empty() ? env.Null() : wire_text(env, bytes);
}

template <typename Items, typename Convert>
Napi::Array array_value(Napi::Env env, const Items& items, Convert convert) {
  Napi::Array result = Napi::Array::New(env, items.size());
  std::uint32_t index = 0;
  for (const auto& item : items) result.Set(index++, convert(env, item));
  return result;
}

}  // namespace

void SessionWrap::define(Napi::Env env) {
  Environment::of(env).session_class = Napi::Persistent(
      DefineClass(env, "Session",
                  {
                      plain_method("receive", receive),
                      plain_method("send", send),
                      plain_method("takeOutput", take_output),
                      InstanceMethod<&SessionWrap::start>("start"),
                      InstanceMethod<&SessionWrap::end>("end"),
                      InstanceMethod<&SessionWrap::client_hello>("clientHello"),
                      InstanceMethod<&SessionWrap::continue_hello>("continueHello"),
                      InstanceMethod<&SessionWrap::take_error>("takeError"),
                      InstanceMethod<&SessionWrap::take_sessions>("takeSessions"),
                      InstanceMethod<&SessionWrap::take_keylog>("takeKeylog"),
                      InstanceMethod<&SessionWrap::protocol>("protocol"),
                      InstanceMethod<&SessionWrap::cipher>("cipher"),
                      InstanceMethod<&SessionWrap::alpn_protocol>("alpnProtocol"),
                      InstanceMethod<&SessionWrap::servername>("servername"),
                      InstanceMethod<&SessionWrap::protects_records>("protectsRecords"),
                      InstanceMethod<&SessionWrap::session_reused>("sessionReused"),
                      InstanceMethod<&SessionWrap::verification>("verification"),
                      InstanceMethod<&SessionWrap::peer_certificates>("peerCertificates"),
                      InstanceMethod<&SessionWrap::peer_is>("peerIs"),
                      InstanceMethod<&SessionWrap::certificate>("certificate"),
                      InstanceMethod<&SessionWrap::session>("session"),
                      InstanceMethod<&SessionWrap::ticket>("ticket"),
                      InstanceMethod<&SessionWrap::ephemeral_key>("ephemeralKey"),
                      InstanceMethod<&SessionWrap::shared_signature_algorithms>("sharedSigalgs"),
                      InstanceMethod<&SessionWrap::finished>("finished"),
                      InstanceMethod<&SessionWrap::peer_finished>("peerFinished"),
                      InstanceMethod<&SessionWrap::ocsp_response>("ocspResponse"),
                      InstanceMethod<&SessionWrap::export_keying_material>("exportKeyingMaterial"),
                      InstanceMethod<&SessionWrap::free>("free"),
                  }));
}

Napi::Value SessionWrap::create(const Napi::CallbackInfo& info) {
  return Environment::of(info.Env()).session_class.New({info[0], info[1]});
}

SessionWrap::SessionWrap(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<SessionWrap>(info), environment_(Environment::of(info.Env())) {
  if (environment_.words == nullptr) throw Napi::Error::New(info.Env(), "setWords comes first");
  try {
    session_ =
        std::make_unique<Session>(ContextWrap::unwrap(info[0]), read_options(info[1].As<Napi::Object>()));
  } catch (const OpensslFailure& failure) {
    throw openssl_error(info.Env(), failure.facts());
  }
  ++environment_.sessions;
}

SessionWrap::~SessionWrap() { release(); }

void SessionWrap::release() noexcept {
  if (session_ == nullptr) return;
  session_.reset();
  --environment_.sessions;
}

const SessionFacts& SessionWrap::facts() {
  if (session_ != nullptr && session_->handshaken()) facts_ = SessionFacts(session_->ssl());
  return facts_;
}

Session& SessionWrap::open_session(Napi::Env env) {
  if (session_ != nullptr) return *session_;
  Napi::Error error = Napi::Error::New(env, kMisuseText);
  error.Set("code", kMisuse);
  throw error;
}

void SessionWrap::report(const Session::Received& received, std::size_t output) noexcept {
  Session& session = *session_;
  const auto bit = [](bool set, Status status) { return set ? status : 0; };
  std::int32_t* words = environment_.words;
  words[kStatus] = bit(session.handshaken(), kHandshaken) | bit(session.peer_ended(), kPeerEnded) |
                   bit(session.client_hello() != nullptr, kHello) | bit(session.failed(), kFailed) |
                   bit(!session.sessions().empty(), kSessions) | bit(!session.keylog().empty(), kKeylog) |
                   bit(received.more, kMore);
  words[kConsumed] = static_cast<std::int32_t>(received.consumed);
  words[kPlain] = static_cast<std::int32_t>(received.plain);
  words[kOutput] = static_cast<std::int32_t>(output);
  words[kSpilled] = static_cast<std::int32_t>(session.spilled());
}

napi_value SessionWrap::receive(napi_env env, napi_callback_info info) {
  PlainCall<3> call(env, info);
  SessionWrap* self = call.object();
  const Bytes input = call.bytes(0);
  const std::size_t offset = call.offset(1, input.size());
  const std::span<std::uint8_t> plain = call.bytes(2);
  if (call.complete(self)) self->report(self->session_->receive(input.subspan(offset), plain), 0);
  return nullptr;
}

napi_value SessionWrap::send(napi_env env, napi_callback_info info) {
  PlainCall<4> call(env, info);
  SessionWrap* self = call.object();
  const Bytes input = call.bytes(0);
  const std::size_t offset = call.offset(1, input.size());
  const std::span<std::uint8_t> output = call.bytes(2);
  const std::size_t at = call.offset(3, output.size());
  if (!call.complete(self)) return nullptr;
  const Session::Sent sent = self->session_->send(input.subspan(offset), output.subspan(at));
  self->report({sent.consumed, 0, false}, at + sent.output);
  return nullptr;
}

napi_value SessionWrap::take_output(napi_env env, napi_callback_info info) {
  PlainCall<2> call(env, info);
  SessionWrap* self = call.object();
  const std::span<std::uint8_t> output = call.bytes(0);
  const std::size_t at = call.offset(1, output.size());
  if (!call.complete(self)) return nullptr;
  const std::size_t taken = self->session_->take_output(output.subspan(at));
  self->report({}, at + taken);
  return nullptr;
}

void SessionWrap::start(const Napi::CallbackInfo& info) {
  open_session(info.Env()).start();
  report({}, 0);
}

void SessionWrap::end(const Napi::CallbackInfo& info) {
  open_session(info.Env()).end();
  report({}, 0);
}

Napi::Value SessionWrap::client_hello(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const ClientHello* hello = open_session(env).client_hello();
  if (hello == nullptr) throw Napi::Error::New(env, "No ClientHello waits");
  Napi::Object result = Napi::Object::New(env);
  result.Set("servername", hello->servername ? wire_text(env, *hello->servername) : env.Undefined());
  result.Set("protocols", array_value(env, hello->protocols, wire_text));
  result.Set("wantsOcsp", Napi::Boolean::New(env, hello->wants_ocsp));
  result.Set("sessionId", bytes_value(env, hello->session_id));
  return result;
}

void SessionWrap::continue_hello(const Napi::CallbackInfo& info) {
  open_session(info.Env()).continue_hello(read_answer(info[0].As<Napi::Object>()));
  report({}, 0);
}

Napi::Value SessionWrap::take_error(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::optional<ErrorFacts>& error = open_session(env).error();
  if (!error) throw Napi::Error::New(env, "The session has not failed");
  Napi::Object result = Napi::Object::New(env);
  result.Set("code", error->code);
  result.Set("message", error->message);
  if (!error->library.empty()) result.Set("library", error->library);
  if (!error->reason.empty()) result.Set("reason", error->reason);
  return result;
}

Napi::Value SessionWrap::take_sessions(const Napi::CallbackInfo& info) {
  const auto sessions = std::exchange(open_session(info.Env()).sessions(), {});
  return array_value(info.Env(), sessions, bytes_value<OwnBytes>);
}

Napi::Value SessionWrap::take_keylog(const Napi::CallbackInfo& info) {
  const auto lines = std::exchange(open_session(info.Env()).keylog(), {});
  return array_value(info.Env(), lines, bytes_value<std::string>);
}

Napi::Value SessionWrap::protocol(const Napi::CallbackInfo& info) {
  const char* protocol = facts().protocol();
  return protocol == nullptr ? info.Env().Null() : text_value(info.Env(), protocol);
}

Napi::Value SessionWrap::cipher(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::optional<CipherFacts> cipher = facts().cipher();
  if (!cipher) return env.Null();
  Napi::Object result = Napi::Object::New(env);
  result.Set("name", cipher->name);
  result.Set("standardName", cipher->standard_name);
  result.Set("version", cipher->version);
  return result;
}

Napi::Value SessionWrap::alpn_protocol(const Napi::CallbackInfo& info) {
  return wire_text_or_null(info.Env(), facts().alpn_protocol());
}

Napi::Value SessionWrap::servername(const Napi::CallbackInfo& info) {
  return wire_text_or_null(info.Env(), facts().servername());
}

Napi::Value SessionWrap::protects_records(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), open_session(info.Env()).protects_records());
}

Napi::Value SessionWrap::session_reused(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), facts().session_reused());
}

Napi::Value SessionWrap::verification(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::optional<VerificationFacts> verification = facts().verification();
  if (!verification) return env.Null();
  Napi::Object result = Napi::Object::New(env);
  result.Set("number", Napi::Number::New(env, static_cast<double>(verification->number)));
  result.Set("code", verification->code);
  result.Set("message", verification->message);
  return result;
}

Napi::Value SessionWrap::peer_certificates(const Napi::CallbackInfo& info) {
  return array_value(info.Env(), facts().peer_certificates(), bytes_value<OwnBytes>);
}

Napi::Value SessionWrap::peer_is(const Napi::CallbackInfo& info) {
  const std::string host = info[0].As<Napi::String>().Utf8Value();
  return Napi::Boolean::New(info.Env(), facts().peer_is(host, info[1].ToBoolean()));
}

Napi::Value SessionWrap::certificate(const Napi::CallbackInfo& info) {
  return bytes_or_undefined(info.Env(), facts().certificate());
}

Napi::Value SessionWrap::session(const Napi::CallbackInfo& info) {
  return bytes_or_undefined(info.Env(), facts().session());
}

Napi::Value SessionWrap::ticket(const Napi::CallbackInfo& info) {
  return bytes_or_undefined(info.Env(), facts().ticket());
}

Napi::Value SessionWrap::ephemeral_key(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::optional<EphemeralKeyFacts> key = facts().ephemeral_key();
  if (!key) return env.Null();
  Napi::Object result = Napi::Object::New(env);
  result.Set("type", key->type);
  if (!key->name.empty()) result.Set("name", key->name);
  result.Set("size", Napi::Number::New(env, key->bits));
  return result;
}

Napi::Value SessionWrap::shared_signature_algorithms(const Napi::CallbackInfo& info) {
  return array_value(info.Env(), facts().shared_signature_algorithms(), text_value);
}

Napi::Value SessionWrap::finished(const Napi::CallbackInfo& info) {
  return bytes_or_undefined(info.Env(), facts().finished());
}

Napi::Value SessionWrap::peer_finished(const Napi::CallbackInfo& info) {
  return bytes_or_undefined(info.Env(), facts().peer_finished());
}

Napi::Value SessionWrap::ocsp_response(const Napi::CallbackInfo& info) {
  return bytes_or_undefined(info.Env(), facts().ocsp_response());
}

Napi::Value SessionWrap::export_keying_material(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  SSL* ssl = open_session(env).ssl();
  const std::size_t length = info[0].As<Napi::Number>().Uint32Value();
  const std::string label = info[1].As<Napi::String>().Utf8Value();
  std::optional<Bytes> context;
  if (!info[2].IsUndefined()) context = read_bytes(info[2]);
  const std::optional<OwnBytes> material = tls::export_keying_material(ssl, length, label, context);
  if (!material) throw openssl_error(env, tls::take_error("SSL_export_keying_material"));
  return bytes_value(env, *material);
}

void SessionWrap::free(const Napi::CallbackInfo& /*info*/) {
  static_cast<void>(facts());
  release();
}

}  // namespace iocp::tls
