import { CompletionPort } from '@iocp/core';

const key = Symbol.for('@iocp/udp.datagramPort');
const globals = globalThis as { [key]?: CompletionPort };

/** Room for every datagram that UDP can carry, and for several that the system has joined, behind the header. */
const slotBytes = 128 * 1024;
const maxSlots = 1024;

/**
 * The port of this thread that UDP sockets share unless told otherwise, made at the first call, and anew after it was
 * closed. Its slots hold every datagram whole; what of them is not touched takes no memory. It lives on `globalThis`,
 * so that the ESM and the CommonJS copy of this package share it.
 * @throws {IoError} `ERR_IOCP_NO_BACKEND`, see `CompletionPort`.
 */
export function datagramPort(): CompletionPort {
  const existing = globals[key];
  if (existing !== undefined && !existing.closed) return existing;
  const port = new CompletionPort({ pool: { slotBytes, maxSlots } });
  globals[key] = port;
  return port;
}
