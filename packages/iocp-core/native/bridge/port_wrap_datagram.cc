#include <optional>
#include <utility>

#include "backend/net/datagram_socket.h"
#include "backend/net/membership.h"
#include "bridge/errors.h"
#include "bridge/port_options.h"
#include "bridge/port_wrap.h"

// The methods of `Port` that are for datagram sockets.
namespace iocp {

NativeHandle PortWrap::datagram_handle(const Napi::CallbackInfo& info, const char* syscall) {
  const Handle& handle = find_handle(info);
  if (handle.kind == SocketKind::Stream) throw system_error(info.Env(), error_number::kEOPNOTSUPP, syscall);
  return handle.native;
}

Napi::Value PortWrap::open_datagram(const Napi::CallbackInfo& info) {
  const net::DatagramSpec spec = read_datagram_options(info[0].As<Napi::Object>());
  net::Result<net::OwnedSocket> opened = net::open_datagram(spec);
  if (!opened) throw system_error(info.Env(), opened.error());
  const SocketKind kind =
      spec.family == net::Family::Ipv6 ? SocketKind::DatagramIpv6 : SocketKind::DatagramIpv4;
  return adopt(info.Env(), std::move(opened).value(), nullptr, kind);
}

void PortWrap::connect_datagram(const Napi::CallbackInfo& info) {
  const NativeHandle native = datagram_handle(info, "connect");
  const net::Status status = info[2].IsNull()
                                 ? net::disconnect_datagram(native)
                                 : net::connect_datagram(native, read_endpoint(info[2].As<Napi::Object>()));
  if (!status) throw system_error(info.Env(), status.error());
}

void PortWrap::change_membership(const Napi::CallbackInfo& info) {
  const NativeHandle native = datagram_handle(info, "setsockopt");
  const net::Status status = net::change_membership(native, read_membership(info[2].As<Napi::Object>()));
  if (!status) throw system_error(info.Env(), status.error());
}

Napi::Value PortWrap::take_datagram_error(const Napi::CallbackInfo& info) {
  const net::Result<std::optional<net::DatagramError>> taken =
      net::take_datagram_error(datagram_handle(info, "recvmsg"));
  if (!taken) throw system_error(info.Env(), taken.error());
  const Napi::Env env = info.Env();
  if (!taken.value()) return env.Null();
  const net::DatagramError& error = *taken.value();
  Napi::Object result = Napi::Object::New(env);
  result.Set("errno", Napi::Number::New(env, error.error));
  result.Set("address", error.destination.host);
  result.Set("port", Napi::Number::New(env, error.destination.port));
  if (error.offender) result.Set("offender", error.offender->host);
  return result;
}

Napi::Value PortWrap::dropped_datagrams(const Napi::CallbackInfo& info) {
  const std::int64_t count = net::dropped_datagrams(datagram_handle(info, "getsockopt"));
  return Napi::Number::New(info.Env(), static_cast<double>(count));
}

}  // namespace iocp
