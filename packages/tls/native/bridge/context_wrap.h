#pragma once

#include <memory>

#include "bridge/node_api.h"
#include "core/context.h"
#include "core/openssl_error.h"

namespace iocp::tls {

/// The JavaScript class behind `NativeContext` of `src/engine/native/binding.ts`: marshals, and nothing else.
class ContextWrap final : public Napi::ObjectWrap<ContextWrap> {
 public:
  /// Defines the class and keeps it in Environment.
  static void define(Napi::Env env);
  /// The exported functions `createContext(options)` and `setRoots(pem)`.
  [[nodiscard]] static Napi::Value create(const Napi::CallbackInfo& info);
  static void set_roots(const Napi::CallbackInfo& info);
  /// Throws a TypeError when `value` is no context of this environment.
  [[nodiscard]] static std::shared_ptr<Context> unwrap(const Napi::Value& value);

  explicit ContextWrap(const Napi::CallbackInfo& info);
  ~ContextWrap() override;

 private:
  void set_ticket_keys(const Napi::CallbackInfo& info);
  Napi::Value certificate(const Napi::CallbackInfo& info);
  Napi::Value issuer(const Napi::CallbackInfo& info);

  std::shared_ptr<Context> context_;
};

/// An Error with `code`, `library` and `reason` as far as there are such.
[[nodiscard]] Napi::Error openssl_error(Napi::Env env, const ErrorFacts& facts);

}  // namespace iocp::tls
