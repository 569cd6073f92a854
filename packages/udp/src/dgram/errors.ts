/** Errors with the codes, names and properties that those of `node:dgram` have. */

import { ioError } from '@iocp/core';
import type { IoError } from '@iocp/core/layer';

/** Results of the system that are known without asking it. */
export const badDescriptor = -9;
const invalidArgument = -22;
export const alreadyConnected = -106;

type CodedError = Error & { readonly code: string };

function coded(error: Error, code: string): CodedError {
  return Object.assign(error, { code });
}

export function badType(): CodedError {
  const message = 'The type of a datagram socket must be udp4 or udp6';
  return coded(new TypeError(message), 'ERR_SOCKET_BAD_TYPE');
}

export function alreadyBound(): CodedError {
  return coded(new Error('The socket is bound already, or about to be'), 'ERR_SOCKET_ALREADY_BOUND');
}

export function notRunning(): CodedError {
  return coded(new Error('Not running: the socket is closed'), 'ERR_SOCKET_DGRAM_NOT_RUNNING');
}

export function isConnected(): CodedError {
  const message = 'Already connected: disconnect first, and send without port and address';
  return coded(new Error(message), 'ERR_SOCKET_DGRAM_IS_CONNECTED');
}

export function notConnected(): CodedError {
  return coded(new Error('Not connected'), 'ERR_SOCKET_DGRAM_NOT_CONNECTED');
}

/** @param name of the argument that leads out of the buffer */
export function outOfBounds(name: 'offset' | 'length'): CodedError {
  return coded(new RangeError(`"${name}" is outside of the buffer`), 'ERR_BUFFER_OUT_OF_BOUNDS');
}

export function missingArgument(name: string): CodedError {
  return coded(new TypeError(`The "${name}" argument must be specified`), 'ERR_MISSING_ARGS');
}

export function badBufferSize(): CodedError {
  const message = 'The size of a buffer must be a whole number from 0 to 4294967295';
  return coded(new TypeError(message), 'ERR_SOCKET_BAD_BUFFER_SIZE');
}

/** The system refused to tell or set the size of a buffer; `info` says why. */
export function bufferSizeError({ errno, code, message }: IoError, syscall: string): CodedError {
  const text = `Could not get or set the size of the buffer: ${syscall} returned ${code}`;
  const error = Object.assign(new Error(text), { errno, syscall, info: { errno, code, message, syscall } });
  Object.defineProperty(error, 'name', { value: 'SystemError', configurable: true, writable: true });
  return coded(error, 'ERR_SOCKET_BUFFER_SIZE');
}

export function blocked(address: string): CodedError {
  return coded(new Error(`IP(${address}) is blocked by a net.BlockList`), 'ERR_IP_BLOCKED');
}

/** EINVAL, as libuv says it before it asks the system. */
export function invalid(syscall: string, address?: string, port?: number): IoError {
  return ioError(invalidArgument, syscall, { address, port });
}

/** The same failure under the name that `node:dgram` has for the call. Errors that are not of the system stay as they are. */
export function renamed(error: unknown, syscall: string, address?: string, port?: number): Error {
  const { code, errno } = error as IoError;
  if (typeof errno === 'number') return ioError(errno, syscall, { address, port });
  // Text that is no address, and numbers out of range: the system would refuse them.
  if (code === 'ERR_INVALID_ARG_VALUE' || code === 'ERR_OUT_OF_RANGE') return invalid(syscall, address, port);
  return error as Error;
}
