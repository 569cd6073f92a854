import { AsyncResource } from 'node:async_hooks';
import type { SocketAddress, SocketOptionName, SocketOptions } from '@iocp/core';
import {
  DatagramAddress,
  type DatagramChannel,
  type DatagramInfo,
  type DatagramSendOptions,
  type DatagramStats,
  type HostAddress,
  IoError,
  onAbort,
  portOption,
  resolveHost,
  type SignalOptions,
  signalOf,
  validateBoolean,
  validateFunction,
  validateHost,
  validateObject,
} from '@iocp/core/layer';
import { HandlersFace } from './handlers-face.js';
import { Inbox } from './inbox.js';
import type { UdpMessage } from './message.js';
import { notConnectedError } from './send-arguments.js';
import { PAUSED_BY_USER, SocketCore } from './socket-core.js';
import { faceSettings, type UdpFaceOptions, type UdpFaceSettings } from './socket-options.js';
import { TargetCache, type UdpTarget } from './targets.js';
import { UdpChannel } from './udp-channel.js';
import { type UdpHandlers, validateHandlers } from './udp-handlers.js';

/** What can be sent: bytes, text (as UTF-8), or chunks that become one datagram. */
export type UdpData = Uint8Array | string | readonly Uint8Array[];

/** One of many datagrams to send. */
export interface OutgoingMessage {
  readonly data: UdpData;
  readonly to?: UdpTarget | undefined;
  readonly options?: DatagramSendOptions | undefined;
}

/**
 * A UDP socket, made comfortable. It has one consumer at a time: **handlers** (`handle`), or **promises and iteration**
 * (`receive`, `for await`). A second one gets `ERR_CHANNEL_CONSUMER`. Sending is open to all of them.
 *
 * Until there is a consumer datagrams wait in the system, which drops what it has no room for.
 */
export class UdpSocket {
  /** Free for the application. */
  data: unknown = undefined;
  readonly #channel: DatagramChannel;
  /** Null over a channel of another kind. */
  readonly #udp: UdpChannel | null;
  readonly #settings: UdpFaceSettings;
  readonly #core: SocketCore;
  readonly #targets = new TargetCache();
  #inbox: Inbox | null = null;

  private constructor(channel: DatagramChannel, settings: UdpFaceSettings) {
    this.#channel = channel;
    this.#udp = channel instanceof UdpChannel ? channel : null;
    this.#settings = settings;
    this.#core = new SocketCore(this, channel);
  }

  /**
   * Makes one of a channel that has no receiver: of `bindChannel` and `connectChannel`, one in memory, or one of a layer. What
   * only a socket of the system has (options, multicast, `connectTo`) throws EOPNOTSUPP over channels of other kinds.
   */
  static over(channel: DatagramChannel, handlers?: UdpHandlers, options: UdpFaceOptions = {}): UdpSocket {
    validateObject(options, 'options');
    if (handlers !== undefined) validateHandlers(handlers, 'handlers');
    const socket = new UdpSocket(channel, faceSettings(options));
    if (handlers !== undefined) socket.handle(handlers);
    return socket;
  }

  get channel(): DatagramChannel {
    return this.#channel;
  }

  get info(): DatagramInfo {
    return this.#channel.info;
  }

  /** What became of every datagram. Known also after the close. */
  get stats(): DatagramStats {
    return this.#channel.stats;
  }

  /** The most bytes that a datagram may have here: 65507 with IPv4, 65527 with IPv6. */
  get payloadBytesMax(): number {
    return this.#channel.payloadBytesMax;
  }

  /** True once the socket has closed, or is about to. */
  get closed(): boolean {
    return this.#channel.closed;
  }

  /** Whether runs of datagrams are handed to the system as one; false for good once it has refused one. */
  get offload(): boolean {
    return this.#udp?.offload ?? false;
  }

  /** Whether the system joins datagrams that arrive. */
  get receiveOffload(): boolean {
    return this.#udp?.receiveOffload ?? false;
  }

  /** Where it receives. Known also after the close. */
  address(): SocketAddress {
    const { family = 'IPv4', localAddress = '', localPort = 0 } = this.info;
    return { family, address: localAddress, port: localPort };
  }

  /** The peer it is connected to, or null. */
  remoteAddress(): SocketAddress | null {
    const { family = 'IPv4', remoteAddress, remotePort } = this.info;
    if (remoteAddress === undefined || remotePort === undefined) return null;
    return { family, address: remoteAddress, port: remotePort };
  }

  /**
   * Handlers, the fast path. One object serves any number of sockets.
   * @param options `lend` overrides that of the socket
   * @throws {ChannelError} `ERR_CHANNEL_CONSUMER` when there is a consumer already
   */
  handle(handlers: UdpHandlers, options?: Pick<UdpFaceOptions, 'lend'>): void {
    validateHandlers(handlers, 'handlers');
    const { lend = this.#settings.lend } = options ?? {};
    validateBoolean(lend, 'options.lend');
    this.#core.claim(new HandlersFace(handlers, lend));
  }

  /**
   * The next datagram, the application's own; null once the socket has closed. Several may wait: they are served in order.
   * On a connected socket it rejects with what the network has answered (ECONNREFUSED, …) and with sends that were refused;
   * the socket goes on. Rejects with the error that closed the socket.
   * @param options when `signal` fires, the wait is taken back and nothing is lost
   */
  async receive(options?: SignalOptions): Promise<UdpMessage | null> {
    const signal = signalOf(options);
    const messages = await this.#claimInbox().take(1, signal);
    return messages?.[0] ?? null;
  }

  /** All datagrams that are there at once, again and again, until the socket closes. Leaving the loop does not close it. */
  [Symbol.asyncIterator](): AsyncGenerator<UdpMessage[], void, undefined> {
    return this.batches();
  }

  /** As iterating over the socket, with a `signal` that ends the loop by an exception. */
  batches(options?: SignalOptions): AsyncGenerator<UdpMessage[], void, undefined> {
    return this.#claimInbox().batches(signalOf(options));
  }

  /**
   * Queues a datagram; all that is sent in one turn leaves together at its end. Bytes are copied at once, or kept when
   * they are lent.
   * @param to where to; left out on a connected socket. Numeric: see `lookup` for names
   * @param options `done` keeps its async context
   * @returns false when it was dropped (`overflow: 'drop-new'`), or not taken (`'block'`: send it again after `drain`,
   * `whenDrained()`), or the socket has closed
   * @throws `ERR_SOCKET_DGRAM_NOT_CONNECTED`, `ERR_SOCKET_DGRAM_IS_CONNECTED`, and for bad arguments
   */
  send(data: UdpData, to?: UdpTarget, options?: DatagramSendOptions): boolean {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    const target = to === undefined ? undefined : this.#targets.addressOf(to, 'to');
    const taken = this.#channel.send(bytes, target, options === undefined ? options : inContext(options));
    if (!taken) this.#core.refused();
    return taken;
  }

  /**
   * Sends one datagram after the other, and stops at the first that is not taken.
   * @returns how many were taken
   */
  sendMany(messages: Iterable<OutgoingMessage>): number {
    let taken = 0;
    for (const { data, to, options } of messages) {
      if (!this.send(data, to, options)) break;
      taken++;
    }
    return taken;
  }

  /**
   * Finds the address of a name once, to send to it any number of times. Of several the first that the socket can send to.
   * Rejects with an `IoError`: ENOTFOUND, EAI_AGAIN, …, and with `signal.reason`.
   */
  async lookup(host: string, port: number, options?: SignalOptions): Promise<DatagramAddress> {
    const signal = signalOf(options);
    validateHost(host, 'host');
    const checkedPort = portOption(port, 'port', 0);
    const family = this.info.family === 'IPv4' ? 4 : 0;
    const { lookup } = this.#settings;
    const [first] = await resolveHost({ host, port: checkedPort, family, lookup, signal });
    return DatagramAddress.of((first as HostAddress).address, checkedPort);
  }

  /** Resolves when there is room to send: at once, or with the next drain. Rejects when the socket closes first. */
  async whenDrained(options?: SignalOptions): Promise<void> {
    const signal = signalOf(options);
    signal?.throwIfAborted();
    let stopListening: (() => void) | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        const forget = this.#core.onceDrained({ resolve, reject });
        stopListening = onAbort(signal, () => {
          forget();
          reject(signal?.reason);
        });
      });
    } finally {
      stopListening?.();
    }
  }

  /** No datagrams until `resume()`: they wait in the system, which drops what it has no room for. */
  pause(): this {
    this.#core.holdBack(PAUSED_BY_USER);
    return this;
  }

  resume(): this {
    this.#core.letFlow(PAUSED_BY_USER);
    return this;
  }

  /**
   * Receives what is sent to a multicast group, from any sender.
   * @param group numeric address
   * @param networkInterface name, index as text, or one of the addresses of an interface. Default: the system chooses
   * @throws {IoError} the system's error: EADDRINUSE for a second time, ENODEV without such an interface, …
   */
  addMembership(group: string, networkInterface?: string): this {
    return this.#change('join', group, undefined, networkInterface);
  }

  /** Leaves a group again. @throws {IoError} EADDRNOTAVAIL for one that was not joined, … */
  dropMembership(group: string, networkInterface?: string): this {
    return this.#change('leave', group, undefined, networkInterface);
  }

  /** Receives what one sender sends to a group (source-specific multicast, RFC 4607). As `addMembership`. */
  addSourceSpecificMembership(source: string, group: string, networkInterface?: string): this {
    return this.#change('join', group, source, networkInterface);
  }

  /** Leaves it again. */
  dropSourceSpecificMembership(source: string, group: string, networkInterface?: string): this {
    return this.#change('leave', group, source, networkInterface);
  }

  /** The value of a socket option now. @throws {IoError} the system's error, or `ERR_CHANNEL_CLOSED`. */
  getOption<Name extends SocketOptionName>(name: Name): NonNullable<SocketOptions[Name]> {
    return this.#requireUdp().socket.getOption(name);
  }

  /** Sets a socket option. @throws {IoError} the system's error, or `ERR_CHANNEL_CLOSED`. */
  setOption<Name extends SocketOptionName>(name: Name, value: NonNullable<SocketOptions[Name]>): this {
    this.#requireUdp().socket.setOption(name, value);
    return this;
  }

  /**
   * Connects to one peer, anew when it is connected: see `connect`. Rejects with the system's error, or
   * `ERR_CHANNEL_CLOSED`.
   */
  async connectTo(remote: UdpTarget): Promise<void> {
    const udp = this.#requireUdp();
    const { address, port, scopeId } = this.#targets.addressOf(remote, 'remote');
    await udp.connectTo({ host: scopeId === 0 ? address : `${address}%${scopeId}`, port });
  }

  /** Takes the connection back. Rejects with `ERR_SOCKET_DGRAM_NOT_CONNECTED`, the system's error, or `ERR_CHANNEL_CLOSED`. */
  async disconnect(): Promise<void> {
    const udp = this.#requireUdp();
    if (!udp.connected) throw notConnectedError('there is nothing to disconnect');
    await udp.connectTo(null);
  }

  /** The socket keeps the process alive (the default). */
  ref(): this {
    this.#udp?.ref();
    return this;
  }

  /** The process may end while the socket is open. */
  unref(): this {
    this.#udp?.unref();
    return this;
  }

  /** Sends what is queued and closes. Resolves when closed; rejects with the error that closes it meanwhile. */
  async close(): Promise<void> {
    if (this.#core.closed) return;
    this.#channel.close();
    const error = await this.whenClosed();
    if (error !== null) throw error;
  }

  /** Resolves when the socket has closed: with null, or with the error that closed it. Never rejects. */
  whenClosed(): Promise<Error | null> {
    return new Promise((resolve) => this.#core.onceClosed(resolve));
  }

  /** Closes now: what is queued is dropped and counted. `reason` goes to the `done` of what is dropped, and to `close`. */
  abort(reason?: Error): void {
    this.#channel.abort(reason);
  }

  /** `close()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #claimInbox(): Inbox {
    if (this.#inbox !== null) return this.#inbox;
    const inbox = new Inbox(this.#core, this.#settings.receiveQueueMax);
    this.#core.claim(inbox);
    this.#inbox = inbox;
    return inbox;
  }

  #change(
    action: 'join' | 'leave',
    group: string,
    source: string | undefined,
    networkInterface: string | undefined,
  ): this {
    this.#requireUdp().changeMembership({ action, group, source, interface: networkInterface });
    return this;
  }

  #requireUdp(): UdpChannel {
    if (this.#udp === null) {
      const { protocols } = this.info;
      throw new IoError(`This is no socket of the system but a channel of ${protocols.join(' + ')}`, {
        code: 'EOPNOTSUPP',
      });
    }
    this.#udp.requireOpen();
    return this.#udp;
  }
}

/** The same options, whose `done` runs in the async context of the place that passed it. */
function inContext(options: DatagramSendOptions): DatagramSendOptions {
  validateObject(options, 'options');
  const { done } = options;
  if (done === undefined) return options;
  validateFunction(done, 'options.done');
  return { ...options, done: AsyncResource.bind(done, 'IOCP_UDP_SEND') };
}
