#include <windows.h>

// After windows.h, whose types it uses.
#include <delayimp.h>

#include <initializer_list>

namespace {

/// The module of this process that holds Node.js: the program itself, whatever its name, or the library in a program
/// that embeds Node.js. Null when there is none; the call that asked for it then fails as for any missing library.
HMODULE find_node() noexcept {
  for (const char* name : {static_cast<const char*>(nullptr), "libnode.dll", "node.dll"}) {
    const HMODULE module = GetModuleHandleA(name);
    if (module != nullptr && GetProcAddress(module, "napi_create_function") != nullptr) return module;
  }
  return nullptr;
}

FARPROC WINAPI use_running_node(unsigned event, PDelayLoadInfo info) {
  if (event != dliNotePreLoadLibrary || lstrcmpiA(info->szDll, "node.exe") != 0) return nullptr;
  return reinterpret_cast<FARPROC>(find_node());
}

}  // namespace

/// Asked by the linker's delay loading before it loads node.exe by name, which would start a second copy of it or fail.
decltype(__pfnDliNotifyHook2) __pfnDliNotifyHook2 = use_running_node;
