#include "backend/winsock/error_table.h"

// Both winnt.h and ntstatus.h define some of the NTSTATUS values: the former is told to leave them out.
#define WIN32_NO_STATUS
#include <winsock2.h>
#include <winternl.h>
#undef WIN32_NO_STATUS
#include <ntstatus.h>

#include <algorithm>
#include <array>

#include "core/protocol.gen.h"

namespace iocp::winsock {
namespace {

using namespace error_number;

constexpr auto kWsaErrors = std::to_array<ErrorRow>({
    {ERROR_FILE_NOT_FOUND, kENOENT},
    {ERROR_PATH_NOT_FOUND, kENOENT},
    {ERROR_TOO_MANY_OPEN_FILES, kEMFILE},
    {ERROR_ACCESS_DENIED, kEACCES},
    {ERROR_INVALID_HANDLE, kEBADF},
    {ERROR_NOT_ENOUGH_MEMORY, kENOMEM},
    {ERROR_OUTOFMEMORY, kENOMEM},
    {ERROR_NOT_SUPPORTED, kEOPNOTSUPP},
    {ERROR_NETNAME_DELETED, kECONNRESET},
    {ERROR_INVALID_PARAMETER, kEINVAL},
    {ERROR_BROKEN_PIPE, kEPIPE},
    {ERROR_SEM_TIMEOUT, kETIMEDOUT},
    {ERROR_MAX_THRDS_REACHED, kEAGAIN},
    {ERROR_NO_DATA, kEPIPE},
    {ERROR_MORE_DATA, kEMSGSIZE},
    {WAIT_TIMEOUT, kETIMEDOUT},
    {ERROR_ABANDONED_WAIT_0, kECANCELED},
    {ERROR_OPERATION_ABORTED, kECANCELED},
    {ERROR_IO_PENDING, kEINPROGRESS},
    {ERROR_NOACCESS, kEFAULT},
    {ERROR_NOT_FOUND, kENOENT},
    {ERROR_CONNECTION_REFUSED, kECONNREFUSED},
    {ERROR_GRACEFUL_DISCONNECT, kEPIPE},
    {ERROR_ADDRESS_ALREADY_ASSOCIATED, kEADDRINUSE},
    {ERROR_CONNECTION_INVALID, kENOTCONN},
    {ERROR_NETWORK_UNREACHABLE, kENETUNREACH},
    {ERROR_HOST_UNREACHABLE, kEHOSTUNREACH},
    {ERROR_PROTOCOL_UNREACHABLE, kENETUNREACH},
    {ERROR_PORT_UNREACHABLE, kECONNREFUSED},
    {ERROR_REQUEST_ABORTED, kECANCELED},
    {ERROR_CONNECTION_ABORTED, kECONNRESET},
    {ERROR_HOST_DOWN, kEHOSTDOWN},
    {ERROR_PRIVILEGE_NOT_HELD, kEPERM},
    {ERROR_NO_SYSTEM_RESOURCES, kENOBUFS},
    {ERROR_WORKING_SET_QUOTA, kENOBUFS},
    {ERROR_COMMITMENT_LIMIT, kENOMEM},
    {ERROR_TIMEOUT, kETIMEDOUT},
    {WSAEINTR, kEINTR},
    {WSAEBADF, kEBADF},
    {WSAEACCES, kEACCES},
    {WSAEFAULT, kEFAULT},
    {WSAEINVAL, kEINVAL},
    {WSAEMFILE, kEMFILE},
    {WSAEWOULDBLOCK, kEAGAIN},
    {WSAEINPROGRESS, kEINPROGRESS},
    {WSAEALREADY, kEALREADY},
    {WSAENOTSOCK, kENOTSOCK},
    {WSAEDESTADDRREQ, kEDESTADDRREQ},
    {WSAEMSGSIZE, kEMSGSIZE},
    {WSAEPROTOTYPE, kEPROTOTYPE},
    {WSAENOPROTOOPT, kENOPROTOOPT},
    {WSAEPROTONOSUPPORT, kEPROTONOSUPPORT},
    {WSAESOCKTNOSUPPORT, kEPROTONOSUPPORT},
    {WSAEOPNOTSUPP, kEOPNOTSUPP},
    {WSAEPFNOSUPPORT, kEAFNOSUPPORT},
    {WSAEAFNOSUPPORT, kEAFNOSUPPORT},
    {WSAEADDRINUSE, kEADDRINUSE},
    {WSAEADDRNOTAVAIL, kEADDRNOTAVAIL},
    {WSAENETDOWN, kENETDOWN},
    {WSAENETUNREACH, kENETUNREACH},
    {WSAENETRESET, kENETRESET},
    {WSAECONNABORTED, kECONNRESET},
    {WSAECONNRESET, kECONNRESET},
    {WSAENOBUFS, kENOBUFS},
    {WSAEISCONN, kEISCONN},
    {WSAENOTCONN, kENOTCONN},
    {WSAESHUTDOWN, kEPIPE},
    {WSAETIMEDOUT, kETIMEDOUT},
    {WSAECONNREFUSED, kECONNREFUSED},
    {WSAENAMETOOLONG, kENAMETOOLONG},
    {WSAEHOSTDOWN, kEHOSTDOWN},
    {WSAEHOSTUNREACH, kEHOSTUNREACH},
    {WSAEPROCLIM, kEAGAIN},
    {WSASYSNOTREADY, kENETDOWN},
    {WSAVERNOTSUPPORTED, kENOSYS},
    {WSAEDISCON, kEPIPE},
    {WSAECANCELLED, kECANCELED},
    {WSA_E_CANCELLED, kECANCELED},
});

/// ntstatus.h gives them a signed type.
constexpr ErrorRow row(NTSTATUS status, std::int32_t ours) noexcept {
  return {static_cast<std::uint32_t>(status), ours};
}

constexpr std::array kNtstatusErrors = {
    row(STATUS_TIMEOUT, kETIMEDOUT),
    row(STATUS_PENDING, kEINPROGRESS),
    row(STATUS_BUFFER_OVERFLOW, kEMSGSIZE),  // a datagram that was longer than the buffer
    row(STATUS_NOT_IMPLEMENTED, kEOPNOTSUPP),
    row(STATUS_ACCESS_VIOLATION, kEFAULT),
    row(STATUS_INVALID_HANDLE, kEBADF),
    row(STATUS_INVALID_PARAMETER, kEINVAL),
    row(STATUS_NO_SUCH_DEVICE, kENETDOWN),
    row(STATUS_NO_SUCH_FILE, kENOENT),
    row(STATUS_INVALID_DEVICE_REQUEST, kEOPNOTSUPP),
    row(STATUS_NO_MEMORY, kENOMEM),
    row(STATUS_ACCESS_DENIED, kEACCES),
    row(STATUS_BUFFER_TOO_SMALL, kEFAULT),
    row(STATUS_OBJECT_TYPE_MISMATCH, kENOTSOCK),
    row(STATUS_OBJECT_NAME_NOT_FOUND, kENOENT),
    row(STATUS_OBJECT_PATH_NOT_FOUND, kENOENT),
    row(STATUS_SHARING_VIOLATION, kEADDRINUSE),
    row(STATUS_QUOTA_EXCEEDED, kENOBUFS),
    row(STATUS_INSUFFICIENT_RESOURCES, kENOBUFS),
    row(STATUS_WORKING_SET_QUOTA, kENOBUFS),
    row(STATUS_DEVICE_NOT_READY, kEAGAIN),
    row(STATUS_PIPE_DISCONNECTED, kEPIPE),
    row(STATUS_IO_TIMEOUT, kETIMEDOUT),
    row(STATUS_NOT_SUPPORTED, kEOPNOTSUPP),
    row(STATUS_REMOTE_NOT_LISTENING, kECONNREFUSED),
    row(STATUS_BAD_NETWORK_PATH, kENETUNREACH),
    row(STATUS_NETWORK_BUSY, kENETDOWN),
    row(STATUS_INVALID_NETWORK_RESPONSE, kENETDOWN),
    row(STATUS_UNEXPECTED_NETWORK_ERROR, kENETDOWN),
    row(STATUS_REQUEST_NOT_ACCEPTED, kEAGAIN),
    row(STATUS_TOO_MANY_OPENED_FILES, kEMFILE),
    row(STATUS_CANCELLED, kECANCELED),
    row(STATUS_COMMITMENT_LIMIT, kENOMEM),
    row(STATUS_LOCAL_DISCONNECT, kECONNRESET),
    row(STATUS_REMOTE_DISCONNECT, kECONNRESET),
    row(STATUS_REMOTE_RESOURCES, kENOBUFS),
    row(STATUS_LINK_FAILED, kECONNRESET),
    row(STATUS_LINK_TIMEOUT, kETIMEDOUT),
    row(STATUS_INVALID_CONNECTION, kENOTCONN),
    row(STATUS_INVALID_ADDRESS, kEADDRNOTAVAIL),
    row(STATUS_INVALID_BUFFER_SIZE, kEMSGSIZE),
    row(STATUS_INVALID_ADDRESS_COMPONENT, kEADDRNOTAVAIL),
    row(STATUS_TOO_MANY_ADDRESSES, kEADDRINUSE),
    row(STATUS_ADDRESS_ALREADY_EXISTS, kEADDRINUSE),
    row(STATUS_CONNECTION_DISCONNECTED, kECONNRESET),
    row(STATUS_CONNECTION_RESET, kECONNRESET),
    row(STATUS_TRANSACTION_ABORTED, kECONNRESET),
    row(STATUS_CONNECTION_REFUSED, kECONNREFUSED),
    row(STATUS_GRACEFUL_DISCONNECT, kEPIPE),
    row(STATUS_ADDRESS_ALREADY_ASSOCIATED, kEADDRINUSE),
    row(STATUS_CONNECTION_INVALID, kENOTCONN),
    row(STATUS_NETWORK_UNREACHABLE, kENETUNREACH),
    row(STATUS_HOST_UNREACHABLE, kEHOSTUNREACH),
    row(STATUS_PROTOCOL_UNREACHABLE, kENETUNREACH),
    row(STATUS_PORT_UNREACHABLE, kECONNREFUSED),
    row(STATUS_REQUEST_ABORTED, kECANCELED),
    row(STATUS_CONNECTION_ABORTED, kECONNRESET),
    row(STATUS_HOST_DOWN, kEHOSTDOWN),
    row(STATUS_HOPLIMIT_EXCEEDED, kEHOSTUNREACH),
};

/// Nothing twice, and sorted for the search.
constexpr bool strictly_ascending(std::span<const ErrorRow> rows) noexcept {
  return std::ranges::adjacent_find(rows, std::ranges::greater_equal{}, &ErrorRow::system) == rows.end();
}

static_assert(strictly_ascending(kWsaErrors));
static_assert(strictly_ascending(kNtstatusErrors));

std::int32_t look_up(std::span<const ErrorRow> rows, std::uint32_t system) noexcept {
  if (system == 0) return 0;
  const auto found = std::ranges::lower_bound(rows, system, {}, &ErrorRow::system);
  return found != rows.end() && found->system == system ? found->ours : kEIO;
}

}  // namespace

std::int32_t from_wsa(int error) noexcept { return look_up(kWsaErrors, static_cast<std::uint32_t>(error)); }

std::int32_t from_ntstatus(std::int32_t status) noexcept {
  const auto number = static_cast<std::uint32_t>(status);
  constexpr std::uint32_t kCodeBits = 0xFFFF;
  constexpr std::uint32_t kWrappedWin32 = 0xC0070000;  // an error of FACILITY_NTWIN32
  if ((number & ~kCodeBits) == kWrappedWin32) return look_up(kWsaErrors, number & kCodeBits);
  return look_up(kNtstatusErrors, number);
}

std::span<const ErrorRow> wsa_errors() noexcept { return kWsaErrors; }
std::span<const ErrorRow> ntstatus_errors() noexcept { return kNtstatusErrors; }

}  // namespace iocp::winsock
