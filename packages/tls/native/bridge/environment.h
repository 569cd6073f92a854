#pragma once

#include <cstdint>

#include "bridge/node_api.h"
#include "core/trust_store.h"

namespace iocp::tls {

/// What the addon holds for one thread of JavaScript, main or worker. Freed after every object of that thread.
struct Environment {
  [[nodiscard]] static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

  DefaultRoots roots;
  Napi::FunctionReference context_class;
  Napi::FunctionReference session_class;
  /// `Word` of binding.ts; null before `setWords`.
  std::int32_t* words = nullptr;
  /// Keeps the memory behind `words` alive.
  Napi::Reference<Napi::Int32Array> words_array;
  /// Alive now.
  std::uint32_t contexts = 0;
  std::uint32_t sessions = 0;
};

}  // namespace iocp::tls
