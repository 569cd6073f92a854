/** A stream socket that connects or is connected. */

import type { Socket } from 'node:net';
import { isSendingEnd } from '../../layer/sending-end.js';
import type { NativeAddress, NativeOpenOptions } from '../../port/binding.js';
import { CompleteFlag, Operation, ShutdownDirection } from '../../protocol.gen.js';
import {
  type AddressPair,
  ipAddresses,
  requireUsablePath,
  unconnectedAddress,
  unixAddress,
} from './addresses.js';
import { Failed, resultOf } from './errors.js';
import { Handle, type HandleHost } from './handle.js';
import { Inbox, type InboxOwner } from './inbox.js';
import type { Pending } from './pending.js';
import { OptionValues } from './socket-options.js';
import { connectingSocket, resetSocket, socketOfDescriptor } from './stream-socket.js';

const nothing = new Uint8Array();

/**
 * Differs from the native drivers where `node:net` does:
 *  - a send that is cancelled before the kernel has all of it costs the connection: it is reset, because libuv goes on
 *    reading the memory otherwise. What is submitted later ends with ECONNABORTED;
 *  - a write that fails closes the socket, so that what the peer had sent and nobody had received is lost;
 *  - the local address is bound by CONNECT, which then reports what is wrong with it.
 */
export class Connection extends Handle implements InboxOwner {
  readonly #unix: boolean;
  readonly #options: OptionValues;
  /** Null for what was accepted or taken over. */
  readonly #target: NativeOpenOptions | null;
  readonly #inbox: Inbox;
  #socket: Socket | null = null;
  #connected = false;
  #connecting: Pending | null = null;
  #sending: Pending | null = null;
  #sendingBytes = 0;
  #shutting: Pending | null = null;
  #writeEnded = false;
  /** The connection was given up here, and not by CLOSE. */
  #aborted = false;
  /** CLOSE waits until the end was sent. */
  #resetWhenShut = false;
  #addresses: AddressPair | null = null;

  private constructor(
    host: HandleHost,
    unix: boolean,
    options: OptionValues,
    target: NativeOpenOptions | null,
  ) {
    super(host);
    this.#unix = unix;
    this.#options = options;
    this.#target = target;
    this.#inbox = new Inbox(this, host.slots);
  }

  /** A socket that will connect. @throws ENOPROTOOPT, EOPNOTSUPP, ENAMETOOLONG */
  static opened(host: HandleHost, target: NativeOpenOptions): Connection {
    const unix = 'path' in target.remote;
    if ('path' in target.remote) requireUsablePath(target.remote.path);
    return new Connection(host, unix, new OptionValues(target.options, unix), target);
  }

  /** A socket that a listener, at `path` if it has one, accepted with these options. */
  static accepted(host: HandleHost, socket: Socket, options: OptionValues, path: string | null): Connection {
    const connection = new Connection(host, path !== null, options.inherited(), null);
    if (path !== null) connection.#addresses = { local: unixAddress(path), peer: unixAddress('') };
    connection.#takeOver(socket);
    return connection;
  }

  /** A descriptor from elsewhere. @throws EBADF, ENOTSOCK, EPROTOTYPE */
  static associated(host: HandleHost, fd: number): Connection {
    const socket = socketOfDescriptor(fd);
    const unix = !('port' in socket.address());
    const connection = new Connection(host, unix, new OptionValues({}, unix), null);
    if (unix) connection.#addresses = { local: unixAddress(''), peer: unixAddress('') };
    connection.#takeOver(socket);
    return connection;
  }

  address(peer: boolean): NativeAddress | null {
    if (!this.#connected) return peer || this.#target === null ? null : unconnectedAddress(this.#target);
    const { local, peer: remote } = this.#knowAddresses();
    return peer ? remote : local;
  }

  getOption(name: string): number {
    return this.#options.get(name);
  }

  setOption(name: string, value: number | string): void {
    this.#options.set(name, value);
    if (this.#connected && this.#socket !== null) this.#options.apply(this.#socket);
  }

  received(receiving: Pending, length: number, slot: number): void {
    this.host.more(receiving, length, CompleteFlag.SLOT, slot);
  }

  receiveEnded(receiving: Pending, result: number): void {
    this.settle(receiving, result);
  }

  setFlowing(flowing: boolean): void {
    const socket = this.#socket;
    if (!flowing) socket?.pause();
    else if (socket?.isPaused()) socket.resume();
  }

  protected override accept(pending: Pending): void {
    this.settle(pending, Failed.INVALID);
  }

  protected override connect(pending: Pending): void {
    if (this.#target === null || this.#connected) {
      this.settle(pending, this.#target === null ? Failed.NO_DESTINATION : Failed.CONNECTED);
      return;
    }
    this.#connecting = pending;
    const socket = connectingSocket(this.#target);
    this.#watch(socket);
    socket.once('connect', () => this.#onConnect(socket));
  }

  protected override recv(pending: Pending): void {
    if (this.#socket === null) this.settle(pending, Failed.NOT_CONNECTED);
    else this.#inbox.start(pending);
  }

  protected override send(pending: Pending, segments: readonly Uint8Array[]): void {
    const socket = this.#socket;
    if (socket === null || socket.destroyed || this.#writeEnded) {
      this.settle(pending, this.#sendFailure());
      return;
    }
    this.#sending = pending;
    this.#sendingBytes = segments.reduce((sum, { length }) => sum + length, 0);
    const last = segments.length - 1;
    socket.cork();
    for (let at = 0; at < last; at++) socket.write(segments[at] as Uint8Array);
    socket.write(segments[last] as Uint8Array, this.#onWritten);
    socket.uncork();
  }

  protected override shutdown(pending: Pending, direction: number): void {
    const socket = this.#connected ? this.#socket : null;
    if (socket !== null && direction !== ShutdownDirection.WRITE) this.#inbox.end(0);
    if (socket !== null && (direction === ShutdownDirection.READ || this.#writeEnded)) {
      this.settle(pending, 0);
    } else if (socket === null || socket.destroyed) {
      this.settle(pending, Failed.NOT_CONNECTED);
    } else {
      this.#writeEnded = true;
      this.#shutting = pending;
      socket.end(this.#onShut);
    }
  }

  protected override stop(pending: Pending): void {
    // A shutdown has its effect soon, and nobody could take it back.
    if (pending.operation === Operation.RECV) this.#inbox.stop(Failed.CANCELED);
    else if (pending.operation === Operation.SEND) this.#stopSending(pending);
    else if (pending.operation === Operation.CONNECT) this.#endConnect(pending, Failed.CANCELED);
  }

  protected override close(abortive: boolean): void {
    this.#sending = null;
    this.#inbox.drop();
    const socket = this.#socket;
    if (socket === null || socket.closed) this.closed();
    else if (!abortive) socket.destroy();
    else if (isSendingEnd(socket)) this.#resetWhenShut = true;
    else resetSocket(socket, this.#unix);
  }

  #takeOver(socket: Socket): void {
    this.#watch(socket);
    this.#connected = true;
    this.#options.apply(socket);
  }

  #watch(socket: Socket): void {
    this.#socket = socket;
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('error', (error) => this.#onError(socket, error));
    socket.on('close', () => this.#onClose(socket));
  }

  #onConnect(socket: Socket): void {
    const connecting = this.#connecting;
    if (connecting === null || this.#socket !== socket) return;
    this.#connecting = null;
    this.#connected = true;
    this.#options.apply(socket);
    this.settle(connecting, 0);
    this.#inbox.deliver();
  }

  readonly #onData = (chunk: Uint8Array): void => {
    this.#inbox.push(chunk);
  };

  /**
   * libuv reports the end when it finds a reset together with the last of the data. The kernel knows: a write of nothing
   * fails then. A send under way fails by itself, in this turn. Unix sockets are not reset, and fail to write at the end.
   */
  readonly #onEnd = (): void => {
    // When both directions have ended the socket closes by itself, and its addresses are forgotten.
    this.#knowAddresses();
    if (this.#unix || this.#writeEnded) this.#onSureEnd();
    else if (this.#sending !== null) setImmediate(this.#onSureEnd);
    else this.#socket?.write(nothing, this.#onSureEnd);
  };

  readonly #onSureEnd = (error?: Error | null): void => {
    // Otherwise the event `error` follows.
    if (!error) this.#inbox.end(0);
  };

  readonly #onWritten = (error?: Error | null): void => {
    const sending = this.#sending;
    if (sending === null) return;
    this.#sending = null;
    // Without an error of its own when the socket was destroyed in the middle of it.
    if (error) this.settle(sending, resultOf(error));
    else this.settle(sending, this.#socket?.destroyed === true ? this.#sendFailure() : this.#sendingBytes);
  };

  readonly #onShut = (error?: Error | null): void => {
    const shutting = this.#shutting;
    this.#shutting = null;
    // Closing has settled it already.
    if (shutting !== null && this.closing === null) this.settle(shutting, error ? resultOf(error) : 0);
    if (this.#resetWhenShut && this.#socket !== null) resetSocket(this.#socket, this.#unix);
  };

  #onError(socket: Socket, error: Error): void {
    if (this.#socket !== socket || this.closing !== null || this.#aborted) return;
    const result = resultOf(error);
    if (this.#connecting !== null) this.#endConnect(this.#connecting, result);
    // That nothing can be written is the sender's news; for the receiver the connection was reset.
    else this.#inbox.end(result === Failed.BROKEN_PIPE ? Failed.RESET : result);
  }

  #onClose(socket: Socket): void {
    if (this.#socket !== socket) return;
    if (this.closing !== null) this.closed();
    else this.#inbox.end(0);
  }

  /** It did not connect: CONNECT may be tried again, with another socket. */
  #endConnect(connecting: Pending, result: number): void {
    const socket = this.#socket;
    this.#connecting = null;
    this.#socket = null;
    socket?.destroy();
    this.settle(connecting, result);
    this.#inbox.stop(Failed.NOT_CONNECTED);
  }

  #stopSending(pending: Pending): void {
    const socket = this.#socket;
    // All of it is with the kernel: its own completion is on its way.
    if (socket === null || (socket.writableLength === 0 && this.closing === null)) return;
    this.#sending = null;
    this.settle(pending, Failed.CANCELED);
    if (this.closing !== null) return;
    this.#aborted = true;
    this.#inbox.end(Failed.ABORTED);
    resetSocket(socket, this.#unix);
  }

  /** As Linux says it, see send(2). */
  #sendFailure(): number {
    if (this.#aborted) return Failed.ABORTED;
    return this.#unix && !this.#connected ? Failed.NOT_CONNECTED : Failed.BROKEN_PIPE;
  }

  #knowAddresses(): AddressPair {
    if (this.#addresses !== null) return this.#addresses;
    const socket = this.#socket;
    if (socket === null || socket.destroyed) return { local: null, peer: null };
    const path = this.#target !== null && 'path' in this.#target.remote ? this.#target.remote.path : null;
    this.#addresses =
      path === null ? ipAddresses(socket) : { local: unixAddress(''), peer: unixAddress(path) };
    return this.#addresses;
  }
}
