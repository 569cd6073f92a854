/// Keeps a binary made on a new Linux loadable on the oldest one that Node.js supports: what newer C and C++ libraries
/// would be asked for, and older ones do not have, is defined here and seen by this binary alone.
/// scripts/build-prebuilds.mjs fails when a symbol newer than those of Node.js itself is left.

#include <cxxabi.h>

#if defined(__GLIBC__) && defined(__GLIBCXX__)

#define IOCP_THIS_BINARY_ONLY __attribute__((visibility("hidden")))

/// glibc 2.32. Whether the process has one thread only, in which shared_ptr may count without atomics. It has more.
extern "C" IOCP_THIS_BINARY_ONLY char __libc_single_threaded;
char __libc_single_threaded = 0;

namespace std {

/// libstdc++ of GCC 11. Called by containers asked for more elements than fit into the address space.
IOCP_THIS_BINARY_ONLY void __throw_bad_array_new_length() { abi::__cxa_throw_bad_array_new_length(); }

}  // namespace std

#endif
