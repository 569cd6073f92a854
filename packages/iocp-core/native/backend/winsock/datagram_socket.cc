#include "backend/net/datagram_socket.h"

#include "backend/net/os.h"
#include "backend/net/os_sockets.h"
#include "backend/winsock/error_reports.h"
#include "core/protocol.gen.h"

namespace iocp::net {

Status os::prepare_datagram(NativeHandle native, const DatagramSpec& spec) noexcept {
  if (spec.reuse_port) return SystemError{error_number::kEOPNOTSUPP, "setsockopt"};
  return write_option(native, SOL_SOCKET, spec.reuse_address ? SO_REUSEADDR : SO_EXCLUSIVEADDRUSE, 1);
}

Status os::prepare_other_peer(NativeHandle /*native*/) { return std::monostate{}; }

Status os::peer_changed(NativeHandle native) noexcept { return winsock::report_errors_of_peer(native); }

Status os::keep_port(NativeHandle /*native*/, const AddressBytes& /*before*/) { return std::monostate{}; }

Result<std::optional<DatagramError>> take_datagram_error(NativeHandle /*native*/) {
  return std::optional<DatagramError>();
}

std::int64_t dropped_datagrams(NativeHandle /*native*/) noexcept { return -1; }

}  // namespace iocp::net
