import { AsyncResource } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import { type AddressInfo, isIP } from 'node:net';
import { ioError, type MembershipChange, type Socket as PortSocket, type SocketAddress } from '@iocp/core';
import {
  copyToArena,
  type DatagramBatch,
  type DatagramReceiver,
  type IoError,
  invalidArgumentType,
  invalidArgumentValue,
  onAbort,
  validatePort,
  validateString,
} from '@iocp/core/layer';
import { TargetCache } from '../host.js';
import { openChannel } from '../open-channel.js';
import { udpSettings } from '../socket-options.js';
import type { UdpChannel } from '../udp-channel.js';
import { ConnectionChanges } from './connection.js';
import {
  alreadyBound,
  alreadyConnected,
  badBufferSize,
  badDescriptor,
  blocked,
  bufferSizeError,
  invalid,
  isConnected,
  missingArgument,
  notConnected,
  notRunning,
  renamed,
} from './errors.js';
import { membershipChange, outgoingInterface, withZone } from './groups.js';
import { IncomingQueue, type RemoteInfo } from './incoming-queue.js';
import { type SocketOptions, type SocketSettings, type SocketType, socketSettings } from './options.js';
import { type Outgoing, readSend, type SendCallback } from './outgoing.js';

/** As `dgram.BindOptions`. */
export interface BindOptions {
  readonly port?: number | undefined;
  readonly address?: string | undefined;
  /** Without effect: sockets are never shared between the processes of a cluster. */
  readonly exclusive?: boolean | undefined;
  /** Refused with `ERR_INVALID_ARG_VALUE`: descriptors are not taken over. */
  readonly fd?: number | undefined;
}

/** Events and what their listeners get. */
export interface SocketEvents {
  /** Once bound. */
  listening: [];
  /** A datagram; the bytes are the listener's own. */
  message: [data: Buffer, sender: RemoteInfo];
  connect: [];
  /** A failure of `bind`, `connect` or a lookup that has no callback, or of receiving. */
  error: [error: Error];
  /** Last; the port is free. */
  close: [];
}

/** Like libuv's queue, as long as memory lasts. */
const noLimit = {
  datagramsMax: Number.MAX_SAFE_INTEGER,
  bytesMax: Number.MAX_SAFE_INTEGER,
  overflow: 'drop-new',
} as const;

type BufferOption = 'receiveBuffer' | 'sendBuffer';
const bufferCalls = { receiveBuffer: 'uv_recv_buffer_size', sendBuffer: 'uv_send_buffer_size' } as const;

/**
 * A datagram socket with the interface and the behaviour of `dgram.Socket`; the README says where it differs. Made by
 * `createSocket`.
 */
export class Socket extends EventEmitter<SocketEvents> {
  readonly type: SocketType;
  readonly #settings: SocketSettings;
  readonly #context = new AsyncResource('IOCP_UDP_SOCKET');
  readonly #incoming = new IncomingQueue((data, sender) => this.emit('message', data, sender));
  readonly #targets = new TargetCache();
  #bound: 'no' | 'binding' | 'yes' = 'no';
  #connected: 'no' | 'connecting' | 'yes' = 'no';
  /** `close` was called. */
  #closed = false;
  #holdsLoop = true;
  /** Once bound. */
  #channel: UdpChannel | null = null;
  #changes: ConnectionChanges | null = null;
  /** What was asked for while it was not bound. */
  #whenBound: (() => void)[] | null = null;

  /** @throws `ERR_SOCKET_BAD_TYPE`, `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE` */
  constructor(
    options: SocketType | SocketOptions,
    listener?: (data: Buffer, sender: RemoteInfo) => void,
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
   * `ERR_INVALID_ARG_VALUE` for a descriptor or a handle.
   */
  bind(port?: number, address?: string, callback?: () => void): this;
  bind(port?: number, callback?: () => void): this;
  bind(callback?: () => void): this;
  bind(options: BindOptions, callback?: () => void): this;
  bind(...args: unknown[]): this {
    this.#requireRunning();
    if (this.#bound !== 'no') throw alreadyBound();
    const { port, address } = bindTarget(args);
    if (address) validateString(address, 'address');
    const callback = args[args.length - 1];
    if (typeof callback === 'function') this.#onceBound(callback as () => void);
    this.#bound = 'binding';
    const host = address || (this.type === 'udp4' ? '0.0.0.0' : '::');
    this.#resolve(host as string, (error, ip) => {
      if (this.#closed) return;
      if (error === null) void this.#open(ip, port);
      else this.#notBound(error);
    });
    return this;
  }

  /**
   * Has one peer from now on: only its datagrams are received, and `send` takes no address. Binds when it is not bound.
   * Calls back on success and failure; without a callback failures are `error` events.
   * @throws `ERR_SOCKET_BAD_PORT`, `ERR_INVALID_ARG_TYPE`, `ERR_SOCKET_DGRAM_IS_CONNECTED`, `ERR_SOCKET_DGRAM_NOT_RUNNING`
   */
  connect(port: number, address?: string, callback?: (error?: Error) => void): void;
  connect(port: number, callback: (error?: Error) => void): void;
  connect(port: number, second?: unknown, third?: unknown): void {
    const checkedPort = validatePort(port, 'Port', 1);
    const address = typeof second === 'function' || second === undefined ? '' : second;
    validateString(address, 'address');
    if (this.#connected !== 'no') throw isConnected();
    this.#requireRunning();
    const callback = typeof second === 'function' ? second : third;
    this.#connected = 'connecting';
    this.#afterBind(() =>
      this.#connect(
        checkedPort,
        address,
        typeof callback === 'function' ? (callback as () => void) : undefined,
      ),
    );
  }

  /** Takes the connection back. @throws `ERR_SOCKET_DGRAM_NOT_CONNECTED` */
  disconnect(): void {
    if (this.#connected !== 'yes' || this.#closed) throw notConnected();
    this.#connected = 'no';
    this.#changes?.change(null, (error) => {
      if (error !== null && !this.#closed) this.#fail(renamed(error, 'connect'));
    });
  }

  /**
   * Sends a datagram; binds when it is not bound. Chunks of an array become one datagram. The memory must stay as it is
   * until the callback.
   * @param args `msg[, offset, length][, port][, address][, callback]`; port and address must be left out when connected
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
    const connected = this.#connected === 'yes';
    const outgoing = readSend(args, connected);
    this.#requireRunning();
    if (connected) this.#sendInOrder(outgoing, null);
    else this.#afterBind(() => this.#sendTo(outgoing));
  }

  /**
   * Closes, after what `send` was given before. `close` is the last event.
   * @throws `ERR_SOCKET_DGRAM_NOT_RUNNING` the second time
   */
  close(callback?: () => void): this {
    if (typeof callback === 'function') this.on('close', callback);
    if (this.#whenBound !== null) {
      this.#whenBound.push(() => this.close());
      return this;
    }
    this.#requireRunning();
    this.#closed = true;
    this.#incoming.clear();
    const channel = this.#channel;
    if (channel === null) process.nextTick(() => this.emit('close'));
    else this.#changes?.inOrder(() => channel.close());
    return this;
  }

  /** Closes, and waits until it is closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    await new Promise<void>((resolve) => this.close(resolve));
  }

  /** The local address. @throws `ERR_SOCKET_DGRAM_NOT_RUNNING`; EBADF while it is not bound */
  address(): AddressInfo {
    return addressInfo(this.#ask('getsockname', (socket) => socket.address()));
  }

  /** The peer's address. @throws `ERR_SOCKET_DGRAM_NOT_RUNNING`, `ERR_SOCKET_DGRAM_NOT_CONNECTED` */
  remoteAddress(): AddressInfo {
    this.#requireRunning();
    if (this.#connected !== 'yes') throw notConnected();
    return addressInfo(this.#ask('getpeername', (socket) => socket.peer()));
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
    this.#ask(syscall, (socket) => {
      socket.setOption('multicastInterface', outgoingInterface(multicastInterface, family, syscall));
    });
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
  addSourceSpecificMembership(
    sourceAddress: string,
    groupAddress: string,
    multicastInterface?: string,
  ): void {
    this.#changeSource(
      'addSourceSpecificMembership',
      'join',
      sourceAddress,
      groupAddress,
      multicastInterface,
    );
  }

  /** Leaves it. @throws as `addSourceSpecificMembership` */
  dropSourceSpecificMembership(
    sourceAddress: string,
    groupAddress: string,
    multicastInterface?: string,
  ): void {
    this.#changeSource(
      'dropSourceSpecificMembership',
      'leave',
      sourceAddress,
      groupAddress,
      multicastInterface,
    );
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
    return this.#channel === null ? 0 : this.#channel.stats.queuedBytes;
  }

  /** Datagrams that wait to be sent. */
  getSendQueueCount(): number {
    this.#requireRunning();
    return this.#channel === null ? 0 : this.#channel.stats.queued;
  }

  /** The socket keeps the process alive (the default). */
  ref(): this {
    this.#holdsLoop = true;
    this.#channel?.ref();
    return this;
  }

  /** The process may end while the socket is open. */
  unref(): this {
    this.#holdsLoop = false;
    this.#channel?.unref();
    return this;
  }

  #requireRunning(): void {
    if (this.#closed) throw notRunning();
  }

  /** Asks the socket of the system. Its failure bears the name of the call. */
  #ask<Result>(syscall: string, question: (socket: PortSocket) => Result): Result {
    this.#requireRunning();
    if (this.#channel === null) throw ioError(badDescriptor, syscall);
    try {
      return question(this.#channel.socket);
    } catch (error) {
      throw renamed(error, syscall);
    }
  }

  #bufferSize(option: BufferOption, size: number): number {
    if (size >>> 0 !== size) throw badBufferSize();
    const syscall = bufferCalls[option];
    try {
      return this.#ask(syscall, (socket) => {
        if (size > 0) socket.setOption(option, size);
        return socket.getOption(option);
      });
    } catch (error) {
      throw typeof (error as IoError).errno === 'number' ? bufferSizeError(error as IoError, syscall) : error;
    }
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
    const change = membershipChange(action, group, source, through, syscall);
    const apply = () => this.#ask(syscall, (socket) => socket.changeMembership(change));
    if (this.#bound === 'yes') {
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
  #afterBind(action: () => void): void {
    if (this.#bound === 'yes') {
      action();
      return;
    }
    if (this.#bound === 'no') this.bind({ port: 0, exclusive: true });
    this.#whenBound ??= [];
    this.#whenBound.push(action);
  }

  #onceBound(callback: () => void): void {
    const forget = () => {
      this.off(EventEmitter.errorMonitor, forget);
      this.off('listening', listening);
    };
    const listening = () => {
      forget();
      callback.call(this);
    };
    this.on(EventEmitter.errorMonitor, forget);
    this.on('listening', listening);
  }

  async #open(ip: string, given: unknown): Promise<void> {
    const { completionPort, family, reuseAddress, reusePort, ipv6Only } = this.#settings;
    const named = typeof given === 'number' ? given : undefined;
    try {
      if (isIP(ip) !== family || (ipv6Only && family === 4)) throw invalid('bind');
      const settings = { ...udpSettings({ completionPort, reuseAddress, reusePort, ipv6Only }), queue: noLimit };
      const port = (Number(given) >>> 0) & 0xffff;
      const channel = await openChannel(settings, { local: { host: ip, port } }, this.#context);
      this.#opened(channel);
    } catch (error) {
      this.#notBound(renamed(error, 'bind', ip, named));
    }
  }

  #opened(channel: UdpChannel): void {
    if (this.#closed) {
      channel.abort();
      return;
    }
    this.#channel = channel;
    this.#changes = new ConnectionChanges(channel);
    if (!this.#holdsLoop) channel.unref();
    channel.attach(this.#receiver);
    this.#bound = 'yes';
    const { receiveBuffer, sendBuffer } = this.#settings;
    // As an event of its own: what listeners throw is not a failure of `bind`.
    process.nextTick(() => {
      if (this.#closed) return;
      if (receiveBuffer) this.setRecvBufferSize(receiveBuffer);
      if (sendBuffer) this.setSendBufferSize(sendBuffer);
      this.once('listening', this.#runWaiting);
      this.emit('listening');
    });
  }

  /** What waited for `bind`, after the listeners that were there before. */
  readonly #runWaiting = (): void => {
    const waiting = this.#whenBound ?? [];
    this.#whenBound = null;
    for (const action of waiting) action();
  };

  #notBound(error: Error): void {
    if (this.#closed) return;
    process.nextTick(() => {
      this.#bound = 'no';
      this.#connected = 'no';
      this.#whenBound = null;
      this.emit('error', error);
    });
  }

  /** Finds an address of the family; names, and with a `lookup` of the user's everything, later. */
  #resolve(host: string, then: (error: Error | null, ip: string) => void): void {
    const { lookup, ownLookup, family } = this.#settings;
    if (!ownLookup && isIP(host) !== 0) then(null, host);
    else lookup(host, family, then);
  }

  #remote(address: string | undefined, then: (error: Error | null, ip: string) => void): void {
    this.#resolve(address || (this.type === 'udp4' ? '127.0.0.1' : '::1'), (error, ip) => {
      if (!this.#closed) then(error ?? this.#refusal(ip), ip);
    });
  }

  #refusal(ip: string): Error | null {
    const { sendBlockList } = this.#settings;
    const kind = isIP(ip) === 6 ? 'ipv6' : 'ipv4';
    return sendBlockList?.check(ip, kind) === true ? blocked(ip) : null;
  }

  #connect(port: number, address: string, callback: ((error?: Error) => void) | undefined): void {
    if (callback !== undefined) this.once('connect', callback);
    const failed = (error: Error) => {
      this.#connected = 'no';
      process.nextTick(() => {
        if (callback === undefined) {
          this.emit('error', error);
          return;
        }
        this.off('connect', callback);
        callback(error);
      });
    };
    this.#remote(address, (error, ip) => {
      if (error !== null) return failed(error);
      if (isIP(ip) !== this.#settings.family) return failed(invalid('connect', address, port));
      this.#changes?.change({ host: ip, port }, (failure) => {
        if (this.#closed) return;
        if (failure !== null) return failed(renamed(failure, 'connect', address, port));
        this.#connected = 'yes';
        process.nextTick(() => this.emit('connect'));
      });
    });
  }

  #sendTo(outgoing: Outgoing): void {
    this.#remote(outgoing.address, (error, ip) => {
      if (error === null) this.#sendInOrder(outgoing, ip);
      else if (outgoing.callback !== undefined) process.nextTick(outgoing.callback, error);
      else this.#fail(error);
    });
  }

  #sendInOrder(outgoing: Outgoing, ip: string | null): void {
    this.#changes?.inOrder(() => this.#hand(outgoing, ip));
  }

  /** To the channel. What it refuses only a callback gets to know. */
  #hand({ data, port, address, callback }: Outgoing, ip: string | null): void {
    const channel = this.#channel;
    const changes = this.#changes;
    if (channel === null || changes === null) return;
    const bytes = data instanceof Uint8Array ? data.byteLength : totalOf(data);
    const target = ip === null ? [] : [address, port] as const;
    const settled = (error: Error | null) => {
      changes.settled();
      if (callback === undefined) return;
      if (error === null) process.nextTick(callback, null, bytes);
      else process.nextTick(callback, renamed(error, 'send', ...target));
    };
    changes.sending();
    try {
      if (ip !== null && isIP(ip) !== this.#settings.family) throw invalid('send');
      if (ip !== null && channel.connected) throw ioError(alreadyConnected, 'send');
      const to = ip === null ? undefined : this.#targets.addressOf({ address: ip, port }, 'address');
      channel.send(data, to, { done: settled });
    } catch (error) {
      settled(error as Error);
    }
  }

  #fail(error: Error): void {
    process.nextTick(() => this.emit('error', error));
  }

  readonly #receiver: DatagramReceiver = {
    onDatagrams: (batch) => this.#receive(batch),
    onDrain() {},
    onError: (error) => {
      // Every send has somebody who is told, so that these are about earlier datagrams, or about receiving.
      if (!this.#closed) this.#fail(renamed(error, 'recvmsg'));
    },
    onClose: (error) => {
      const failed = error !== null && !this.#closed;
      this.#closed = true;
      this.#incoming.clear();
      if (failed) this.#fail(error);
      process.nextTick(() => this.emit('close'));
    },
  };

  #receive(batch: DatagramBatch): void {
    const { receiveBlockList } = this.#settings;
    for (const datagram of batch) {
      const { address: plain, family, port, data, peer } = datagram;
      if (receiveBlockList?.check(plain, family === 'IPv4' ? 'ipv4' : 'ipv6') === true) continue;
      const address = withZone(plain, peer.scopeId);
      this.#incoming.push(copyToArena(data) as Buffer, { address, family, port, size: data.byteLength });
    }
  }
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
  callback?: (data: Buffer, sender: RemoteInfo) => void,
): Socket {
  return new Socket(options, callback);
}

/** The forms of `bind`. */
function bindTarget([first, second]: readonly unknown[]): { port: unknown; address: unknown } {
  if (typeof first !== 'object' || first === null) {
    return { port: first, address: typeof second === 'function' ? '' : second };
  }
  const { fd, port, address } = first as BindOptions;
  const isDescriptor = typeof fd === 'number' && fd > 0 && (fd | 0) === fd;
  if (isDescriptor || 'recvStart' in first) {
    const advice = 'cannot be taken over: bind to an address, or use node:dgram';
    throw invalidArgumentValue(isDescriptor ? 'options.fd' : 'handle', isDescriptor ? fd : first, advice);
  }
  return { port, address };
}

function addressInfo(address: SocketAddress | null): AddressInfo {
  if (address === null) throw ioError(badDescriptor, 'getsockname');
  const { family, port, scopeId = 0 } = address;
  return { address: withZone(address.address, scopeId), family, port };
}

function totalOf(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((bytes, chunk) => bytes + chunk.byteLength, 0);
}

function validateNumber(value: unknown, name: string): asserts value is number {
  if (typeof value !== 'number') throw invalidArgumentType(name, 'of type number', value);
}
