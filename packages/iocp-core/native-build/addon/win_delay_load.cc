#include <windows.h>

// After windows.h, whose types it uses.
#include <delayimp.h>

#include <initializer_list>

namespace {

/// What is called besides the Node-API.
constexpr std::initializer_list<const char*> kSymbols = {
#include "node_symbols.inc"
};

/// The module of this process that holds Node.js: the program itself, whatever its name, or the library in a program
/// that embeds Node.js. Null when there is none.
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

bool exports_all(HMODULE node) noexcept {
  for (const char* symbol : kSymbols) {
    if (GetProcAddress(node, symbol) == nullptr) return false;
  }
  return true;
}

}  // namespace

/// Asked by the linker's delay loading before it loads node.exe by name, which would start a second copy of it or fail.
decltype(__pfnDliNotifyHook2) __pfnDliNotifyHook2 = use_running_node;

/// A symbol that the program does not export would end it when it is first called; this way the addon does not load.
BOOL WINAPI DllMain(HINSTANCE /*self*/, DWORD reason, LPVOID /*reserved*/) {
  if (reason != DLL_PROCESS_ATTACH) return TRUE;
  const HMODULE node = find_node();
  return node != nullptr && exports_all(node) ? TRUE : FALSE;
}
