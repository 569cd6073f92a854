#include "bridge/mailbox_registry.h"
#include "bridge/node_api.h"
#include "bridge/port_wrap.h"
#include "core/protocol.gen.h"

namespace {

Napi::Value post_to(const Napi::CallbackInfo& info) {
  const auto id = static_cast<std::uint64_t>(info[0].As<Napi::Number>().Int64Value());
  const std::int32_t value = info[1].As<Napi::Number>().Int32Value();
  return Napi::Boolean::New(info.Env(), iocp::mailbox_registry::post(id, value));
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  exports.Set("Port", iocp::PortWrap::define(env));
  exports.Set("postTo", Napi::Function::New<post_to>(env, "postTo"));
  Napi::Object versions = Napi::Object::New(env);
  versions.Set("napi", std::to_string(NAPI_VERSION));
  exports.Set("versions", versions);
  return exports;
}

}  // namespace

NODE_API_MODULE(iocp_core, initialize)
