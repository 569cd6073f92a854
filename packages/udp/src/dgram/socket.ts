import { AsyncResource } from 'node:async_hooks';
import type { Socket as NodeSocket } from 'node:dgram';
import type { LookupOneOptions } from 'node:dns';
import { EventEmitter, errorMonitor } from 'node:events';
import { type AddressInfo, isIP } from 'node:net';
import { ioError, type MembershipChange, type Socket as PortSocket } from '@iocp/core';
import { invalidArgumentType, onAbort, validatePort, validateString } from '@iocp/core/layer';
import { openChannel } from '../open-channel.js';
import { udpSettings } from '../socket-options.js';
import type { UdpChannel } from '../udp-channel.js';
import { type BindOptions, bindTarget } from './bind-target.js';
import { addressInfo, BoundSocket, type BoundSocketOwner, noBufferSize } from './bound-socket.js';
import {
  alreadyBound,
  badBufferSize,
  badDescriptor,
  blocked,
  invalid,
  isConnected,
  missingArgument,
  notConnected,
  notRunning,
  renamed,
} from './errors.js';
import { chooseInterface, membershipChange } from './groups.js';
import { IncomingQueue, type RemoteInfo } from './incoming-queue.js';
import { type SocketOptions, type SocketSettings, type SocketType, socketSettings } from './options.js';
import { type Outgoing, readSend, type SendCallback } from './outgoing.js';

type ListenerMethod = 'on' | 'once' | 'addListener' | 'prependListener' | 'prependOnceListener' | 'emit';

/** Knows the events of `dgram.Socket` and what their listeners get, so that the sockets have its type as well. */
const Emitter = EventEmitter as unknown as new () => EventEmitter & Pick<NodeSocket, ListenerMethod>;

/** Like libuv's queue, as long as memory lasts. */
const noLimit = {
  datagramsMax: Number.MAX_SAFE_INTEGER,
  bytesMax: Number.MAX_SAFE_INTEGER,
  overflow: 'drop-new',
} as const;

/**
 * A datagram socket with the interface and the behaviour of `dgram.Socket`; the README says where it differs. Made by
 * `createSocket`.
 */
export class Socket extends Emitter {
  readonly type: SocketType;
  readonly #settings: SocketSettings;
  readonly #context = new AsyncResource('IOCP_UDP_SOCKET');
  readonly #incoming = new IncomingQueue((data, sender) => this.emit('message', data, sender));
  #binding: 'no' | 'under way' | 'done' = 'no';
  #connection: 'no' | 'under way' | 'done' = 'no';
  /** `close` was called, or the port has closed. */
  #closed = false;
  #holdsLoop = true;
  /** The system is asked for a socket. */
  #opening = false;
  #bound: BoundSocket | null = null;
  /** What was asked for while it was not bound. */
  #waiting: (() => void)[] | null = null;

  /** @throws `ERR_SOCKET_BAD_TYPE`, `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE` */
  constructor(
    options: SocketType | SocketOptions,
    listener?: (data: Buffer<ArrayBuffer>, sender: RemoteInfo) => void,
  ) {
    super();
    this.#settings = socketSettings(options);
    this.type = this.#settings.type;
    if (typeof listener === 'function') this.on('message', listener);
    const { signal } = this.#settings;
    if (signal === undefined) return;
    const abort = () => {
      if (!this.#closed) this.close();
    };
    if (signal.aborted) abort();
    else this.once('close', onAbort(signal, abort));
  }

  /**
   * Receives at an address; `listening` or `error` says when. Defaults: a free port, all addresses of the family.
   * @throws `ERR_SOCKET_ALREADY_BOUND`, `ERR_SOCKET_DGRAM_NOT_RUNNING`, `ERR_INVALID_ARG_TYPE`, and
   * `ERR_INVALID_ARG_VALUE` for a descriptor or a handle
   */
  bind(port?: number, address?: string, callback?: () => void): this;
  bind(port?: number, callback?: () => void): this;
  bind(callback?: () => void): this;
  bind(options: BindOptions, callback?: () => void): this;
  bind(...args: unknown[]): this {
    this.#requireRunning();
    if (this.#binding !== 'no') throw alreadyBound();
    const { port, address } = bindTarget(args);
    const callback = args[args.length - 1];
    if (typeof callback === 'function') this.#onceListening(() => callback.call(this));
    this.#binding = 'under way';
    this.#resolve(address || (this.type === 'udp4' ? '0.0.0.0' : '::'), (error, ip) => {
      if (this.#closed) return;
      if (error) this.#notBound(error);
      else void this.#open(ip, port);
    });
    return this;
  }

  /**
   * Has one peer from now on: only its datagrams are received, and `send` takes no address. Binds when it is not bound.
   * The callback is called on success and on failure; without one, failure is an `error` event.
   * @throws `ERR_SOCKET_BAD_PORT`, `ERR_INVALID_ARG_TYPE`, `ERR_SOCKET_DGRAM_IS_CONNECTED`, `ERR_SOCKET_DGRAM_NOT_RUNNING`
   */
  connect(port: number, address?: string, callback?: (error?: Error) => void): void;
  connect(port: number, callback: (error?: Error) => void): void;
  connect(...[port, second, third]: unknown[]): void {
    const checkedPort = validatePort(port, 'Port', 1);
    const address = typeof second === 'function' || second === undefined ? '' : second;
    validateString(address, 'address');
    if (this.#connection !== 'no') throw isConnected();
    this.#requireRunning();
    const callback = typeof second === 'function' ? second : third;
    this.#connection = 'under way';
    this.#afterBind((bound) =>
      this.#connect(
        bound,
        checkedPort,
        address,
        typeof callback === 'function' ? (callback as () => void) : undefined,
      ),
    );
  }

  /** Takes the connection back. @throws `ERR_SOCKET_DGRAM_NOT_CONNECTED` */
  disconnect(): void {
    if (this.#connection !== 'done' || this.#closed) throw notConnected();
    this.#connection = 'no';
    this.#bound?.connect(null, (error) => {
      if (error !== null && !this.#closed) this.#fail(renamed(error, 'connect'));
    });
  }

  /**
   * Sends a datagram; binds when it is not bound. Chunks of an array become one datagram. The memory must stay as it is
   * until the callback.
   * @param args `msg[, offset, length][, port][, address][, callback]`, without port and address when connected
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_SOCKET_BAD_PORT`, `ERR_BUFFER_OUT_OF_BOUNDS`, `ERR_SOCKET_DGRAM_IS_CONNECTED`,
   * `ERR_SOCKET_DGRAM_NOT_RUNNING`
   */
  send(msg: Message | readonly Message[], port?: number, address?: string, callback?: SendCallback): void;
  send(msg: Message | readonly Message[], port?: number, callback?: SendCallback): void;
  send(msg: Message | readonly Message[], callback?: SendCallback): void;
  send(
    msg: Message,
    offset: number,
    length: number,
    port?: number,
    address?: string,
    callback?: SendCallback,
  ): void;
  send(msg: Message, offset: number, length: number, port?: number, callback?: SendCallback): void;
  send(msg: Message, offset: number, length: number, callback?: SendCallback): void;
  send(...args: unknown[]): void {
    const connected = this.#connection === 'done';
    const outgoing = readSend(args, connected);
    this.#requireRunning();
    if (connected) this.#bound?.send(outgoing, null);
    else this.#afterBind((bound) => this.#sendTo(bound, outgoing));
  }

  /**
   * Closes, after what `send` was given before has been sent. `close` is the last event.
   * @throws `ERR_SOCKET_DGRAM_NOT_RUNNING` the second time
   */
  close(callback?: () => void): this {
    if (typeof callback === 'function') this.on('close', callback);
    if (this.#waiting !== null) {
      this.#waiting.push(() => {
        if (!this.#closed) this.close();
      });
      return this;
    }
    this.#requireRunning();
    this.#closed = true;
    this.#incoming.clear();
    if (this.#bound !== null) this.#bound.close();
    // Else `close` follows when the system has answered.
    else if (!this.#opening) this.#emitClose();
    return this;
  }

  /** Closes, and waits until it is closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    await new Promise<void>((resolve) => this.close(resolve));
  }

  /** The local address. @throws `ERR_SOCKET_DGRAM_NOT_RUNNING`; EBADF while it is not bound */
  address(): AddressInfo {
    return addressInfo(
      this.#ask('getsockname', (socket) => socket.address()),
      'getsockname',
    );
  }

  /** The peer's address. @throws `ERR_SOCKET_DGRAM_NOT_RUNNING`, `ERR_SOCKET_DGRAM_NOT_CONNECTED` */
  remoteAddress(): AddressInfo {
    this.#requireRunning();
    if (this.#connection !== 'done') throw notConnected();
    return addressInfo(
      this.#ask('getpeername', (socket) => socket.peer()),
      'getpeername',
    );
  }

  /** Allows broadcast addresses. @throws EBADF while it is not bound, as all that set something */
  setBroadcast(flag: boolean): void {
    this.#ask('setBroadcast', (socket) => socket.setOption('broadcast', Boolean(flag)));
  }

  /** Time to live of what is sent, 1 to 255. @throws EINVAL */
  setTTL(ttl: number): number {
    validateNumber(ttl, 'ttl');
    this.#ask('setTTL', (socket) => socket.setOption('ttl', Math.trunc(ttl)));
    return ttl;
  }

  /** Time to live of multicasts, 0 to 255. @throws EINVAL */
  setMulticastTTL(ttl: number): number {
    validateNumber(ttl, 'ttl');
    this.#ask('setMulticastTTL', (socket) => socket.setOption('multicastTtl', Math.trunc(ttl)));
    return ttl;
  }

  /** Whether members on this machine get the multicasts of this socket. */
  setMulticastLoopback(flag: boolean): boolean {
    this.#ask('setMulticastLoopback', (socket) => socket.setOption('multicastLoop', Boolean(flag)));
    return flag;
  }

  /** Where multicasts leave: an IPv4 address of the interface, or for IPv6 `'::%eth1'`. @throws EINVAL, EADDRNOTAVAIL, … */
  setMulticastInterface(multicastInterface: string): void {
    this.#requireRunning();
    validateString(multicastInterface, 'interfaceAddress');
    const syscall = 'setMulticastInterface';
    const { family } = this.#settings;
    this.#ask(syscall, (socket) => chooseInterface(socket, multicastInterface, family, syscall));
  }

  /** Joins a group; binds when it is not bound. @throws `ERR_MISSING_ARGS`, and the system's error once it is bound */
  addMembership(multicastAddress: string, multicastInterface?: string): void {
    this.#changeGroup('addMembership', 'join', multicastAddress, undefined, multicastInterface);
  }

  /** Leaves a group. @throws as `addMembership` */
  dropMembership(multicastAddress: string, multicastInterface?: string): void {
    this.#changeGroup('dropMembership', 'leave', multicastAddress, undefined, multicastInterface);
  }

  /** Joins a group for what one sender sends to it. @throws `ERR_INVALID_ARG_TYPE`, and as `addMembership` */
  addSourceSpecificMembership(source: string, group: string, multicastInterface?: string): void {
    this.#changeSource('addSourceSpecificMembership', 'join', source, group, multicastInterface);
  }

  /** Leaves it. @throws as `addSourceSpecificMembership` */
  dropSourceSpecificMembership(source: string, group: string, multicastInterface?: string): void {
    this.#changeSource('dropSourceSpecificMembership', 'leave', source, group, multicastInterface);
  }

  /** `SO_RCVBUF`. @throws `ERR_SOCKET_BAD_BUFFER_SIZE`, `ERR_SOCKET_BUFFER_SIZE` */
  setRecvBufferSize(size: number): void {
    this.#bufferSize('receiveBuffer', size);
  }

  /** `SO_SNDBUF`. @throws `ERR_SOCKET_BAD_BUFFER_SIZE`, `ERR_SOCKET_BUFFER_SIZE` */
  setSendBufferSize(size: number): void {
    this.#bufferSize('sendBuffer', size);
  }

  /** As the system reports it. @throws `ERR_SOCKET_BUFFER_SIZE` while it is not bound */
  getRecvBufferSize(): number {
    return this.#bufferSize('receiveBuffer', 0);
  }

  /** As the system reports it. @throws `ERR_SOCKET_BUFFER_SIZE` while it is not bound */
  getSendBufferSize(): number {
    return this.#bufferSize('sendBuffer', 0);
  }

  /** Bytes that wait to be sent. */
  getSendQueueSize(): number {
    this.#requireRunning();
    return this.#bound === null ? 0 : this.#bound.queuedBytes;
  }

  /** Datagrams that wait to be sent. */
  getSendQueueCount(): number {
    this.#requireRunning();
    return this.#bound === null ? 0 : this.#bound.queued;
  }

  /** The socket keeps the process alive (the default). */
  ref(): this {
    return this.#holdLoop(true);
  }

  /** The process may end while the socket is open. */
  unref(): this {
    return this.#holdLoop(false);
  }

  #holdLoop(holds: boolean): this {
    this.#holdsLoop = holds;
    this.#bound?.holdLoop(holds);
    return this;
  }

  #requireRunning(): void {
    if (this.#closed) throw notRunning();
  }

  #ask<Result>(syscall: string, question: (socket: PortSocket) => Result): Result {
    this.#requireRunning();
    if (this.#bound === null) throw ioError(badDescriptor, syscall);
    return this.#bound.ask(syscall, question);
  }

  #bufferSize(option: 'receiveBuffer' | 'sendBuffer', size: number): number {
    if (size >>> 0 !== size) throw badBufferSize();
    this.#requireRunning();
    if (this.#bound === null) throw noBufferSize(option, ioError(badDescriptor, 'getsockopt'));
    return this.#bound.bufferSize(option, size);
  }

  #changeSource(
    syscall: string,
    action: MembershipChange['action'],
    source: string,
    group: string,
    through: string | undefined,
  ): void {
    this.#requireRunning();
    validateString(source, 'sourceAddress');
    validateString(group, 'groupAddress');
    this.#changeGroup(syscall, action, group, source, through);
  }

  #changeGroup(
    syscall: string,
    action: MembershipChange['action'],
    group: string,
    source: string | undefined,
    through: string | undefined,
  ): void {
    this.#requireRunning();
    if (!group) throw missingArgument('multicastAddress');
    const change = membershipChange(action, group, source, through, this.#settings.family, syscall);
    const apply = () => this.#ask(syscall, (socket) => socket.changeMembership(change));
    if (this.#binding === 'done') {
      apply();
      return;
    }
    this.#afterBind(() => {
      try {
        apply();
      } catch (error) {
        this.#fail(error as Error);
      }
    });
  }

  /** Runs at once when it is bound, else once it is. Nothing of it happens when it cannot be bound. */
  #afterBind(action: (bound: BoundSocket) => void): void {
    if (this.#bound !== null && this.#binding === 'done') {
      action(this.#bound);
      return;
    }
    if (this.#binding === 'no') this.bind({ port: 0 });
    if (this.#waiting === null) {
      this.#waiting = [];
      this.once('listening', this.#runWaiting);
    }
    this.#waiting.push(() => {
      if (this.#bound !== null) action(this.#bound);
    });
  }

  readonly #runWaiting = (): void => {
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    for (const action of waiting) action();
  };

  #onceListening(callback: () => void): void {
    const forget = () => {
      this.off(errorMonitor, forget);
      this.off('listening', listening);
    };
    const listening = () => {
      forget();
      callback();
    };
    this.on(errorMonitor, forget);
    this.on('listening', listening);
  }

  async #open(ip: string, given: unknown): Promise<void> {
    const { completionPort, family, reuseAddress, reusePort, ipv6Only } = this.#settings;
    // As libuv does it, which takes any number.
    const port = (Number(given) >>> 0) & 0xffff;
    this.#opening = true;
    try {
      if (isIP(ip) !== family || (ipv6Only && family === 4)) throw invalid('bind');
      const shared = udpSettings({ completionPort, reuseAddress, reusePort, ipv6Only });
      const settings = { ...shared, queue: noLimit };
      this.#opened(await openChannel(settings, { local: { host: ip, port } }, this.#context));
    } catch (error) {
      this.#opening = false;
      const told = typeof given === 'number' ? given : undefined;
      if (this.#closed) this.#emitClose();
      else this.#notBound(renamed(error, 'bind', ip, told));
    }
  }

  #opened(channel: UdpChannel): void {
    const bound = new BoundSocket(channel, this.#settings, this.#owner);
    this.#opening = false;
    if (this.#closed) {
      bound.close();
      return;
    }
    this.#bound = bound;
    bound.holdLoop(this.#holdsLoop);
    // A tick of its own: what listeners throw is no failure of `bind`.
    process.nextTick(() => this.#listen(bound));
  }

  #listen(bound: BoundSocket): void {
    if (this.#closed) return;
    this.#binding = 'done';
    const { receiveBuffer, sendBuffer } = this.#settings;
    if (receiveBuffer > 0) bound.bufferSize('receiveBuffer', receiveBuffer);
    if (sendBuffer > 0) bound.bufferSize('sendBuffer', sendBuffer);
    this.emit('listening');
  }

  #notBound(error: Error): void {
    process.nextTick(() => {
      if (this.#closed) return;
      this.#binding = 'no';
      this.#connection = 'no';
      this.#waiting = null;
      this.off('listening', this.#runWaiting);
      this.emit('error', error);
    });
  }

  /** Finds an address of the family: a numeric one is its own, unless the user's `lookup` is to say. */
  #resolve(host: string, then: (error: Error | null, ip: string) => void): void {
    const { lookup, ownLookup, family } = this.#settings;
    if (!ownLookup && isIP(host) !== 0) then(null, host);
    else lookup(host, family as LookupOneOptions, then);
  }

  /** Finds where to send to. Nothing follows when it is closed meanwhile. */
  #resolveRemote(address: string | undefined, then: (error: Error | null, ip: string) => void): void {
    this.#resolve(address || (this.type === 'udp4' ? '127.0.0.1' : '::1'), (error, ip) => {
      if (!this.#closed) then(error ?? this.#blockedError(ip), ip);
    });
  }

  #blockedError(ip: string): Error | null {
    const isBlocked = this.#settings.sendBlockList?.check(ip, isIP(ip) === 6 ? 'ipv6' : 'ipv4');
    return isBlocked === true ? blocked(ip) : null;
  }

  #connect(
    bound: BoundSocket,
    port: number,
    address: string,
    callback: ((error?: Error) => void) | undefined,
  ): void {
    const told = () => callback?.call(this);
    if (callback !== undefined) this.once('connect', told);
    const fail = (error: Error) => {
      this.#connection = 'no';
      this.off('connect', told);
      if (callback === undefined) this.#fail(error);
      else process.nextTick(() => callback(error));
    };
    this.#resolveRemote(address, (error, ip) => {
      if (error) return fail(error);
      if (isIP(ip) !== this.#settings.family) return fail(invalid('connect', address, port));
      bound.connect({ host: ip, port }, (failure) => {
        if (this.#closed) return;
        if (failure !== null) return fail(renamed(failure, 'connect', address, port));
        this.#connection = 'done';
        process.nextTick(() => {
          if (!this.#closed) this.emit('connect');
        });
      });
    });
  }

  #sendTo(bound: BoundSocket, outgoing: Outgoing): void {
    const { address, callback } = outgoing;
    this.#resolveRemote(address, (error, ip) => {
      if (!error) bound.send(outgoing, ip);
      else if (callback !== undefined) process.nextTick(callback, error);
      else this.#fail(error);
    });
  }

  #fail(error: Error): void {
    process.nextTick(() => this.emit('error', error));
  }

  #emitClose(): void {
    process.nextTick(() => this.emit('close'));
  }

  readonly #owner: BoundSocketOwner = {
    received: (data, sender) => {
      if (!this.#closed) this.#incoming.push(data, sender);
    },
    failed: (error) => {
      if (!this.#closed) this.#fail(error);
    },
    closed: (error) => {
      if (error !== null && !this.#closed) this.#fail(error);
      this.#closed = true;
      this.#incoming.clear();
      this.#emitClose();
    },
  };
}

type Message = string | NodeJS.ArrayBufferView;

/**
 * A datagram socket, not bound.
 * @param options the type, or options with it
 * @param callback listener for `message`
 * @throws `ERR_SOCKET_BAD_TYPE`, `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
 */
export function createSocket(
  options: SocketType | SocketOptions,
  callback?: (data: Buffer<ArrayBuffer>, sender: RemoteInfo) => void,
): Socket {
  return new Socket(options, callback);
}

function validateNumber(value: unknown, name: string): asserts value is number {
  if (typeof value !== 'number') throw invalidArgumentType(name, 'of type number', value);
}
