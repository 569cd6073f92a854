/** The many ways to call `send`, as one. */

import { invalidArgumentType, validatePort, validateString } from '@iocp/core/layer';
import { isConnected, outOfBounds } from './errors.js';

export type SendCallback = (error: Error | null, bytes: number) => void;

/** One datagram to send. */
export interface Outgoing {
  /** Views of the caller's memory. */
  readonly data: Uint8Array | readonly Uint8Array[];
  /** 0 on a connected socket. */
  readonly port: number;
  /** A name or an address, as it was given. */
  readonly address: string | undefined;
  readonly callback: SendCallback | undefined;
}

const expected = 'of type string or an instance of Buffer, TypedArray, or DataView';

/**
 * Reads the arguments of `send`, whose forms differ by whether the socket is connected.
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_SOCKET_BAD_PORT`, `ERR_BUFFER_OUT_OF_BOUNDS`, `ERR_SOCKET_DGRAM_IS_CONNECTED`
 */
export function readSend(args: readonly unknown[], connected: boolean): Outgoing {
  return connected ? toPeer(args) : toAddress(args);
}

/** `(msg[, offset, length], port[, address][, callback])` */
function toAddress([message, ...rest]: readonly unknown[]): Outgoing {
  const [, , third, fourth] = rest;
  const sliced = Boolean(fourth) || (Boolean(third) && typeof third !== 'function');
  const data = sliced ? slice(message, rest[0], rest[1]) : bytesOf(message);
  const [port, address, callback] = sliced ? rest.slice(2) : rest;
  const checkedPort = validatePort(port, 'Port', 1);
  if (typeof address === 'function') {
    return { data, port: checkedPort, address: undefined, callback: callbackOf(address) };
  }
  if (address !== null && address !== undefined) validateString(address, 'address');
  return { data, port: checkedPort, address: address ?? undefined, callback: callbackOf(callback) };
}

/** `(msg[, offset, length][, callback])` */
function toPeer([message, ...rest]: readonly unknown[]): Outgoing {
  const [first, second, third, fourth, fifth] = rest;
  const sliced = typeof second === 'number';
  const data = sliced ? slice(message, first, second) : null;
  const callback = sliced ? (typeof third === 'function' ? third : fifth) : first;
  if (fourth || (third && !(sliced && typeof third === 'function'))) throw isConnected();
  return { data: data ?? bytesOf(message), port: 0, address: undefined, callback: callbackOf(callback) };
}

function callbackOf(value: unknown): SendCallback | undefined {
  return typeof value === 'function' ? (value as SendCallback) : undefined;
}

function bytesOf(message: unknown): Uint8Array | Uint8Array[] {
  if (!Array.isArray(message)) return viewOf(message, 'buffer');
  return message.map((part) => viewOf(part, 'buffer list arguments'));
}

function slice(message: unknown, offset: unknown, length: unknown): Uint8Array {
  const view = viewOf(message, 'buffer');
  const from = Number(offset) >>> 0;
  const bytes = Number(length) >>> 0;
  if (from > view.byteLength) throw outOfBounds('offset');
  if (from + bytes > view.byteLength) throw outOfBounds('length');
  return view.subarray(from, from + bytes);
}

function viewOf(message: unknown, name: string): Uint8Array {
  if (message instanceof Uint8Array) return message;
  if (typeof message === 'string') return Buffer.from(message);
  if (!ArrayBuffer.isView(message)) throw invalidArgumentType(name, expected, message);
  return new Uint8Array(message.buffer, message.byteOffset, message.byteLength);
}
