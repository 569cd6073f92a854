import type { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  AcceptQueue,
  asError,
  ChannelError,
  type SignalOptions,
  signalOf,
  throwLater,
  validateBytes,
  validateFunction,
  validateInteger,
  validateObject,
} from '@iocp/core/layer';
import type { TcpListener } from '@iocp/tcp';
import { closePayload } from '../codec/close-payload.js';
import { CloseCode } from '../codec/frame.js';
import { handlersFace } from '../connection/handlers-face.js';
import { openConnection, type WebSocketConnection } from '../connection/websocket-connection.js';
import type { Sendable } from '../prepared.js';
import { acceptChannel, debug, refuseChannel } from './diagnostics.js';
import { durationMsMax, type HandshakeOptions, pathFilter } from './handshake-options.js';
import type { HttpFront } from './http-front.js';
import { mediumOf } from './medium.js';
import { type Offer, pathOf } from './offer.js';
import { Refusal } from './refusal.js';
import type { WebSocketServerHandlers, WebSocketServerSettings } from './server-options.js';
import { sendToAll, Topics } from './topics.js';
import { type Gate, type Outcome, type Upgraded, upgrade } from './upgrade.js';
import { attach } from './upgrade-switch.js';
import type { ClientWatch } from './verification.js';

/** Counts of a server at one moment. */
export interface WebSocketServerStats {
  /** WebSockets open. */
  readonly connections: number;
  /** Connections that wait for `accept()`. */
  readonly queued: number;
  /** Handshakes that wait for `verify`. */
  readonly handshakes: number;
  /** WebSockets opened since the beginning. */
  readonly accepted: number;
  /** Requests refused, by status. */
  readonly refused: Readonly<Record<number, number>>;
  /** Clients that left before they had an answer. */
  readonly abandoned: number;
  /** Topics that somebody has subscribed to. */
  readonly topics: number;
}

export interface BroadcastOptions {
  /** Default: strings are text, bytes are binary. */
  readonly binary?: boolean | undefined;
  /** Default: where compression was agreed on, from its `threshold` on. */
  readonly compress?: boolean | undefined;
  /** Gets nothing: whoever the message is from. */
  readonly except?: WebSocketConnection | undefined;
}

/** How a server closes. */
export interface WebSocketServerCloseOptions {
  /** Said to clients. Default 1001, going away. */
  readonly code?: number | undefined;
  /** At most 123 bytes of UTF-8. Default empty. */
  readonly reason?: string | undefined;
  /**
   * Time for connections to end by themselves, in milliseconds; the rest is then aborted. 0 aborts them at once, `Infinity`
   * waits for ever. Default 30000.
   */
  readonly graceMs?: number | undefined;
}

/** How a server takes requests of an `http.Server`. */
export interface AttachOptions {
  /** What it serves there, in the place of its option `paths`. */
  readonly paths?: HandshakeOptions['paths'];
}

/** What belongs to a port of its own. */
export interface OwnPort {
  readonly listener: TcpListener;
  readonly front: HttpFront;
}

/**
 * Opens WebSockets, at a port of its own (`listen`) or for any `http.Server` (`createWebSocketServer`), and knows those that are
 * open.
 */
export class WebSocketServer {
  readonly #settings: WebSocketServerSettings;
  readonly #handlers: WebSocketServerHandlers | null;
  readonly #connections = new Set<WebSocketConnection>();
  readonly #topics: Topics;
  readonly #queue = new AcceptQueue<WebSocketConnection>();
  readonly #detachments = new Set<() => void>();
  readonly #refused: Record<number, number> = {};
  readonly #watches = new Set<ClientWatch>();
  #ownPort: OwnPort | null = null;
  #handshakes = 0;
  #accepted = 0;
  #abandoned = 0;
  #closing: Promise<void> | null = null;
  #allClosed: (() => void) | undefined;

  /** @internal `listen` and `createWebSocketServer` make them. */
  constructor(settings: WebSocketServerSettings, handlers: WebSocketServerHandlers | undefined) {
    this.#settings = settings;
    this.#handlers = handlers ?? null;
    // Says at once, instead of to the first client, what is wrong with them.
    if (handlers !== undefined) handlersFace(handlers, settings.handshake.connection.lend);
    if (handlers?.refused !== undefined) validateFunction(handlers.refused, 'handlers.refused');
    this.#topics = new Topics(settings.topicsPerConnectionMax, (connection) => this.#closed(connection));
  }

  /** @internal */
  setOwnPort(ownPort: OwnPort): void {
    this.#ownPort = ownPort;
  }

  /** Where it listens; null without a port of its own. For a Unix socket `address` is the path. */
  address(): ReturnType<TcpListener['address']> | null {
    return this.#ownPort?.listener.address() ?? null;
  }

  /** What accepts the connections of its own port. */
  get listener(): TcpListener | null {
    return this.#ownPort?.listener ?? null;
  }

  /** The WebSockets that are open. */
  get connections(): ReadonlySet<WebSocketConnection> {
    return this.#connections;
  }

  get stats(): WebSocketServerStats {
    return {
      connections: this.#connections.size,
      queued: this.#queue.length,
      handshakes: this.#handshakes,
      accepted: this.#accepted,
      refused: { ...this.#refused },
      abandoned: this.#abandoned,
      topics: this.#topics.count,
    };
  }

  /** True from `close()` on. */
  get closed(): boolean {
    return this.#closing !== null;
  }

  /**
   * Makes a WebSocket of a request to upgrade, in whatever way it came: the arguments are those of the event `'upgrade'` of
   * `http.Server`. A refused request is answered with its status.
   * @param stream belongs to the server from here on: a stream of ours, a `net.Socket`, or any other
   * @returns resolves, without delay unless `verify` makes one, to the connection, which the handlers have had by then; to null
   * when it was refused or the client has left
   * @throws rejects with `ERR_CHANNEL_CONSUMER` when the stream was taken over before
   */
  handleUpgrade(
    request: IncomingMessage,
    stream: Duplex,
    head: Uint8Array,
  ): Promise<WebSocketConnection | null> {
    return this.#upgrade(request, stream, head, this.#settings.handshake.servesPath);
  }

  /**
   * Takes requests for WebSockets of an `http.Server` or `https.Server`, from now until `close()`; plain requests stay with the
   * server. Several may be attached to one, and are told apart by their paths. What none of them serves gets 404, unless
   * there are other listeners of `'upgrade'`: then it is left to them.
   * @returns takes it away again
   */
  attachTo(server: EventEmitter, options: AttachOptions = {}): () => void {
    validateObject(server, 'server');
    validateObject(options, 'options');
    this.#requireOpen();
    const { paths } = options;
    const servesPath =
      paths === undefined ? this.#settings.handshake.servesPath : pathFilter(paths, 'options.paths');
    const detach = attach(server, {
      servesPath: (path, request) => servesSafely(servesPath, path, request),
      upgrade: (request, stream, head) => this.#run(request, stream, head, everyPath),
      refuseUnknown: (request, stream, head) => this.#run(request, stream, head, noPath),
    });
    const takeAway = () => {
      this.#detachments.delete(takeAway);
      detach();
    };
    this.#detachments.add(takeAway);
    return takeAway;
  }

  /**
   * The next connection; null once the server has closed. Several may wait: they are served in order.
   * @param options when `signal` fires the promise rejects with its reason; no connection is lost
   * @throws {ChannelError} `ERR_CHANNEL_CONSUMER` when handlers get the connections
   */
  async accept(options?: SignalOptions): Promise<WebSocketConnection | null> {
    const signal = signalOf(options);
    if (this.#handlers !== null) throw consumedAlready();
    return this.#queue.take(signal);
  }

  /** Connections until the server closes. Leaving the loop does not close it. */
  async *[Symbol.asyncIterator](): AsyncGenerator<WebSocketConnection, void, undefined> {
    for (let next = await this.accept(); next !== null; next = await this.accept()) yield next;
  }

  /**
   * Sends to all connections: the message is framed once, and compressed once.
   * @returns how many took it
   */
  broadcast(data: Sendable, options: BroadcastOptions = {}): number {
    validateObject(options, 'options');
    const { binary, compress, except = null } = options;
    return sendToAll(this.#connections, except, data, binary, compress);
  }

  /** Sends to all that have subscribed to `topic`. @returns how many took it */
  publish(topic: string, data: Sendable, binary?: boolean, compress?: boolean): number {
    return this.#topics.publish(null, topic, data, binary, compress);
  }

  /** How many connections have subscribed to `topic`. */
  subscribersOf(topic: string): number {
    return this.#topics.subscribersOf(topic);
  }

  /** Its own port keeps the process alive (the default). */
  ref(): this {
    this.#ownPort?.listener.ref();
    return this;
  }

  /** The process may end while it listens. */
  unref(): this {
    this.#ownPort?.listener.unref();
    return this;
  }

  /**
   * Takes no more requests, closes the WebSockets in order, and ends plain HTTP connections of its own port once they are
   * answered. Resolves when all are closed. May be called again to shorten the time.
   * @throws `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   */
  async close(options: WebSocketServerCloseOptions = {}): Promise<void> {
    validateObject(options, 'options');
    const { code = CloseCode.GOING_AWAY, reason = '', graceMs = 30_000 } = options;
    if (graceMs !== Number.POSITIVE_INFINITY) validateInteger(graceMs, 'options.graceMs', 0, durationMsMax);
    closePayload(code, reason);
    this.#closing ??= this.#closeAll(code, reason);
    await this.#within(graceMs, this.#closing);
  }

  /** `close()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** For `http.Server`, which waits for nothing. */
  #run(request: IncomingMessage, stream: Duplex, head: Uint8Array, servesPath: ServesPath): void {
    this.#upgrade(request, stream, head, servesPath).catch(throwLater);
  }

  async #upgrade(
    request: IncomingMessage,
    stream: Duplex,
    head: Uint8Array,
    servesPath: ServesPath,
  ): Promise<WebSocketConnection | null> {
    validateBytes(head, 'head');
    this.#handshakes++;
    try {
      // Nothing is awaited that is there: without `verify` the connection is open when the event is over.
      const found = mediumOf(request, stream, head);
      const medium = found instanceof Promise ? await found : found;
      const gate: Gate = {
        watches: this.#watches,
        refusalOf: (_request, offer) => this.#refusalOf(request, offer, servesPath),
      };
      const settled =
        medium === null ? null : upgrade(request, medium, this.#settings.handshake, this.#topics, gate);
      return this.#settle(request, settled instanceof Promise ? await settled : settled);
    } finally {
      this.#handshakes--;
      this.#closeIfEmpty();
    }
  }

  #settle(request: IncomingMessage, outcome: Outcome): WebSocketConnection | null {
    if (outcome !== null && !(outcome instanceof Refusal)) return this.#opened(outcome);
    if (outcome === null) this.#abandoned++;
    else this.#onRefused(request, outcome);
    return null;
  }

  #refusalOf(request: IncomingMessage, { target }: Offer, servesPath: ServesPath): Refusal | null {
    const { connectionsMax, acceptQueueMax } = this.#settings;
    if (servesPath(pathOf(target), request) !== true) return new Refusal(404, 'There is no WebSocket here');
    if (this.closed) return serverCloses();
    const unclaimed = this.#handlers === null && this.#queue.length >= acceptQueueMax;
    // The one that asks is among the handshakes.
    const full = this.#connections.size + this.#handshakes > connectionsMax;
    return full || unclaimed ? new Refusal(503, 'The server has as many connections as it takes') : null;
  }

  #opened({ setup, data }: Upgraded): WebSocketConnection {
    const connection = openConnection(setup);
    connection.data = data;
    this.#connections.add(connection);
    this.#accepted++;
    if (acceptChannel.hasSubscribers) acceptChannel.publish({ server: this, connection });
    if (this.closed) void connection.close(CloseCode.GOING_AWAY);
    else if (this.#handlers !== null) connection.handle(this.#handlers);
    else this.#queue.push(connection);
    return connection;
  }

  #onRefused(request: IncomingMessage, { status, body, cause }: Refusal): void {
    this.refusedWith(status);
    debug('refused %s with %d: %s', request.url, status, cause ?? body);
    const error = cause === undefined ? undefined : asError(cause);
    if (refuseChannel.hasSubscribers) refuseChannel.publish({ server: this, request, status, error });
    try {
      this.#handlers?.refused?.(request, status, error);
    } catch (thrown) {
      throwLater(thrown);
    }
  }

  /** @internal Counts. */
  refusedWith(status: number): void {
    this.#refused[status] = (this.#refused[status] ?? 0) + 1;
  }

  #closed(connection: WebSocketConnection): void {
    this.#connections.delete(connection);
    this.#closeIfEmpty();
  }

  #closeIfEmpty(): void {
    if (this.#connections.size + this.#handshakes === 0) this.#allClosed?.();
  }

  async #closeAll(code: number, reason: string): Promise<void> {
    for (const takeAway of [...this.#detachments]) takeAway();
    for (const connection of this.#queue.close()) connection.terminate();
    for (const watch of this.#watches) watch.conclude(serverCloses());
    const ownPort = this.#ownPort;
    const portClosed = ownPort?.listener.close({ graceMs: Number.POSITIVE_INFINITY });
    for (const connection of this.#connections) void connection.close(code, reason);
    ownPort?.front.close();
    if (this.#connections.size + this.#handshakes > 0) {
      await new Promise<void>((resolve) => (this.#allClosed = resolve));
    }
    await portClosed;
  }

  /** Waits for `closing`; when the time is over, hurries it. */
  async #within(graceMs: number, closing: Promise<void>): Promise<void> {
    const hurry = () => {
      for (const connection of this.#connections) connection.terminate();
      void this.#ownPort?.listener.close({ graceMs: 0 });
    };
    if (graceMs === 0) hurry();
    const limited = graceMs > 0 && graceMs !== Number.POSITIVE_INFINITY;
    const timer = limited ? setTimeout(hurry, graceMs) : undefined;
    await closing;
    clearTimeout(timer);
  }

  #requireOpen(): void {
    if (this.closed) throw new ChannelError('ERR_CHANNEL_CLOSED', 'The server has closed');
  }
}

type ServesPath = (path: string, request: IncomingMessage) => boolean;

const everyPath: ServesPath = () => true;
const noPath: ServesPath = () => false;

/** What the application's function throws must not disturb `http.Server`. */
function servesSafely(servesPath: ServesPath, path: string, request: IncomingMessage): boolean {
  try {
    return servesPath(path, request) === true;
  } catch (error) {
    throwLater(error);
    return false;
  }
}

function serverCloses(): Refusal {
  return new Refusal(503, 'The server is closing');
}

function consumedAlready(): ChannelError {
  return new ChannelError('ERR_CHANNEL_CONSUMER', 'The handlers of this server get its connections');
}
