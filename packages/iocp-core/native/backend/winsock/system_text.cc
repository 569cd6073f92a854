#include "backend/net/system_text.h"

#include <windows.h>
#include <winternl.h>

namespace iocp::net {

std::string kernel_release() {
  // GetVersionEx answers with the version that the manifest of the program was written for. RtlGetVersion does not, and
  // no import library has it.
  using RtlGetVersion = NTSTATUS(WINAPI*)(OSVERSIONINFOW*);
  const HMODULE ntdll = ::GetModuleHandleW(L"ntdll.dll");
  const FARPROC found = ntdll == nullptr ? nullptr : ::GetProcAddress(ntdll, "RtlGetVersion");
  OSVERSIONINFOW version{};
  version.dwOSVersionInfoSize = sizeof version;
  if (found == nullptr || reinterpret_cast<RtlGetVersion>(reinterpret_cast<void*>(found))(&version) != 0) {
    return "unknown";
  }
  return std::to_string(version.dwMajorVersion) + '.' + std::to_string(version.dwMinorVersion) + '.' +
         std::to_string(version.dwBuildNumber);
}

}  // namespace iocp::net
