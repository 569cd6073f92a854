#include <array>
#include <cstdint>

#include "bridge/node_api.h"
#include "core/mask.h"

namespace {

/// `BINDING_VERSION` of src/codec/native-mask.ts.
constexpr std::int32_t kBindingVersion = 1;
constexpr std::size_t kArguments = 5;

/// mask(bytes, start, end, key, phase). In C, because the C++ wrappers take longer than a small payload itself.
napi_value mask(napi_env env, napi_callback_info info) {
  std::array<napi_value, kArguments> arguments{};
  std::size_t count = arguments.size();
  napi_typedarray_type type = napi_int8_array;
  std::size_t length = 0;
  void* data = nullptr;
  std::uint32_t start = 0;
  std::uint32_t end = 0;
  std::uint32_t key = 0;
  std::uint32_t phase = 0;
  const bool read =
      napi_get_cb_info(env, info, &count, arguments.data(), nullptr, nullptr) == napi_ok &&
      napi_get_typedarray_info(env, arguments[0], &type, &length, &data, nullptr, nullptr) == napi_ok &&
      type == napi_uint8_array && napi_get_value_uint32(env, arguments[1], &start) == napi_ok &&
      napi_get_value_uint32(env, arguments[2], &end) == napi_ok &&
      napi_get_value_uint32(env, arguments[3], &key) == napi_ok &&
      napi_get_value_uint32(env, arguments[4], &phase) == napi_ok;
  if (!read) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "mask takes a Uint8Array and four numbers");
    return nullptr;
  }
  if (start > end || end > length) {
    napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "start and end are not a part of the bytes");
    return nullptr;
  }
  // Nothing to do is all there may be to point at.
  if (start < end) {
    iocp::websocket::apply_mask(static_cast<std::uint8_t*>(data) + start, end - start,
                                iocp::websocket::masking_key(key, phase));
  }
  return nullptr;
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  exports.Set("version", kBindingVersion);
  napi_value function = nullptr;
  const napi_status made = napi_create_function(env, "mask", NAPI_AUTO_LENGTH, mask, nullptr, &function);
  NAPI_THROW_IF_FAILED(env, made, exports);
  exports.Set("mask", function);
  return exports;
}

}  // namespace

NODE_API_MODULE(iocp_websocket, initialize)
