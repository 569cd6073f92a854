#include "bridge/port_wrap.h"

#include <string>
#include <utility>

#include "backend/net/socket_factory.h"
#include "backend/net/socket_options.h"
#include "backend/net/system_text.h"
#include "bridge/errors.h"
#include "bridge/port_options.h"
#include "bridge/port_session.h"

namespace iocp {

namespace {

Napi::Object handle_object(Napi::Env env, HandleRef reference) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("index", Napi::Number::New(env, reference.index));
  result.Set("generation", Napi::Number::New(env, reference.generation));
  return result;
}

HandleRef handle_ref(const Napi::CallbackInfo& info) {
  return {info[0].As<Napi::Number>().Uint32Value(), info[1].As<Napi::Number>().Uint32Value()};
}

}  // namespace

Napi::Function PortWrap::define(Napi::Env env) {
  return DefineClass(env, "Port",
                     {
                         InstanceAccessor<&PortWrap::get_info>("info"),
                         InstanceMethod<&PortWrap::flush>("flush"),
                         InstanceMethod<&PortWrap::listen>("listen"),
                         InstanceMethod<&PortWrap::open>("open"),
                         InstanceMethod<&PortWrap::open_datagram>("openDatagram"),
                         InstanceMethod<&PortWrap::connect_datagram>("connectDatagram"),
                         InstanceMethod<&PortWrap::change_membership>("changeMembership"),
                         InstanceMethod<&PortWrap::take_datagram_error>("takeDatagramError"),
                         InstanceMethod<&PortWrap::dropped_datagrams>("droppedDatagrams"),
                         InstanceMethod<&PortWrap::associate>("associate"),
                         InstanceMethod<&PortWrap::address>("address"),
                         InstanceMethod<&PortWrap::get_option>("getOption"),
                         InstanceMethod<&PortWrap::set_option>("setOption"),
                         InstanceMethod<&PortWrap::tcp_info>("tcpInfo"),
                         InstanceMethod<&PortWrap::descriptor>("descriptor"),
                         InstanceMethod<&PortWrap::pin>("pin"),
                         InstanceMethod<&PortWrap::ref>("ref"),
                         InstanceMethod<&PortWrap::unref>("unref"),
                         InstanceMethod<&PortWrap::stats>("stats"),
                         InstanceMethod<&PortWrap::mailbox>("mailbox"),
                         InstanceMethod<&PortWrap::close_mailbox>("closeMailbox"),
                         InstanceMethod<&PortWrap::close>("close"),
                     });
}

PortWrap::PortWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<PortWrap>(info) {
  const Napi::Env env = info.Env();
  session_ = PortSession::make(env, info[0].As<Napi::Object>());
  Napi::Object facts = Napi::Object::New(env);
  Driver& driver = session_->rings().engine().driver();
  facts.Set("backend", driver.name());
  facts.Set("kernel", net::kernel_release());
  const std::vector<std::string> names = driver.features();
  Napi::Array features = Napi::Array::New(env, names.size());
  for (std::uint32_t i = 0; i < names.size(); ++i) features.Set(i, names[i]);
  facts.Set("features", features);
  facts.Set("rejected", rejected_backends(env, session_->rejected()));
  facts.Set("poolBase", Napi::Number::New(env, static_cast<double>(session_->pool_base())));
  facts.Set("entries", Napi::Number::New(env, session_->entries()));
  info_ = Napi::Persistent(facts);
}

Engine& PortWrap::engine(Napi::Env env) {
  if (!session_->open()) throw system_error(env, error_number::kECANCELED, "port");
  return session_->rings().engine();
}

const Handle& PortWrap::find_handle(const Napi::CallbackInfo& info) {
  const Handle* handle = engine(info.Env()).find(handle_ref(info));
  if (handle == nullptr) throw system_error(info.Env(), error_number::kEBADF, "handle");
  return *handle;
}

NativeHandle PortWrap::handle(const Napi::CallbackInfo& info) { return find_handle(info).native; }

Napi::Value PortWrap::get_info(const Napi::CallbackInfo& /*info*/) { return info_.Value(); }

void PortWrap::flush(const Napi::CallbackInfo& /*info*/) {
  if (session_->open()) session_->rings().drain();
}

Napi::Value PortWrap::adopt(Napi::Env env, net::OwnedSocket socket, std::unique_ptr<AddressBytes> remote,
                            SocketKind kind) {
  HandleRef reference;
  const std::int32_t error = engine(env).adopt(socket.native(), std::move(remote), reference, kind);
  if (error != 0) throw system_error(env, -error, "attach");
  static_cast<void>(socket.release());
  return handle_object(env, reference);
}

Napi::Value PortWrap::listen(const Napi::CallbackInfo& info) {
  net::Result<net::OwnedSocket> opened = net::open_listener(read_listen_options(info[0].As<Napi::Object>()));
  if (!opened) throw system_error(info.Env(), opened.error());
  return adopt(info.Env(), std::move(opened).value(), nullptr);
}

Napi::Value PortWrap::open(const Napi::CallbackInfo& info) {
  net::Result<net::OpenedSocket> opened = net::open_socket(read_open_options(info[0].As<Napi::Object>()));
  if (!opened) throw system_error(info.Env(), opened.error());
  net::OpenedSocket socket = std::move(opened).value();
  return adopt(info.Env(), std::move(socket.socket), std::move(socket.remote));
}

Napi::Value PortWrap::associate(const Napi::CallbackInfo& info) {
  const NativeHandle number = info[0].As<Napi::Number>().Int64Value();
  const net::Status status = net::check_stream_socket(number);
  if (!status) throw system_error(info.Env(), status.error());
  HandleRef reference;
  const std::int32_t error = engine(info.Env()).adopt(number, nullptr, reference);
  if (error != 0) throw system_error(info.Env(), -error, "attach");
  return handle_object(info.Env(), reference);
}

Napi::Value PortWrap::address(const Napi::CallbackInfo& info) {
  const NativeHandle native = handle(info);
  const bool peer = info[2].ToBoolean().Value();
  const net::Result<AddressBytes> bytes = peer ? net::peer_address(native) : net::local_address(native);
  if (!bytes) {
    const std::int32_t error = bytes.error().error;
    if (error == error_number::kENOTCONN || error == error_number::kEINVAL) return info.Env().Null();
    throw system_error(info.Env(), bytes.error());
  }
  const net::Result<net::SocketAddress> address = net::from_bytes(bytes.value());
  if (!address) return info.Env().Null();
  return address_value(info.Env(), address.value());
}

Napi::Value PortWrap::get_option(const Napi::CallbackInfo& info) {
  const net::Result<net::OptionValue> value =
      net::get_option(handle(info), info[2].As<Napi::String>().Utf8Value());
  if (!value) throw system_error(info.Env(), value.error());
  return option_value(info.Env(), value.value());
}

void PortWrap::set_option(const Napi::CallbackInfo& info) {
  const net::Status status =
      net::set_option(handle(info), info[2].As<Napi::String>().Utf8Value(), read_option_value(info[3]));
  if (!status) throw system_error(info.Env(), status.error());
}

Napi::Value PortWrap::tcp_info(const Napi::CallbackInfo& info) {
  const Handle& handle = find_handle(info);
  if (handle.kind != SocketKind::Stream) {
    throw system_error(info.Env(), error_number::kEOPNOTSUPP, "getsockopt");
  }
  const net::Result<std::vector<net::NamedNumber>> facts = net::tcp_info(handle.native);
  if (!facts) throw system_error(info.Env(), facts.error());
  Napi::Object result = Napi::Object::New(info.Env());
  for (const auto& [name, number] : facts.value()) result.Set(name, Napi::Number::New(info.Env(), number));
  return result;
}

Napi::Value PortWrap::descriptor(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(handle(info)));
}

Napi::Value PortWrap::pin(const Napi::CallbackInfo& info) {
  auto bytes = info[0].As<Napi::Uint8Array>();
  auto* memory = reinterpret_cast<std::byte*>(bytes.Data());
  return Napi::Number::New(info.Env(), engine(info.Env()).pin(memory, bytes.ByteLength()));
}

void PortWrap::ref(const Napi::CallbackInfo& /*info*/) {
  if (session_->open()) session_->watcher().ref();
}

void PortWrap::unref(const Napi::CallbackInfo& /*info*/) {
  if (session_->open()) session_->watcher().unref();
}

Napi::Value PortWrap::stats(const Napi::CallbackInfo& info) {
  const Engine& source = engine(info.Env());
  const EngineStats stats = source.stats();
  const DriverStats driver = session_->rings().engine().driver().stats();
  Napi::Object result = Napi::Object::New(info.Env());
  const auto set = [&](const char* name, double value) {
    result.Set(name, Napi::Number::New(info.Env(), value));
  };
  set("operationsInFlight", stats.operations);
  set("handlesOpen", stats.handles);
  set("parked", stats.parked);
  set("pins", stats.pins);
  set("kernelSlots", stats.kernel_slots);
  set("submissions", static_cast<double>(stats.submissions));
  set("completions", static_cast<double>(stats.completions));
  set("rejected", static_cast<double>(stats.rejected));
  set("shortSends", static_cast<double>(stats.short_sends));
  set("parkings", static_cast<double>(stats.parkings));
  set("systemCalls", static_cast<double>(driver.system_calls));
  set("overflows", static_cast<double>(driver.overflows));
  return result;
}

Napi::Value PortWrap::mailbox(const Napi::CallbackInfo& info) {
  static_cast<void>(engine(info.Env()));
  const HandleRef token = handle_ref(info);
  return Napi::Number::New(info.Env(),
                           static_cast<double>(session_->open_mailbox(token.index, token.generation)));
}

void PortWrap::close_mailbox(const Napi::CallbackInfo& info) {
  session_->close_mailbox(static_cast<std::uint64_t>(info[0].As<Napi::Number>().Int64Value()));
}

void PortWrap::close(const Napi::CallbackInfo& /*info*/) { session_->close(true); }

}  // namespace iocp
