#pragma once

#include <cstdint>
#include <span>

namespace iocp::winsock {

/// One error of the system and what it is in our numbers (`error_number`).
struct ErrorRow {
  std::uint32_t system;
  std::int32_t ours;
};

/// Our number (positive) for what WSAGetLastError or GetLastError say; 0 for 0. A number that is not in the table is
/// EIO: something went wrong that no caller can tell apart.
///
/// Where Windows and Linux have different words for the same event, the word of Linux is used. A connection that the
/// own stack gave up (WSAECONNABORTED) is ECONNRESET: Linux knows no other end of a connection before its time.
[[nodiscard]] std::int32_t from_wsa(int error) noexcept;

/// Our number (positive) for an NTSTATUS, as completed operations carry it in `OVERLAPPED::Internal`; 0 for success.
/// A Win32 error inside an NTSTATUS is unwrapped; what is in neither table is EIO.
[[nodiscard]] std::int32_t from_ntstatus(std::int32_t status) noexcept;

/// The tables, in ascending order of the system's numbers.
[[nodiscard]] std::span<const ErrorRow> wsa_errors() noexcept;
[[nodiscard]] std::span<const ErrorRow> ntstatus_errors() noexcept;

}  // namespace iocp::winsock
