/** The options of sockets that `node:dgram` can set. */

import type { Socket } from 'node:dgram';
import type { NativeSocketOptions } from '../../port/binding.js';
import { type DatagramFamily, interfaceAddress } from './datagram-addresses.js';
import { asNativeError, nativeError } from './errors.js';
import { findInterface } from './interfaces.js';

type Value = number | string;

interface DatagramOption {
  /** What it has when nobody sets it; undefined: the system decides, and `node:dgram` cannot ask. */
  readonly initial?: Value;
  readonly read?: (socket: Socket) => number;
  readonly write: (socket: Socket, value: Value) => void;
}

const settable: ReadonlyMap<string, DatagramOption> = new Map<string, DatagramOption>([
  ['broadcast', { initial: 0, write: (socket, value) => socket.setBroadcast(value !== 0) }],
  ['multicastTtl', { initial: 1, write: (socket, value) => socket.setMulticastTTL(Number(value)) }],
  ['multicastLoop', { initial: 1, write: (socket, value) => socket.setMulticastLoopback(value !== 0) }],
  [
    'multicastInterface',
    { initial: '', write: (socket, value) => socket.setMulticastInterface(String(value)) },
  ],
  ['ttl', { write: (socket, value) => socket.setTTL(Number(value)) }],
  [
    'receiveBuffer',
    {
      read: (socket) => socket.getRecvBufferSize(),
      write: (socket, value) => socket.setRecvBufferSize(Number(value)),
    },
  ],
  [
    'sendBuffer',
    {
      read: (socket) => socket.getSendBufferSize(),
      write: (socket, value) => socket.setSendBufferSize(Number(value)),
    },
  ],
]);

/** @throws ENOPROTOOPT for the first option that `node:dgram` cannot set */
export function requireDatagramOptions(options: NativeSocketOptions): void {
  for (const name of Object.keys(options)) optionNamed(name, 'setsockopt');
}

/**
 * The options of one bound socket: `broadcast`, `multicastTtl`, `multicastLoop`, `multicastInterface`, `ttl`,
 * `receiveBuffer` and `sendBuffer`; `node:dgram` has no way to set or read any other (ENOPROTOOPT). Only the sizes of
 * buffers are read from the system, others are what was set here. An IPv6 socket has them for IPv6 alone.
 */
export class DatagramOptions {
  readonly #socket: Socket;
  readonly #family: DatagramFamily;
  readonly #values = new Map<string, Value>();

  constructor(socket: Socket, family: DatagramFamily) {
    this.#socket = socket;
    this.#family = family;
  }

  /** @throws ENOPROTOOPT, or the error of the system */
  get(name: string): Value {
    const { read, initial } = optionNamed(name, 'getsockopt');
    const value = read === undefined ? (this.#values.get(name) ?? initial) : told(this.#socket, read);
    if (value === undefined) throw nativeError('ENOPROTOOPT', 'getsockopt');
    return value;
  }

  /** @throws ENOPROTOOPT, ENODEV, or the error of the system */
  set(name: string, value: Value): void {
    const { write } = optionNamed(name, 'setsockopt');
    const { kept, written } = name === 'multicastInterface' ? this.#interface(String(value)) : same(value);
    try {
      write(this.#socket, written);
    } catch (error) {
      throw asNativeError(error, 'setsockopt');
    }
    this.#values.set(name, kept);
  }

  /** `''` lets the system choose. */
  #interface(text: string): { kept: Value; written: Value } {
    if (text === '') return { kept: '', written: this.#family === 'ipv6' ? '::' : '0.0.0.0' };
    return { kept: findInterface(text).name, written: interfaceAddress(text, this.#family) };
  }
}

function same(value: Value): { kept: Value; written: Value } {
  return { kept: value, written: value };
}

function optionNamed(name: string, syscall: string): DatagramOption {
  const option = settable.get(name);
  if (option === undefined) throw nativeError('ENOPROTOOPT', syscall);
  return option;
}

function told(socket: Socket, read: (socket: Socket) => number): number {
  try {
    return read(socket);
  } catch (error) {
    throw asNativeError(error, 'getsockopt');
  }
}
