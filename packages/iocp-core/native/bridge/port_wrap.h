#pragma once

#include <cstdint>
#include <memory>

#include "backend/net/owned_socket.h"
#include "bridge/node_api.h"
#include "core/engine.h"

namespace iocp {

class PortSession;

/// The JavaScript class `Port` (`NativePort` in `src/port/binding.ts`): marshals, and nothing else.
class PortWrap final : public Napi::ObjectWrap<PortWrap> {
 public:
  [[nodiscard]] static Napi::Function define(Napi::Env env);
  explicit PortWrap(const Napi::CallbackInfo& info);

 private:
  Napi::Value get_info(const Napi::CallbackInfo& info);
  void flush(const Napi::CallbackInfo& info);
  Napi::Value listen(const Napi::CallbackInfo& info);
  Napi::Value open(const Napi::CallbackInfo& info);
  Napi::Value open_datagram(const Napi::CallbackInfo& info);
  void connect_datagram(const Napi::CallbackInfo& info);
  void change_membership(const Napi::CallbackInfo& info);
  Napi::Value take_datagram_error(const Napi::CallbackInfo& info);
  Napi::Value dropped_datagrams(const Napi::CallbackInfo& info);
  Napi::Value associate(const Napi::CallbackInfo& info);
  Napi::Value address(const Napi::CallbackInfo& info);
  Napi::Value get_option(const Napi::CallbackInfo& info);
  void set_option(const Napi::CallbackInfo& info);
  Napi::Value tcp_info(const Napi::CallbackInfo& info);
  Napi::Value descriptor(const Napi::CallbackInfo& info);
  Napi::Value pin(const Napi::CallbackInfo& info);
  void ref(const Napi::CallbackInfo& info);
  void unref(const Napi::CallbackInfo& info);
  Napi::Value stats(const Napi::CallbackInfo& info);
  Napi::Value mailbox(const Napi::CallbackInfo& info);
  void close_mailbox(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  /// Throws ECANCELED once the port has closed.
  [[nodiscard]] Engine& engine(Napi::Env env);
  [[nodiscard]] Napi::Value adopt(Napi::Env env, net::OwnedSocket socket,
                                  std::unique_ptr<AddressBytes> remote, SocketKind kind = SocketKind::Stream);
  /// The handle that the first two arguments name; throws EBADF.
  [[nodiscard]] const Handle& find_handle(const Napi::CallbackInfo& info);
  /// Its descriptor.
  [[nodiscard]] NativeHandle handle(const Napi::CallbackInfo& info);
  /// The same; throws EOPNOTSUPP when it is not a datagram socket.
  [[nodiscard]] NativeHandle datagram_handle(const Napi::CallbackInfo& info, const char* syscall);

  std::shared_ptr<PortSession> session_;
  Napi::ObjectReference info_;
};

}  // namespace iocp
