#include "bridge/context_wrap.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "bridge/environment.h"

namespace iocp::tls {

namespace {

/// What V8 is told that an object keeps alive, so that it collects contexts which nobody uses any more: about what one took
/// on Linux x64 with OpenSSL 3.0.
constexpr std::int64_t kContextBytes = 24 * 1024;

Bytes read_bytes(const Napi::Value& value) {
  const auto array = value.As<Napi::Uint8Array>();
  return {array.Data(), array.ByteLength()};
}

std::string read_text(const Napi::Object& object, const char* name) {
  return object.Get(name).As<Napi::String>().Utf8Value();
}

std::string read_optional_text(const Napi::Object& object, const char* name) {
  return object.Get(name).IsUndefined() ? std::string() : read_text(object, name);
}

template <typename Item, typename Read>
std::vector<Item> read_list(const Napi::Value& value, Read read) {
  const auto array = value.As<Napi::Array>();
  std::vector<Item> result;
  result.reserve(array.Length());
  for (std::uint32_t i = 0; i < array.Length(); ++i) result.push_back(read(array.Get(i)));
  return result;
}

std::vector<Bytes> read_bytes_list(const Napi::Value& value) { return read_list<Bytes>(value, read_bytes); }

std::vector<SecretSource> read_secrets(const Napi::Value& value, const char* bytes_name) {
  return read_list<SecretSource>(value, [bytes_name](const Napi::Value& item) {
    const auto object = item.As<Napi::Object>();
    return SecretSource{read_bytes(object.Get(bytes_name)), read_optional_text(object, "passphrase")};
  });
}

/// Throws a TypeError for a key of another length: one that is too short must not be read to its end.
std::vector<Bytes> read_ticket_keys(const Napi::Value& value) {
  std::vector<Bytes> keys = read_bytes_list(value);
  const bool good = !keys.empty() && std::all_of(keys.begin(), keys.end(), [](Bytes key) {
    return key.size() == TicketKeys::kKeyBytes;
  });
  if (!good) throw Napi::TypeError::New(value.Env(), "Ticket keys have 48 bytes, and there is at least one");
  return keys;
}

/// A wrong type throws a TypeError; JavaScript has told its users what is wrong before.
ContextOptions read_options(const Napi::Object& object) {
  ContextOptions options;
  options.certificates = read_bytes_list(object.Get("certificates"));
  options.keys = read_secrets(object.Get("keys"), "pem");
  options.pfx = read_secrets(object.Get("pfx"), "der");
  if (const Napi::Value ca = object.Get("ca"); !ca.IsUndefined()) options.ca = read_bytes_list(ca);
  options.crl = read_bytes_list(object.Get("crl"));
  options.cipher_list = read_text(object, "cipherList");
  options.cipher_suites = read_text(object, "cipherSuites");
  if (std::string groups = read_text(object, "groups"); groups != "auto") options.groups = std::move(groups);
  options.signature_algorithms = read_optional_text(object, "sigalgs");
  options.min_version = object.Get("minVersion").As<Napi::Number>().Int32Value();
  options.max_version = object.Get("maxVersion").As<Napi::Number>().Int32Value();
  options.honor_cipher_order = object.Get("honorCipherOrder").ToBoolean();
  options.allow_partial_trust_chain = object.Get("allowPartialTrustChain").ToBoolean();
  options.session_timeout_seconds = object.Get("sessionTimeout").As<Napi::Number>().Int32Value();
  if (const Napi::Value id = object.Get("sessionIdContext"); !id.IsUndefined()) {
    options.session_id_context = read_bytes(id);
  }
  if (const Napi::Value keys = object.Get("ticketKeys"); !keys.IsUndefined()) {
    options.ticket_keys = read_ticket_keys(keys);
  }
  options.secure_options =
      static_cast<std::uint64_t>(object.Get("secureOptions").As<Napi::Number>().Int64Value());
  if (const Napi::Value dh = object.Get("dhparam"); dh.IsString()) {
    options.dh = DhParameters::Auto;
  } else if (!dh.IsUndefined()) {
    options.dh = DhParameters::Given;
    options.dh_parameters = read_bytes(dh);
  }
  return options;
}

Napi::Value certificate_value(Napi::Env env, X509* certificate) {
  if (certificate == nullptr) return env.Undefined();
  unsigned char* der = nullptr;
  const int length = i2d_X509(certificate, &der);
  const OpensslBytes owner(der);
  if (length < 0) throw openssl_error(env, take_error("i2d_X509"));
  return Napi::Buffer<unsigned char>::Copy(env, der, static_cast<std::size_t>(length));
}

}  // namespace

void ContextWrap::define(Napi::Env env) {
  const Napi::Function constructor =
      DefineClass(env, "Context",
                  {
                      InstanceMethod<&ContextWrap::set_ticket_keys>("setTicketKeys"),
                      InstanceMethod<&ContextWrap::certificate>("certificate"),
                      InstanceMethod<&ContextWrap::issuer>("issuer"),
                  });
  Environment::of(env).context_class = Napi::Persistent(constructor);
}

Napi::Value ContextWrap::create(const Napi::CallbackInfo& info) {
  return Environment::of(info.Env()).context_class.New({info[0]});
}

void ContextWrap::set_roots(const Napi::CallbackInfo& info) {
  Environment::of(info.Env()).roots.set(read_list<std::string>(info[0], [](const Napi::Value& item) {
    return item.As<Napi::String>().Utf8Value();
  }));
}

std::shared_ptr<Context> ContextWrap::unwrap(const Napi::Value& value) {
  const Napi::Env env = value.Env();
  const Napi::Function constructor = Environment::of(env).context_class.Value();
  if (!value.IsObject() || !value.As<Napi::Object>().InstanceOf(constructor)) {
    throw Napi::TypeError::New(env, "Not a context of this thread");
  }
  return Unwrap(value.As<Napi::Object>())->context_;
}

ContextWrap::ContextWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ContextWrap>(info) {
  const Napi::Env env = info.Env();
  Environment& environment = Environment::of(env);
  try {
    context_ = Context::make(read_options(info[0].As<Napi::Object>()), environment.roots);
  } catch (const OpensslFailure& failure) {
    throw openssl_error(env, failure.facts());
  }
  ++environment.contexts;
  Napi::MemoryManagement::AdjustExternalMemory(env, kContextBytes);
}

ContextWrap::~ContextWrap() {
  --Environment::of(Env()).contexts;
  Napi::MemoryManagement::AdjustExternalMemory(Env(), -kContextBytes);
}

void ContextWrap::set_ticket_keys(const Napi::CallbackInfo& info) {
  context_->ticket_keys().replace(read_ticket_keys(info[0]));
}

Napi::Value ContextWrap::certificate(const Napi::CallbackInfo& info) {
  return certificate_value(info.Env(), context_->certificate());
}

Napi::Value ContextWrap::issuer(const Napi::CallbackInfo& info) {
  return certificate_value(info.Env(), context_->issuer());
}

Napi::Error openssl_error(Napi::Env env, const ErrorFacts& facts) {
  Napi::Error error = Napi::Error::New(env, facts.message);
  const auto set = [&error](const char* name, const std::string& text) {
    if (!text.empty()) error.Set(name, text);
  };
  set("code", facts.code);
  set("library", facts.library);
  set("reason", facts.reason);
  return error;
}

}  // namespace iocp::tls
