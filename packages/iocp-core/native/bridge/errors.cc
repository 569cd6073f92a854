#include "bridge/errors.h"

#include "backend/net/system_text.h"
#include "core/protocol.gen.h"

namespace iocp {

Napi::Error system_error(Napi::Env env, std::int32_t error, const char* syscall) {
  Napi::Error result = Napi::Error::New(env, std::string(syscall) + ": " + net::describe(error));
  result.Set("errno", Napi::Number::New(env, error));
  result.Set("syscall", Napi::String::New(env, syscall));
  return result;
}

Napi::Error system_error(Napi::Env env, const net::SystemError& error) {
  return system_error(env, error.error, error.syscall);
}

Napi::Array rejected_backends(Napi::Env env, const std::vector<RejectedBackend>& rejected) {
  Napi::Array result = Napi::Array::New(env, rejected.size());
  for (std::uint32_t i = 0; i < rejected.size(); ++i) {
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("backend", rejected[i].backend);
    entry.Set("code", error_name(rejected[i].probe.error));
    entry.Set("reason", rejected[i].probe.reason);
    entry.Set("hint", rejected[i].probe.hint);
    result.Set(i, entry);
  }
  return result;
}

}  // namespace iocp
