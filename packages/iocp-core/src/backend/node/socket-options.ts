/** The options of sockets that `node:net` can set. */

import type { Socket } from 'node:net';
import type { NativeSocketOptions } from '../../port/binding.js';
import { nativeError } from './errors.js';

/** What an option has when nobody sets it; undefined: the system decides, and `node:net` cannot ask. */
const settable: ReadonlyMap<string, number | undefined> = new Map([
  ['noDelay', 0],
  ['keepAlive', 0],
  ['keepAliveIdle', undefined],
]);

/**
 * Values of the options of one socket: `noDelay`, `keepAlive` and `keepAliveIdle`. `node:net` has no way to set or read
 * any other (`ENOPROTOOPT`), and none of these on Unix sockets (`EOPNOTSUPP`). What is read is what was set here. With
 * `keepAlive` libuv chooses the number of probes and the time between them itself.
 */
export class OptionValues {
  readonly #values: Map<string, number>;
  readonly #unix: boolean;

  /** @throws ENOPROTOOPT or EOPNOTSUPP for the first option that cannot be set */
  constructor(options: NativeSocketOptions, unix: boolean) {
    this.#values = new Map();
    this.#unix = unix;
    for (const [name, value] of Object.entries(options)) this.set(name, value);
  }

  /** Values of their own for an accepted socket, which inherits them. */
  inherited(): OptionValues {
    return new OptionValues(Object.fromEntries(this.#values), this.#unix);
  }

  get(name: string): number {
    this.#require(name, 'getsockopt');
    const value = this.#values.get(name) ?? settable.get(name);
    if (value === undefined) throw nativeError('ENOPROTOOPT', 'getsockopt');
    return value;
  }

  set(name: string, value: number | string): void {
    this.#require(name, 'setsockopt');
    this.#values.set(name, Number(value));
  }

  /** Puts all values into force on a connected socket. */
  apply(socket: Socket): void {
    const { noDelay, keepAlive, keepAliveIdle = 0 } = Object.fromEntries(this.#values);
    if (noDelay !== undefined) socket.setNoDelay(noDelay !== 0);
    if (keepAlive !== undefined) socket.setKeepAlive(keepAlive !== 0, keepAliveIdle * 1000);
  }

  #require(name: string, syscall: string): void {
    if (!settable.has(name)) throw nativeError('ENOPROTOOPT', syscall);
    if (this.#unix) throw nativeError('EOPNOTSUPP', syscall);
  }
}
