// bcryptprimitives.dll for a Wine that has none: the bundlers below vitest import ProcessPrng from it.
#include <windows.h>

// Random bytes from the system; advapi32 exports RtlGenRandom under this name.
BOOLEAN NTAPI SystemFunction036(PVOID bytes, ULONG length);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE bytes, SIZE_T length) {
  const ULONG piece_max = 1u << 30;
  while (length > 0) {
    const ULONG piece = length > piece_max ? piece_max : (ULONG)length;
    if (!SystemFunction036(bytes, piece)) return FALSE;
    bytes += piece;
    length -= piece;
  }
  return TRUE;
}
