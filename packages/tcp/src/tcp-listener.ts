import type { AsyncResource } from 'node:async_hooks';
import type { EventEmitter } from 'node:events';
import type { CompletionHandler, Socket, SocketAddress } from '@iocp/core';
import {
  AcceptQueue,
  type Channel,
  ChannelError,
  type ChannelInfo,
  type IoError,
  type SignalOptions,
  signalOf,
  throwLater,
  validateInteger,
  validateObject,
} from '@iocp/core/layer';
import { AcceptLoop, type AcceptOwner, type AcceptPause } from './accept-loop.js';
import { durationMsMax } from './connection-options.js';
import {
  acceptChannel,
  acceptPauseChannel,
  debug,
  dropChannel,
  handshakeFailedChannel,
} from './diagnostics.js';
import { type HandshakeOwner, Handshakes } from './handshakes.js';
import type { ListenSettings } from './listen-options.js';
import { TcpChannel, type TcpChannelOwner } from './tcp-channel.js';
import { TcpConnection } from './tcp-connection.js';
import { type ListenHandlers, validateHandlers } from './tcp-handlers.js';

/** Counts of a listener at one moment. */
export interface ListenerStats {
  /** Connections open, those that wait for `accept()` or for their handshake included. */
  readonly connections: number;
  /** Connections that wait for `accept()`. */
  readonly queued: number;
  /** Handshakes under way. */
  readonly handshakes: number;
  /** Connections accepted since the beginning, dropped ones not counted. */
  readonly accepted: number;
  /** Connections reset because there were `connectionsMax` already. */
  readonly dropped: number;
  readonly handshakesFailed: number;
  /** Accepts the system refused. */
  readonly acceptErrors: number;
  /** Why nothing is accepted at present; empty when it is. `'exhausted'`: no descriptors or memory left. */
  readonly acceptPaused: readonly AcceptPause[];
}

/** How a listener closes. */
export interface ListenerCloseOptions {
  /**
   * Time for the open connections to end by themselves, in milliseconds; the rest is then aborted. 0 aborts them at
   * once, `Infinity` waits for ever. Default 30000.
   */
  readonly graceMs?: number | undefined;
}

const ignoreCompletion: CompletionHandler = { asyncResource: null, onCompletion() {} };

/** Accepts connections on an address or path. Made by `listen`. */
export class TcpListener implements AcceptOwner, HandshakeOwner, TcpChannelOwner {
  readonly #settings: ListenSettings;
  readonly #address: SocketAddress;
  readonly #context: AsyncResource;
  readonly #loop: AcceptLoop;
  readonly #handshakes: Handshakes;
  readonly #channels = new Set<TcpChannel>();
  /** Accepted while a pause was on its way; admitted when there is room. */
  readonly #surplus: Socket[] = [];
  readonly #queue = new AcceptQueue<TcpConnection>();
  readonly #releasePath: () => void;
  /** Who gets the connections: undefined until someone asks, null for `accept()`. */
  #serve: ((connection: TcpConnection) => void) | null | undefined;
  #handlers: ListenHandlers | null = null;
  #accepted = 0;
  #dropped = 0;
  #handshakesFailed = 0;
  #holdsLoop = true;
  #failure: IoError | null = null;
  #closing: Promise<void> | null = null;
  #graceTimer: NodeJS.Timeout | undefined;
  #graceEndsAt = Number.POSITIVE_INFINITY;
  #allEnded: (() => void) | undefined;

  /** For `listen`. `releasePath` removes what the path of a Unix socket left in the file system. */
  constructor(socket: Socket, settings: ListenSettings, context: AsyncResource, releasePath: () => void) {
    this.#settings = settings;
    this.#context = context;
    this.#releasePath = releasePath;
    this.#address = Object.freeze(socket.address() as SocketAddress);
    this.#loop = new AcceptLoop(socket, this, context);
    this.#handshakes = new Handshakes(settings.layers, this);
    settings.connection.port.ref();
  }

  /** Where it listens; for a Unix socket `address` is the path. Known also after the close. */
  address(): SocketAddress {
    return this.#address;
  }

  /** Connections open, those that wait for `accept()` or for their handshake included. */
  get connections(): number {
    return this.#channels.size;
  }

  get stats(): ListenerStats {
    return {
      connections: this.#channels.size,
      queued: this.#queue.length,
      handshakes: this.#handshakes.count,
      accepted: this.#accepted,
      dropped: this.#dropped,
      handshakesFailed: this.#handshakesFailed,
      acceptErrors: this.#loop.errors,
      acceptPaused: this.#loop.pauses,
    };
  }

  /** True from `close()` on. */
  get closed(): boolean {
    return this.#closing !== null;
  }

  /**
   * Hands every connection to `handlers`, which may be shared by any number of connections and listeners.
   * @throws {ChannelError} `ERR_CHANNEL_CONSUMER` when connections go somewhere else already
   */
  handle(handlers: ListenHandlers): void {
    validateHandlers(handlers, 'handlers');
    this.#claim((connection) => connection.handle(handlers));
    this.#handlers = handlers;
  }

  /**
   * Serves every connection with an `http.Server`, `tls.Server`, or anything else that takes sockets by the event
   * `'connection'`. Close the listener, not the server, to stop. The streams are half-open, as those of `http.Server`
   * are: who takes them ends them.
   * @throws {ChannelError} `ERR_CHANNEL_CONSUMER` when connections go somewhere else already
   */
  attachTo(server: EventEmitter): void {
    validateObject(server, 'server');
    // With TLS on top, ending with the peer would cut off what is still to be encrypted and sent.
    const options = { allowHalfOpen: true };
    this.#claim((connection) => server.emit('connection', connection.toDuplex(options)));
  }

  /**
   * The next connection; null once the listener has closed. Several may wait: they are served in order. At most
   * `acceptQueueMax` connections wait here, the rest in the system's backlog.
   * @param options when `signal` fires the promise rejects with its reason; no connection is lost
   * @throws {ChannelError} `ERR_CHANNEL_CONSUMER` when handlers get the connections
   */
  async accept(options?: SignalOptions): Promise<TcpConnection | null> {
    const signal = signalOf(options);
    if (this.#serve !== null) this.#claim(null);
    const connection = await this.#queue.take(signal);
    this.#makeRoom();
    return connection;
  }

  /** Connections until the listener closes. Leaving the loop does not close it. */
  async *[Symbol.asyncIterator](): AsyncGenerator<TcpConnection, void, undefined> {
    for (let connection = await this.accept(); connection !== null; connection = await this.accept())
      yield connection;
  }

  /** The listener keeps the process alive (the default). */
  ref(): this {
    if (!this.#holdsLoop && !this.closed) {
      this.#holdsLoop = true;
      this.#settings.connection.port.ref();
    }
    return this;
  }

  /** The process may end while it listens. */
  unref(): this {
    if (this.#holdsLoop) {
      this.#holdsLoop = false;
      this.#settings.connection.port.unref();
    }
    return this;
  }

  /**
   * Stops accepting at once, aborts connections that nobody has taken yet, and waits for the others to end. Resolves when
   * all are closed. May be called again to shorten the time.
   */
  async close(options: ListenerCloseOptions = {}): Promise<void> {
    validateObject(options, 'options');
    const { graceMs = 30_000 } = options;
    if (graceMs !== Number.POSITIVE_INFINITY) validateInteger(graceMs, 'options.graceMs', 0, durationMsMax);
    this.#closing ??= this.#closeAll();
    this.#limitGrace(graceMs);
    await this.#closing;
  }

  /** `close()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** For the accept loop. */
  accepted(socket: Socket): void {
    const { connectionsMax, connectionsPolicy } = this.#settings;
    if (connectionsPolicy === 'drop' && this.#channels.size >= connectionsMax) this.#drop(socket);
    else if (this.#hasRoom()) this.#admit(socket);
    else this.#surplus.push(socket);
  }

  /** For the accept loop. */
  pausesChanged(pauses: readonly AcceptPause[]): void {
    debug('%o accepts %s', this.#address, pauses.length === 0 ? 'again' : `nothing: ${pauses.join(', ')}`);
    if (acceptPauseChannel.hasSubscribers) acceptPauseChannel.publish({ listener: this, pauses });
  }

  /** For the accept loop. */
  acceptFailed(error: IoError): void {
    this.#failure = error;
    // The port was closed on purpose; anything else must not go unseen when there is no accept() to reject.
    if (this.#serve !== null && !this.#settings.connection.port.closed) throwLater(error);
    void this.close({ graceMs: Number.POSITIVE_INFINITY });
  }

  /** For channels. */
  channelClosed(channel: TcpChannel): void {
    this.#channels.delete(channel);
    if (this.#channels.size === 0) this.#allEnded?.();
    this.#loop.retry();
    this.#makeRoom();
  }

  /** For handshakes. */
  get tellsOfFailures(): boolean {
    const heard = this.#handlers?.handshakeError !== undefined;
    return heard || handshakeFailedChannel.hasSubscribers || debug.enabled;
  }

  /** For handshakes. */
  handshakeDone(tcp: TcpChannel, top: Channel): void {
    if (this.closed) top.abort(listenerClosed());
    else this.#offer(new TcpConnection(top, tcp, this.#settings.connection));
    this.#makeRoom();
  }

  /** For handshakes. */
  handshakeFailed(info: ChannelInfo, error: Error): void {
    this.#handshakesFailed++;
    debug('%o handshake with %o failed: %s', this.#address, info, error.message);
    if (handshakeFailedChannel.hasSubscribers)
      handshakeFailedChannel.publish({ listener: this, error, info });
    this.#makeRoom();
    this.#call(() => this.#handlers?.handshakeError?.(error, info));
  }

  #claim(serve: ((connection: TcpConnection) => void) | null): void {
    if (this.#serve !== undefined) throw consumedAlready();
    this.#serve = serve;
    this.#loop.start();
  }

  /** Pauses accepting for every bound that is reached. True when none is. */
  #hasRoom(): boolean {
    const { connectionsMax, connectionsPolicy, acceptQueueMax, handshakesMax } = this.#settings;
    const full = connectionsPolicy === 'pause' && this.#channels.size >= connectionsMax;
    const unclaimed = this.#queue.length >= acceptQueueMax;
    const shaking = this.#handshakes.count >= handshakesMax;
    this.#bound('connections-max', full);
    this.#bound('accept-queue', unclaimed);
    this.#bound('handshakes-max', shaking);
    return !full && !unclaimed && !shaking;
  }

  #bound(pause: AcceptPause, reached: boolean): void {
    if (reached) this.#loop.pause(pause);
    else this.#loop.resume(pause);
  }

  #makeRoom(): void {
    while (this.#hasRoom()) {
      const socket = this.#surplus.shift();
      if (socket === undefined) return;
      this.#admit(socket);
    }
  }

  #admit(socket: Socket): void {
    const channel = new TcpChannel(socket, this.#settings.connection, this.#context);
    channel.setOwner(this);
    this.#channels.add(channel);
    this.#accepted++;
    if (this.#settings.layers.layers.length > 0) void this.#handshakes.start(channel);
    else this.#offer(new TcpConnection(channel, channel, this.#settings.connection));
    this.#hasRoom();
  }

  #offer(connection: TcpConnection): void {
    if (acceptChannel.hasSubscribers) acceptChannel.publish({ listener: this, connection });
    const serve = this.#serve;
    if (serve) this.#call(() => serve(connection));
    else this.#queue.push(connection);
  }

  /** What a handler throws must not disturb the listener. */
  #call(handler: () => void): void {
    try {
      handler();
    } catch (error) {
      throwLater(error);
    }
  }

  #drop(socket: Socket): void {
    this.#dropped++;
    const drop = this.#handlers?.drop;
    const peer = drop !== undefined || dropChannel.hasSubscribers ? socket.peer() : null;
    socket.port.submitClose(socket, ignoreCompletion, true);
    if (dropChannel.hasSubscribers) dropChannel.publish({ listener: this, peer });
    if (drop !== undefined) this.#call(() => this.#handlers?.drop?.(peer));
  }

  async #closeAll(): Promise<void> {
    this.#releasePath();
    const socketClosed = this.#loop.close();
    const reason = listenerClosed();
    for (const socket of this.#surplus.splice(0)) socket.port.submitClose(socket, ignoreCompletion, true);
    for (const connection of this.#queue.close(this.#failure)) connection.abort(reason);
    this.#handshakes.abort(reason);
    await socketClosed;
    if (this.#channels.size > 0) await new Promise<void>((resolve) => (this.#allEnded = resolve));
    clearTimeout(this.#graceTimer);
    this.unref();
  }

  #limitGrace(graceMs: number): void {
    const endsAt = performance.now() + graceMs;
    if (endsAt >= this.#graceEndsAt || this.#channels.size === 0) return;
    this.#graceEndsAt = endsAt;
    clearTimeout(this.#graceTimer);
    if (graceMs === 0) this.#abortConnections();
    else this.#graceTimer = setTimeout(() => this.#abortConnections(), graceMs);
  }

  #abortConnections(): void {
    const message = 'The listener has closed, and the connection had not ended within graceMs';
    const reason = new ChannelError('ERR_CHANNEL_ABORTED', message);
    for (const channel of this.#channels) channel.abort(reason);
  }
}

function consumedAlready(): ChannelError {
  return new ChannelError(
    'ERR_CHANNEL_CONSUMER',
    'The connections of this listener go somewhere else already: handlers and accept() exclude each other',
  );
}

function listenerClosed(): ChannelError {
  return new ChannelError('ERR_CHANNEL_ABORTED', 'The listener has closed before anyone took the connection');
}
