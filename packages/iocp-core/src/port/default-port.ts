/** The port that everything in a thread shares unless told otherwise. */

import { CompletionPort } from './completion-port.js';

const key = Symbol.for('@iocp/core.defaultPort');
const globals = globalThis as { [key]?: CompletionPort };

/**
 * The port of this thread, made at the first call, and anew after it was closed. It lives on `globalThis`, so that
 * the ESM and the CommonJS copy of this package share it.
 * @throws {IoError} `ERR_IOCP_NO_BACKEND`, see `CompletionPort`.
 */
export function defaultPort(): CompletionPort {
  const existing = globals[key];
  if (existing !== undefined && !existing.closed) return existing;
  const port = new CompletionPort();
  globals[key] = port;
  return port;
}
