import { bindContext } from './async-context.js';
import type { Channel, ChannelInfo, WriteCallback } from './channel.js';
import type { ChannelDuplex, ToDuplexOptions } from './channel-duplex.js';
import { ConnectionCore, PAUSED_BY_USER } from './connection-core.js';
import {
  type ConnectionOptions,
  type ConnectionSettings,
  connectionSettings,
} from './connection-settings.js';
import { ChannelError } from './errors.js';
import { type Handlers, handlersFace } from './handlers-face.js';
import { Reader, ReaderIterator } from './reader.js';
import { onAbort, type SignalOptions, signalOf } from './signal.js';
import { toDuplex } from './to-duplex.js';
import { validateBoolean, validateBytes, validateFunction } from './validate.js';
import { toWeb, type WebStreams } from './web-streams.js';

/** What can be written: bytes, text (sent as UTF-8), or several chunks as one gathered unit. */
export type Writable = Uint8Array | string | readonly Uint8Array[];

interface CountingChannel {
  readonly bytesRead?: number;
  readonly bytesWritten?: number;
}

/**
 * A channel, made comfortable. It has one consumer at a time: **handlers** (`handle`), **promises and iteration**
 * (`read`, `for await`, `batches`), a **Node stream** (`toDuplex`) or **web streams** (`toWeb`). A second one gets
 * `ERR_CHANNEL_CONSUMER`. Writing is open to all of them.
 *
 * Nothing is read from the peer before there is a consumer.
 */
export class Connection<C extends Channel = Channel> {
  /** Free for the application. */
  data: unknown = undefined;
  private readonly core: ConnectionCore;
  private reader: Reader | null = null;

  /**
   * @param channel a byte channel without a receiver
   * @param options `connectionSettings()` checks them once for many connections
   */
  constructor(channel: C, options?: ConnectionOptions | ConnectionSettings) {
    this.core = new ConnectionCore(this, channel, connectionSettings(options));
  }

  get channel(): C {
    return this.core.channel as C;
  }

  get info(): ChannelInfo {
    return this.core.channel.info;
  }

  /** Bytes queued and not yet taken by the medium. */
  get bufferedAmount(): number {
    return this.core.channel.bufferedAmount;
  }

  /** Bytes received; 0 when the channel does not count them. */
  get bytesRead(): number {
    return (this.core.channel as CountingChannel).bytesRead ?? 0;
  }

  /** Bytes taken by the medium; 0 when the channel does not count them. */
  get bytesWritten(): number {
    return (this.core.channel as CountingChannel).bytesWritten ?? 0;
  }

  /** True once the connection has closed, or is about to. */
  get closed(): boolean {
    return this.core.channel.closed;
  }

  /**
   * Handlers, the fast path. One object serves any number of connections. `open` runs before this returns.
   * @param options `lend` overrides that of the connection
   */
  handle(handlers: Handlers<this>, options?: Pick<ConnectionOptions, 'lend'>): void {
    const { lend = this.core.settings.lend } = options ?? {};
    validateBoolean(lend, 'options.lend');
    const face = handlersFace(handlers as unknown as Handlers, lend);
    this.core.claim(face);
    face.open(this.core);
  }

  /**
   * The next bytes, the application's own; null at the end. Rejects with the error that closed the connection, and
   * with `ERR_CHANNEL_ABORTED` after `abort()`. Reads are answered in order.
   * @param options when `signal` fires, the read is taken back and nothing is lost
   */
  read(options?: SignalOptions): Promise<Uint8Array | null> {
    try {
      const signal = signalOf(options);
      return this.claimReader().read(signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Chunks to the end. Leaving the loop early keeps the connection open and usable. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array> {
    return this.chunks();
  }

  /** As iterating over the connection, with a `signal` that ends the loop by an exception. */
  chunks(options?: SignalOptions): AsyncIterableIterator<Uint8Array> {
    return new ReaderIterator(this.claimReader(), signalOf(options), takeChunk);
  }

  /** All that is there at once, at least one chunk each time: a promise per batch instead of one per chunk. */
  batches(options?: SignalOptions): AsyncIterableIterator<Uint8Array[]> {
    return new ReaderIterator(this.claimReader(), signalOf(options), takeBatch);
  }

  /**
   * Queues `data`. Small chunks are copied at once; large ones must not be changed until `done`.
   * @param done called when `data` was handed to the medium, or with the reason why it never will be; keeps its
   * async context
   * @returns false at the high-water mark: stop until `drain`, `drained()`
   */
  write(data: Writable, done?: WriteCallback): boolean {
    if (done === undefined) return this.core.write(toChunks(data));
    validateFunction(done, 'done');
    return this.core.write(toChunks(data), bindContext(done));
  }

  /**
   * Writes, and resolves when `data` was handed to the medium; rejects with the reason why it never will be.
   * @param options when `signal` fires after the write has been queued, the connection is aborted with
   * `ERR_CHANNEL_WRITE_CANCELED`, because how much the peer got is unknown
   */
  send(data: Writable, options?: SignalOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      const chunks = toChunks(data);
      const signal = signalOf(options);
      signal?.throwIfAborted();
      const stopListening = onAbort(signal, () => {
        reject(signal?.reason);
        this.abort(writeCanceled(signal?.reason));
      });
      this.core.write(chunks, (error) => {
        stopListening();
        if (error === null) resolve();
        else reject(error);
      });
    });
  }

  /** Resolves when there is room to write: at once, or with the next drain. Rejects when the connection closes first. */
  async drained(options?: SignalOptions): Promise<void> {
    const signal = signalOf(options);
    signal?.throwIfAborted();
    let stopListening: (() => void) | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        const forget = this.core.onceDrained({ resolve, reject });
        stopListening = onAbort(signal, () => {
          forget();
          reject(signal?.reason);
        });
      });
    } finally {
      stopListening?.();
    }
  }

  /** Half-closes after what was written, and `data` if given: the peer sees the end, and may go on sending. */
  end(data?: Writable): void {
    if (data !== undefined) this.write(data);
    this.core.end();
  }

  /**
   * Closes in order: ends our side, waits for the peer's end and for the medium to be released. Bytes that still
   * arrive go to the consumer; with `read()`, or without a consumer, they are thrown away. Resolves at once when the
   * connection has closed already; rejects with the error that closes it meanwhile.
   * @param options when `signal` fires first, the connection is aborted and the promise rejects with its reason:
   * `close({ signal: AbortSignal.timeout(5000) })`
   */
  async close(options?: SignalOptions): Promise<void> {
    const signal = signalOf(options);
    if (this.core.closed) return;
    if (signal?.aborted) {
      this.abort();
      throw signal.reason;
    }
    this.core.beginClose();
    await new Promise<void>((resolve, reject) => {
      const stopListening = onAbort(signal, () => {
        reject(signal?.reason);
        this.abort();
      });
      this.core.onceClosed((error) => {
        stopListening();
        if (error === null) resolve();
        else reject(error);
      });
    });
  }

  /** Resolves when the connection has closed: with null, or with the error that closed it. Never rejects. */
  whenClosed(): Promise<Error | null> {
    return new Promise((resolve) => this.core.onceClosed(resolve));
  }

  /** Ends now: discards what is queued and resets the peer. `reason` goes to pending writes and to `close`. */
  abort(reason?: Error): void {
    this.core.channel.abort(reason);
  }

  /** No bytes until `resume()`; the peer feels backpressure. */
  pause(): void {
    this.core.holdBack(PAUSED_BY_USER);
  }

  resume(): void {
    this.core.letFlow(PAUSED_BY_USER);
  }

  /** Holds writes back until the matching `uncork()`. Calls nest. */
  cork(): void {
    this.core.channel.cork();
  }

  uncork(): void {
    this.core.channel.uncork();
  }

  /**
   * Takes the consumer away, so that a layer or another receiver can have the `channel`. Waiting reads reject.
   * @returns what was received and not consumed, in order
   */
  detach(): Uint8Array[] {
    this.reader = null;
    return this.core.release();
  }

  /** A real `stream.Duplex`: for `pipeline`, `http.Server.emit('connection')`, `tls.connect({ socket })`, and so on. */
  toDuplex(options?: ToDuplexOptions): ChannelDuplex {
    return toDuplex(this.core, options);
  }

  /** As `toDuplex`, with a stream that was there before the connection was. What was written to it is sent now. */
  flowThrough(duplex: ChannelDuplex): void {
    duplex.open(this.core);
  }

  /** Web streams, with backpressure both ways; the readable is a byte stream (BYOB). */
  toWeb(): WebStreams {
    return toWeb(this.core);
  }

  /** `close()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private claimReader(): Reader {
    if (this.reader !== null) return this.reader;
    const reader = new Reader(this.core);
    this.core.claim(reader);
    this.reader = reader;
    return reader;
  }
}

function takeChunk(
  reader: Reader,
  signal: AbortSignal | undefined,
  owner: object,
): Promise<Uint8Array | null> {
  return reader.read(signal, owner);
}

function takeBatch(
  reader: Reader,
  signal: AbortSignal | undefined,
  owner: object,
): Promise<Uint8Array[] | null> {
  return reader.readBatch(signal, owner);
}

function toChunks(data: Writable): Uint8Array | readonly Uint8Array[] {
  if (data instanceof Uint8Array) return data;
  if (typeof data === 'string') return Buffer.from(data);
  if (!Array.isArray(data)) {
    validateBytes(data, 'data');
    return data;
  }
  for (let index = 0; index < data.length; index++) validateBytes(data[index], `data[${index}]`);
  return data;
}

function writeCanceled(cause: unknown): ChannelError {
  const message = 'A write was cancelled after it had been queued: how much the peer got is unknown';
  return new ChannelError('ERR_CHANNEL_WRITE_CANCELED', message, cause);
}
