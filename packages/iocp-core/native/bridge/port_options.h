#pragma once

#include "backend/net/datagram_socket.h"
#include "backend/net/membership.h"
#include "backend/net/socket_factory.h"
#include "backend/select/select.h"
#include "backend/sim/fault_plan.h"
#include "bridge/node_api.h"

namespace iocp {

/// The members of the option objects that JavaScript passes (`src/port/binding.ts`). JavaScript has validated them for
/// its users; here a wrong type throws a TypeError.
struct PortOptions {
  BackendChoice backend = BackendChoice::Auto;
  std::uint32_t entries = 0;
  std::uint32_t slot_bytes = 0;
  std::uint32_t slots = 0;
  bool with_faults = false;
  FaultPlan faults;
};

[[nodiscard]] PortOptions read_port_options(const Napi::Object& options);
[[nodiscard]] net::ListenSpec read_listen_options(const Napi::Object& options);
[[nodiscard]] net::OpenSpec read_open_options(const Napi::Object& options);
[[nodiscard]] net::DatagramSpec read_datagram_options(const Napi::Object& options);
[[nodiscard]] net::MembershipChange read_membership(const Napi::Object& membership);
/// `{host, port}` or `{path}`.
[[nodiscard]] net::Endpoint read_endpoint(const Napi::Object& object);
[[nodiscard]] net::OptionValue read_option_value(const Napi::Value& value);
[[nodiscard]] Napi::Value option_value(Napi::Env env, const net::OptionValue& value);
[[nodiscard]] Napi::Value address_value(Napi::Env env, const net::SocketAddress& address);

}  // namespace iocp
