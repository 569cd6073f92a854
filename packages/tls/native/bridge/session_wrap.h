#pragma once

#include <cstddef>
#include <memory>

#include "bridge/environment.h"
#include "bridge/node_api.h"
#include "core/session.h"
#include "core/session_facts.h"

namespace iocp::tls {

/// The JavaScript class behind `NativeSession` of `src/engine/native/binding.ts`: marshals, and nothing else. What is called
/// for every message has no exceptions, no memory, and no value of JavaScript in it but its arguments; it reports in words.
class SessionWrap final : public Napi::ObjectWrap<SessionWrap> {
 public:
  /// Defines the class and keeps it in Environment.
  static void define(Napi::Env env);
  /// The exported function `createSession(context, options)`.
  [[nodiscard]] static Napi::Value create(const Napi::CallbackInfo& info);

  explicit SessionWrap(const Napi::CallbackInfo& info);
  ~SessionWrap() override;

  /// Not freed.
  [[nodiscard]] bool open() const noexcept { return session_ != nullptr; }

 private:
  static napi_value receive(napi_env env, napi_callback_info info);
  static napi_value send(napi_env env, napi_callback_info info);
  static napi_value take_output(napi_env env, napi_callback_info info);

  void start(const Napi::CallbackInfo& info);
  void end(const Napi::CallbackInfo& info);
  Napi::Value client_hello(const Napi::CallbackInfo& info);
  void continue_hello(const Napi::CallbackInfo& info);
  Napi::Value take_error(const Napi::CallbackInfo& info);
  Napi::Value take_sessions(const Napi::CallbackInfo& info);
  Napi::Value take_keylog(const Napi::CallbackInfo& info);
  Napi::Value protocol(const Napi::CallbackInfo& info);
  Napi::Value cipher(const Napi::CallbackInfo& info);
  Napi::Value alpn_protocol(const Napi::CallbackInfo& info);
  Napi::Value servername(const Napi::CallbackInfo& info);
  Napi::Value protects_records(const Napi::CallbackInfo& info);
  Napi::Value session_reused(const Napi::CallbackInfo& info);
  Napi::Value verification(const Napi::CallbackInfo& info);
  Napi::Value peer_certificates(const Napi::CallbackInfo& info);
  Napi::Value peer_is(const Napi::CallbackInfo& info);
  Napi::Value certificate(const Napi::CallbackInfo& info);
  Napi::Value session(const Napi::CallbackInfo& info);
  Napi::Value ticket(const Napi::CallbackInfo& info);
  Napi::Value ephemeral_key(const Napi::CallbackInfo& info);
  Napi::Value shared_signature_algorithms(const Napi::CallbackInfo& info);
  Napi::Value finished(const Napi::CallbackInfo& info);
  Napi::Value peer_finished(const Napi::CallbackInfo& info);
  Napi::Value ocsp_response(const Napi::CallbackInfo& info);
  Napi::Value export_keying_material(const Napi::CallbackInfo& info);
  void free(const Napi::CallbackInfo& info);

  /// As they are now, or were when the session was freed.
  [[nodiscard]] const SessionFacts& facts();
  /// Throws ERR_TLS_FREED after `free`.
  [[nodiscard]] Session& open_session(Napi::Env env);
  void report(const Session::Received& received, std::size_t output) noexcept;
  void release() noexcept;

  Environment& environment_;
  std::unique_ptr<Session> session_;
  SessionFacts facts_;
};

}  // namespace iocp::tls
