/** From the errors of `node:net` to the error numbers of the rings. */

import type { NativeError } from '../../port/binding.js';
import { ERRORS } from '../../protocol.gen.js';

const numbers: ReadonlyMap<string, number> = new Map([...ERRORS].map(([number, [code]]) => [code, number]));

/** Names that libuv or the streams of Node.js use where the system says something else. */
const otherNames: Readonly<Record<string, string>> = {
  ENOTSUP: 'EOPNOTSUPP',
  ERR_STREAM_DESTROYED: 'EPIPE',
  ERR_STREAM_WRITE_AFTER_END: 'EPIPE',
  ERR_STREAM_PREMATURE_CLOSE: 'ECONNRESET',
  ERR_SOCKET_CLOSED: 'ECONNRESET',
  ERR_ACCESS_DENIED: 'EACCES',
};

/** The positive number of a POSIX code that the ERRORS table has; EIO when it does not. */
export function errorNumber(code: string): number {
  return numbers.get(otherNames[code] ?? code) ?? (numbers.get('EIO') as number);
}

/** The negative result of an operation that `node:net` ended with this error. */
export function resultOf(error: unknown): number {
  const { code } = error as { code?: unknown };
  return -errorNumber(typeof code === 'string' ? code : 'EIO');
}

/** An error as drivers throw it. */
export function nativeError(code: string, syscall: string): NativeError {
  return Object.assign(new Error(`${syscall} ${code}`), { errno: errorNumber(code), syscall });
}

/** Results that are told without `node:net`. */
export const Failed = {
  BAD_HANDLE: -errorNumber('EBADF'),
  FAULT: -errorNumber('EFAULT'),
  INVALID: -errorNumber('EINVAL'),
  BROKEN_PIPE: -errorNumber('EPIPE'),
  NO_DESTINATION: -errorNumber('EDESTADDRREQ'),
  ABORTED: -errorNumber('ECONNABORTED'),
  RESET: -errorNumber('ECONNRESET'),
  CONNECTED: -errorNumber('EISCONN'),
  NOT_CONNECTED: -errorNumber('ENOTCONN'),
  ALREADY: -errorNumber('EALREADY'),
  CANCELED: -errorNumber('ECANCELED'),
} as const;
