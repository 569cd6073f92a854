#include "bridge/port_options.h"

#include <string>

namespace iocp {

namespace {

std::uint32_t read_uint32(const Napi::Object& object, const char* name) {
  return object.Get(name).As<Napi::Number>().Uint32Value();
}

double read_number(const Napi::Object& object, const char* name, double fallback) {
  const Napi::Value value = object.Get(name);
  return value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : fallback;
}

bool read_flag(const Napi::Object& object, const char* name) { return object.Get(name).ToBoolean().Value(); }

/// Empty when there is none.
std::string read_text(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  return value.IsString() ? value.As<Napi::String>().Utf8Value() : std::string();
}

std::vector<net::NamedOption> read_socket_options(const Napi::Object& object) {
  std::vector<net::NamedOption> result;
  const Napi::Value options = object.Get("options");
  if (!options.IsObject()) return result;
  const auto table = options.As<Napi::Object>();
  const Napi::Array names = table.GetPropertyNames();
  for (std::uint32_t i = 0; i < names.Length(); ++i) {
    const std::string name = names.Get(i).As<Napi::String>().Utf8Value();
    result.push_back({name, read_option_value(table.Get(name))});
  }
  return result;
}

}  // namespace

PortOptions read_port_options(const Napi::Object& options) {
  PortOptions result;
  const std::string backend = options.Get("backend").As<Napi::String>().Utf8Value();
  if (backend == "io_uring") result.backend = BackendChoice::Uring;
  if (backend == "epoll") result.backend = BackendChoice::Epoll;
  if (backend == "iocp") result.backend = BackendChoice::Iocp;
  result.entries = read_uint32(options, "entries");
  result.slot_bytes = read_uint32(options, "slotBytes");
  result.slots = read_uint32(options, "slots");
  if (const Napi::Value faults = options.Get("faults"); faults.IsObject()) {
    const auto plan = faults.As<Napi::Object>();
    result.with_faults = true;
    result.faults.seed = static_cast<std::uint64_t>(read_number(plan, "seed", 1));
    result.faults.short_send = read_number(plan, "shortSend", 0);
    result.faults.short_recv = read_number(plan, "shortRecv", 0);
    result.faults.reset = read_number(plan, "reset", 0);
    result.faults.no_buffers = read_number(plan, "noBuffers", 0);
    result.faults.emfile = read_number(plan, "emfile", 0);
    result.faults.delay = read_number(plan, "delay", 0);
  }
  return result;
}

net::ListenSpec read_listen_options(const Napi::Object& options) {
  net::ListenSpec spec;
  spec.local = read_endpoint(options);
  spec.backlog = options.Get("backlog").As<Napi::Number>().Int32Value();
  spec.ipv6_only = read_flag(options, "ipv6Only");
  spec.reuse_port = read_flag(options, "reusePort");
  spec.reuse_address = read_flag(options, "reuseAddress");
  spec.options = read_socket_options(options);
  return spec;
}

net::OpenSpec read_open_options(const Napi::Object& options) {
  net::OpenSpec spec;
  spec.remote = read_endpoint(options.Get("remote").As<Napi::Object>());
  if (const Napi::Value local = options.Get("local"); local.IsObject()) {
    spec.local = read_endpoint(local.As<Napi::Object>());
  }
  spec.options = read_socket_options(options);
  return spec;
}

net::DatagramSpec read_datagram_options(const Napi::Object& options) {
  net::DatagramSpec spec;
  spec.family = read_text(options, "family") == "ipv6" ? net::Family::Ipv6 : net::Family::Ipv4;
  spec.local = read_endpoint(options.Get("local").As<Napi::Object>());
  if (const Napi::Value remote = options.Get("remote"); remote.IsObject()) {
    spec.remote = read_endpoint(remote.As<Napi::Object>());
  }
  spec.ipv6_only = read_flag(options, "ipv6Only");
  spec.reuse_address = read_flag(options, "reuseAddress");
  spec.reuse_port = read_flag(options, "reusePort");
  spec.options = read_socket_options(options);
  return spec;
}

net::MembershipChange read_membership(const Napi::Object& membership) {
  net::MembershipChange change;
  change.join = read_text(membership, "action") == "join";
  change.group = read_text(membership, "group");
  change.source = read_text(membership, "source");
  change.interface_text = read_text(membership, "interface");
  return change;
}

net::Endpoint read_endpoint(const Napi::Object& object) {
  return {read_text(object, "host"), static_cast<std::uint16_t>(read_number(object, "port", 0)),
          read_text(object, "path")};
}

net::OptionValue read_option_value(const Napi::Value& value) {
  if (value.IsString()) return value.As<Napi::String>().Utf8Value();
  return value.As<Napi::Number>().Int32Value();
}

Napi::Value option_value(Napi::Env env, const net::OptionValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return Napi::String::New(env, *text);
  return Napi::Number::New(env, *std::get_if<std::int32_t>(&value));
}

Napi::Value address_value(Napi::Env env, const net::SocketAddress& address) {
  Napi::Object result = Napi::Object::New(env);
  const bool is_unix = address.family == net::Family::Unix;
  const char* family = is_unix ? "unix" : address.family == net::Family::Ipv6 ? "IPv6" : "IPv4";
  result.Set("family", family);
  result.Set("address", is_unix ? address.path : address.host);
  result.Set("port", Napi::Number::New(env, address.port));
  if (address.scope_id != 0) result.Set("scopeId", Napi::Number::New(env, address.scope_id));
  return result;
}

}  // namespace iocp
