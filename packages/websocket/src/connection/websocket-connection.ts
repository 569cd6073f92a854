import {
  ChannelError,
  type ChannelInfo,
  invalidArgumentType,
  onAbort,
  outOfRange,
  type SignalOptions,
  signalOf,
  validateBoolean,
} from '@iocp/core/layer';
import { closePayload } from '../codec/close-payload.js';
import { controlPayloadMax, Opcode } from '../codec/frame.js';
import { PreparedMessage, type Sendable } from '../prepared.js';
import { handlersFace, type WebSocketHandlers } from './handlers-face.js';
import { type CloseFacts, Link, type LinkSetup, PAUSED_BY_USER } from './link.js';
import { discardingFace } from './message-face.js';
import { type Message, MessageIterator, MessageReader } from './message-reader.js';
import { MessageWriter } from './message-writer.js';
import type { SendStatus } from './sender.js';
import type { TopicMembership } from './topic-membership.js';

/** What is known of a connection from its handshake. */
export interface ConnectionSetup extends LinkSetup {
  /** The subprotocol agreed on; empty: none. */
  readonly protocol: string;
  /** The extensions agreed on, as in the header; empty: none. */
  readonly extensions: string;
  /** Path and query of the request. */
  readonly path: string;
  /** Servers: who knows the topics. */
  readonly topics: TopicMembership | null;
}

const noBytes = new Uint8Array(0);

/**
 * A WebSocket connection, of a server or a client. It has one consumer at a time: **handlers** (`handle`) or **iteration**
 * (`messages`, `for await`). Nothing is read before there is one. Sending is open to all.
 */
export class WebSocketConnection {
  /** Free for the application. */
  data: unknown = undefined;
  readonly role: 'client' | 'server';
  /** The subprotocol agreed on; empty: none. */
  readonly protocol: string;
  /** The extensions agreed on, as in the header; empty: none. */
  readonly extensions: string;
  /** Path and query of the request. */
  readonly path: string;
  /** @internal The error handler has had the error that `close` will get. */
  errorReported = false;
  readonly #link: Link;
  readonly #topics: TopicMembership | null;
  #reader: MessageReader | null = null;

  /** @internal `openConnection()` makes them. */
  constructor(setup: ConnectionSetup) {
    this.role = setup.role;
    this.protocol = setup.protocol;
    this.extensions = setup.extensions;
    this.path = setup.path;
    this.#topics = setup.topics;
    this.#link = new Link(this, setup);
  }

  /** Addresses, and protocol names bottom to top. */
  get info(): ChannelInfo {
    return this.#link.lower.info;
  }

  /** Bytes that wait to be sent, frame headers included, in this layer and all below. */
  get bufferedAmount(): number {
    return this.#link.sender.bufferedAmount;
  }

  /** As in the WHATWG API: 1 open, 2 closing, 3 closed. */
  get readyState(): 1 | 2 | 3 {
    if (this.#link.finished) return 3;
    return this.#link.open ? 1 : 2;
  }

  /** True once the connection has closed. */
  get closed(): boolean {
    return this.#link.finished;
  }

  /**
   * Handlers, the fast path. One object serves any number of connections. `open` runs before this returns.
   * @param options `lend` overrides that of the connection
   * @throws `ERR_CHANNEL_CONSUMER` when there is a consumer already, `ERR_INVALID_ARG_TYPE`
   */
  handle(handlers: WebSocketHandlers<this>, options: { readonly lend?: boolean | undefined } = {}): void {
    const { lend = this.#link.settings.lend } = options;
    validateBoolean(lend, 'options.lend');
    const face = handlersFace(handlers as unknown as WebSocketHandlers, lend);
    this.#assertUnclaimed();
    this.#link.claim(face);
    face.open(this);
  }

  /**
   * Messages to the end: strings for text, bytes of their own for binary. The loop ends when the connection has closed in order, and
   * throws the error when it has not. Leaving it early keeps the connection open. While it is slow, the peer feels
   * backpressure.
   * @param options `signal` ends the loop by an exception
   */
  messages(options?: SignalOptions): AsyncIterableIterator<Message> {
    const signal = signalOf(options);
    if (this.#reader === null) {
      this.#assertUnclaimed();
      this.#reader = new MessageReader(this.#link);
      this.#link.claim(this.#reader);
    }
    return new MessageIterator(this.#reader, signal);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Message> {
    return this.messages();
  }

  /**
   * Sends a message. All that is sent in one turn goes out together. Bytes longer than 4096 must not be changed before they
   * were handed to the medium (`flushed`).
   * @param binary default: strings are text, bytes are binary
   * @param compress default: where compression was agreed on, from its `threshold` on
   * @throws `ERR_INVALID_ARG_TYPE`
   */
  send(data: Sendable, binary?: boolean, compress?: boolean): SendStatus {
    const link = this.#link;
    if (!link.open) return 'refused';
    if (typeof data === 'string') return link.sender.text(data, binary ?? false, compress);
    if (data instanceof Uint8Array) return link.sender.bytes(data, binary ?? true, compress);
    if (data instanceof PreparedMessage) return link.sender.prepared(data);
    throw invalidArgumentType('data', 'a string, a Uint8Array or a PreparedMessage', data);
  }

  /** A message whose parts are sent as they come. Messages sent meanwhile wait until it has ended. */
  startMessage(binary = true): MessageWriter {
    validateBoolean(binary, 'binary');
    return new MessageWriter(this.#link.sender, binary);
  }

  /** @param data at most 125 bytes, which the pong brings back. @throws `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE` */
  ping(data: string | Uint8Array = noBytes): void {
    this.#control(Opcode.PING, data);
  }

  /** An unasked pong: those that answer pings go out by themselves. */
  pong(data: string | Uint8Array = noBytes): void {
    this.#control(Opcode.PONG, data);
  }

  /**
   * Closes in order: says so behind what was sent, and waits for the peer to do the same, for at most `closeTimeoutMs`. Messages
   * that still arrive go to the handlers or the loop; without a consumer they are thrown away. Lifts `pause()`.
   * @param code 1000 to 1003, 1007 to 1014, 3000 to 4999; null: none, the peer sees 1005. Default 1000
   * @param reason at most 123 bytes of UTF-8
   * @returns resolves when the connection has closed; never rejects
   * @throws `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   */
  close(code: number | null = 1000, reason = ''): Promise<CloseFacts> {
    // Whatever is wrong with them is said to whoever calls, not by the promise.
    const said = code ?? undefined;
    closePayload(said, reason);
    if (!this.#link.claimed) this.#link.claim(discardingFace);
    this.#link.close(said, reason);
    return this.whenClosed();
  }

  /** Ends now, without a close frame: what waits is thrown away, and the peer is reset. `reason` goes to `error`. */
  terminate(reason?: Error): void {
    this.#link.terminate(reason ?? null);
  }

  /** Resolves when the connection has closed; never rejects. */
  whenClosed(): Promise<CloseFacts> {
    return new Promise((resolve) => this.#link.onceClosed((facts) => resolve(facts)));
  }

  /** No messages until `resume()`; the peer feels backpressure. */
  pause(): void {
    this.#link.holdBack(PAUSED_BY_USER);
  }

  resume(): void {
    this.#link.letFlow(PAUSED_BY_USER);
  }

  /** Resolves when there is room to send: at once, or with the next drain. Rejects when the connection closes first. */
  drained(options?: SignalOptions): Promise<void> {
    return this.#wait(options, (done) => this.#link.onceDrained(done));
  }

  /** Resolves when all that was sent until now was handed to the medium; rejects when it never will be. */
  flushed(options?: SignalOptions): Promise<void> {
    return this.#wait(options, (done) => {
      if (this.#link.finished) this.#link.onceDrained(done);
      else this.#link.sender.whenFlushed(done);
      return nothing;
    });
  }

  /** Servers: messages published to `topic` come here, too. @returns false when it had subscribed already, or has as many topics as it may */
  subscribe(topic: string): boolean {
    return this.#link.finished ? false : this.#requireTopics().subscribe(this, topic);
  }

  /** @returns false when it had not subscribed */
  unsubscribe(topic: string): boolean {
    return this.#requireTopics().unsubscribe(this, topic);
  }

  isSubscribed(topic: string): boolean {
    return this.#requireTopics().isSubscribed(this, topic);
  }

  /** The topics it has subscribed to. */
  get topics(): string[] {
    return this.#requireTopics().topicsOf(this);
  }

  /** Servers: sends to all others that have subscribed to `topic`. @returns how many took it */
  publish(topic: string, data: Sendable, binary?: boolean, compress?: boolean): number {
    return this.#requireTopics().publish(this, topic, data, binary, compress);
  }

  /** `close(1000)`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @internal It has closed. */
  leaveTopics(): void {
    this.#topics?.closed(this);
  }

  #assertUnclaimed(): void {
    if (!this.#link.claimed) return;
    const message =
      'This connection has a consumer already: handlers and iteration exclude each other, and close() throws messages away';
    throw new ChannelError('ERR_CHANNEL_CONSUMER', message);
  }

  #requireTopics(): TopicMembership {
    if (this.#topics !== null) return this.#topics;
    throw new ChannelError(
      'ERR_CHANNEL_CONSUMER',
      'Topics belong to servers: this is a connection of a client',
    );
  }

  #control(opcode: number, data: string | Uint8Array): void {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    if (!(bytes instanceof Uint8Array)) throw invalidArgumentType('data', 'a string or a Uint8Array', data);
    if (bytes.byteLength > controlPayloadMax) {
      throw outOfRange('data.byteLength', `<= ${controlPayloadMax}`, bytes.byteLength);
    }
    if (this.#link.open) this.#link.sender.control(opcode, bytes);
  }

  async #wait(
    options: SignalOptions | undefined,
    start: (done: (error: Error | null) => void) => () => void,
  ): Promise<void> {
    const signal = signalOf(options);
    signal?.throwIfAborted();
    let stopListening = nothing;
    try {
      await new Promise<void>((resolve, reject) => {
        const forget = start((error) => (error === null ? resolve() : reject(error)));
        stopListening = onAbort(signal, () => {
          forget();
          reject(signal?.reason);
        });
      });
    } finally {
      stopListening();
    }
  }
}

function nothing(): void {}

/**
 * A connection over a channel on which the handshake was done: for servers and clients of any kind. The channel belongs to it from here
 * on.
 */
export function openConnection(setup: ConnectionSetup): WebSocketConnection {
  return new WebSocketConnection(setup);
}
