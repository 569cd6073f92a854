/** A listening socket. */

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, renameSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import type { HandleRef, NativeAddress, NativeListenOptions } from '../../port/binding.js';
import { CompleteFlag } from '../../protocol.gen.js';
import { ipAddress, requireUsablePath, unixAddress } from './addresses.js';
import { Connection } from './connection.js';
import { Failed, nativeError, resultOf } from './errors.js';
import { Handle, type HandleHost } from './handle.js';
import type { Pending } from './pending.js';
import { requireReusePort, withoutReusePort } from './reuse-port.js';
import { OptionValues } from './socket-options.js';
import { resetSocket } from './stream-socket.js';

/**
 * `net.Server` accepts whether it is asked to or not: what comes while no ACCEPT is in flight is held, unread, up to the
 * backlog, and reset beyond. When there are no descriptors left, libuv takes the connection and closes it: ACCEPT does not
 * learn of it.
 */
export class Listener extends Handle {
  readonly #server: Server;
  readonly #options: OptionValues;
  readonly #backlog: number;
  readonly #path: string | null;
  readonly #reusePort: boolean;
  readonly #address: NativeAddress | null;
  readonly #held: Socket[] = [];
  #accepting: Pending | null = null;

  private constructor(host: HandleHost, server: Server, options: NativeListenOptions, values: OptionValues) {
    super(host);
    this.#server = server;
    this.#options = values;
    this.#backlog = options.backlog;
    this.#path = options.path ?? null;
    this.#reusePort = options.reusePort;
    this.#address = addressOf(server);
    server.on('connection', (socket) => this.#onConnection(socket));
    server.on('error', (error) => this.#onError(error));
  }

  /**
   * Binds and listens. Rejects with the error of the system, with ENOPROTOOPT for what `node:net` cannot set, and with
   * ECANCELED when `stopped()` says so before it is done.
   */
  static async opened(
    host: HandleHost,
    options: NativeListenOptions,
    stopped: () => boolean,
  ): Promise<HandleRef> {
    const values = new OptionValues(withoutReusePort(options.options), options.path !== undefined);
    if (options.path !== undefined) requireUsablePath(options.path);
    const reusePort = options.reusePort || options.options.reusePort === 1;
    if (reusePort) requireReusePort();
    if (!options.reuseAddress && process.platform !== 'win32') throw nativeError('ENOPROTOOPT', 'setsockopt');
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }).unref();
    try {
      const listening = once(server, 'listening');
      server.listen(listenArguments(options, reusePort));
      await listening;
    } catch (error) {
      throw listenError(error, options.path);
    }
    if (!stopped()) return host.adopt(new Listener(host, server, { ...options, reusePort }, values));
    server.close();
    throw nativeError('ECANCELED', 'listen');
  }

  address(peer: boolean): NativeAddress | null {
    return peer ? null : this.#address;
  }

  getOption(name: string): number {
    return name === 'reusePort' ? Number(this.#reusePort) : this.#options.get(name);
  }

  /** For the connections accepted from now on. */
  setOption(name: string, value: number | string): void {
    this.#options.set(name, value);
  }

  protected override accept(pending: Pending): void {
    this.#accepting = pending;
    for (const socket of this.#held.splice(0)) this.#hand(pending, socket);
  }

  protected override connect(pending: Pending): void {
    this.settle(pending, Failed.NO_DESTINATION);
  }

  protected override recv(pending: Pending): void {
    this.settle(pending, Failed.NOT_CONNECTED);
  }

  protected override send(pending: Pending): void {
    this.settle(pending, this.#path === null ? Failed.BROKEN_PIPE : Failed.NOT_CONNECTED);
  }

  protected override shutdown(pending: Pending): void {
    this.settle(pending, Failed.NOT_CONNECTED);
  }

  protected override stop(pending: Pending): void {
    this.#accepting = null;
    this.settle(pending, Failed.CANCELED);
  }

  protected override close(): void {
    for (const socket of this.#held.splice(0)) resetSocket(socket, this.#path !== null);
    if (this.#path === null) this.#server.close();
    else keepingFile(this.#path, () => this.#server.close());
    this.closed();
  }

  #onConnection(socket: Socket): void {
    socket.unref();
    if (this.#accepting !== null) {
      this.#hand(this.#accepting, socket);
      return;
    }
    // It is not read from, so there is little it could report; but an error nobody listens for would end the process.
    socket.on('error', () => {});
    if (this.#held.length < this.#backlog && this.#server.listening) this.#held.push(socket);
    else resetSocket(socket, this.#path !== null);
  }

  #hand(accepting: Pending, socket: Socket): void {
    const connection = Connection.accepted(this.host, socket, this.#options, this.#path);
    const { index, generation } = this.host.adopt(connection);
    this.host.more(accepting, 0, CompleteFlag.HANDLE, index, generation);
  }

  #onError(error: Error): void {
    const accepting = this.#accepting;
    this.#accepting = null;
    if (accepting !== null) this.settle(accepting, resultOf(error));
  }
}

function listenArguments({ host, port, path, backlog, ipv6Only }: NativeListenOptions, reusePort: boolean) {
  // Not the socket of the primary process of a cluster: the native drivers do not know it either.
  const shared = { backlog, exclusive: true };
  if (path !== undefined) return { ...shared, path };
  return { ...shared, host, port, ipv6Only, ...(reusePort && { reusePort }) };
}

function addressOf(server: Server): NativeAddress | null {
  const address = server.address();
  if (address === null || typeof address === 'string') return address === null ? null : unixAddress(address);
  return ipAddress(address.address, address.port);
}

function listenError(error: unknown, path: string | undefined): Error {
  const { code = 'EIO' } = error as { code?: string };
  // libuv says EACCES when the directory does not exist.
  const missing =
    code === 'EACCES' && path !== undefined && !path.startsWith('\0') && !existsSync(dirname(path));
  return Object.assign(nativeError(missing ? 'ENOENT' : code, 'listen'), { cause: error });
}

/**
 * libuv removes the file of a Unix socket when it closes it, even when another one has taken its place. As with the native
 * drivers, it is for whoever listened to remove it: it is moved out of the way meanwhile.
 */
function keepingFile(path: string, close: () => void): void {
  const aside = `${path}.${randomUUID()}`;
  const kept = !path.startsWith('\0') && process.platform !== 'win32' && rename(path, aside);
  close();
  if (kept) rename(aside, path);
}

/** False when there is no such file, or its folder may not be changed: libuv cannot remove it either. */
function rename(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch {
    return false;
  }
}
