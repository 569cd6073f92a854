#include <openssl/crypto.h>

#include <memory>
#include <string>

#include "bridge/context_wrap.h"
#include "bridge/environment.h"
#include "bridge/node_api.h"
#include "bridge/session_wrap.h"

namespace {

using iocp::tls::ContextWrap;
using iocp::tls::Environment;
using iocp::tls::SessionWrap;

/// `BINDING_VERSION` and `WORDS` of src/engine/native/binding.ts.
constexpr int kBindingVersion = 1;
constexpr std::size_t kWords = 8;
constexpr unsigned long kOpensslMajor = 3;

void set_words(const Napi::CallbackInfo& info) {
  const auto words = info[0].As<Napi::Int32Array>();
  if (words.ElementLength() < kWords) throw Napi::RangeError::New(info.Env(), "Too few words");
  Environment& environment = Environment::of(info.Env());
  environment.words_array = Napi::Reference<Napi::Int32Array>::New(words, 1);
  environment.words = environment.words_array.Value().Data();
}

Napi::Value counts(const Napi::CallbackInfo& info) {
  const Environment& environment = Environment::of(info.Env());
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("contexts", Napi::Number::New(info.Env(), environment.contexts));
  result.Set("sessions", Napi::Number::New(info.Env(), environment.sessions));
  return result;
}

/// The functions were found by name when this was loaded; that they are the ones we were made for only their major version
/// says. OpenSSL keeps its binary interface within one.
void check_openssl(Napi::Env env) {
  if (OpenSSL_version_num() >> 28U == kOpensslMajor) return;
  throw Napi::Error::New(
      env, std::string("iocp_tls needs OpenSSL 3, and this program has ") + OpenSSL_version(OPENSSL_VERSION));
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  check_openssl(env);
  env.SetInstanceData(std::make_unique<Environment>().release());
  ContextWrap::define(env);
  SessionWrap::define(env);
  exports.Set("version", kBindingVersion);
  exports.Set("openssl", OpenSSL_version(OPENSSL_VERSION));
  exports.Set("setWords", Napi::Function::New<set_words>(env, "setWords"));
  exports.Set("setRoots", Napi::Function::New<ContextWrap::set_roots>(env, "setRoots"));
  exports.Set("createContext", Napi::Function::New<ContextWrap::create>(env, "createContext"));
  exports.Set("createSession", Napi::Function::New<SessionWrap::create>(env, "createSession"));
  exports.Set("counts", Napi::Function::New<counts>(env, "counts"));
  return exports;
}

}  // namespace

NODE_API_MODULE(iocp_tls, initialize)
