/** From the errors of `node:net` and `node:dgram` to the error numbers of the rings. */

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
  ERR_SOCKET_BAD_PORT: 'EINVAL',
  ERR_SOCKET_DGRAM_IS_CONNECTED: 'EISCONN',
  ERR_SOCKET_DGRAM_NOT_CONNECTED: 'ENOTCONN',
  ERR_SOCKET_DGRAM_NOT_RUNNING: 'EBADF',
};

/** The positive number of a POSIX code that the ERRORS table has; EIO when it does not. */
export function errorNumber(code: string): number {
  return numbers.get(otherNames[code] ?? code) ?? (numbers.get('EIO') as number);
}

/** The negative result of an operation that Node.js ended with this error. */
export function resultOf(error: unknown): number {
  const { code } = error as { code?: unknown };
  return -errorNumber(typeof code === 'string' ? code : 'EIO');
}

/** An error as drivers throw it. */
export function nativeError(code: string, syscall: string): NativeError {
  return Object.assign(new Error(`${syscall} ${code}`), { errno: errorNumber(code), syscall });
}

/** What Node.js threw or told, as an error as drivers throw it. */
export function asNativeError(error: unknown, syscall: string): NativeError {
  // The sizes of buffers have errors of their own, with that of the system inside.
  const { info = error } = error as { info?: unknown };
  const { code } = info as { code?: unknown };
  return Object.assign(nativeError(typeof code === 'string' ? code : 'EIO', syscall), { cause: error });
}

/** Results that are told without Node.js. */
export const Failed = {
  BAD_HANDLE: -errorNumber('EBADF'),
  FAULT: -errorNumber('EFAULT'),
  INVALID: -errorNumber('EINVAL'),
  BROKEN_PIPE: -errorNumber('EPIPE'),
  NO_DESTINATION: -errorNumber('EDESTADDRREQ'),
  NOT_SUPPORTED: -errorNumber('EOPNOTSUPP'),
  WRONG_FAMILY: -errorNumber('EAFNOSUPPORT'),
  ABORTED: -errorNumber('ECONNABORTED'),
  RESET: -errorNumber('ECONNRESET'),
  CONNECTED: -errorNumber('EISCONN'),
  NOT_CONNECTED: -errorNumber('ENOTCONN'),
  ALREADY: -errorNumber('EALREADY'),
  ADDRESS_IN_USE: -errorNumber('EADDRINUSE'),
  CANCELED: -errorNumber('ECANCELED'),
} as const;
