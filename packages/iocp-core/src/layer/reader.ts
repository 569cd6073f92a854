import { type ConnectionCore, PAUSED_BY_FACE } from './connection-core.js';
import { ChannelError } from './errors.js';
import type { Face } from './face.js';
import { ownBytes } from './owned-bytes.js';
import { onAbort } from './signal.js';

interface PendingRead {
  resolve(chunk: Uint8Array | null): void;
  reject(reason: unknown): void;
  stopListening(): void;
  readonly owner: object | undefined;
}

/** Promises over a connection: chunks wait here, up to a mark, until they are read. */
export class Reader implements Face {
  protected readonly core: ConnectionCore;
  private readonly queue: Uint8Array[] = [];
  private queuedBytes = 0;
  private readonly pending: PendingRead[] = [];
  private ended = false;
  private failure: Error | null = null;
  private discarding = false;
  private iterator: object | null = null;

  constructor(core: ConnectionCore) {
    this.core = core;
  }

  /**
   * @param owner who reads, for `cancel`
   * @returns the next chunk, or null at the end
   */
  read(signal: AbortSignal | undefined, owner?: object): Promise<Uint8Array | null> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const chunk = this.queue.shift();
    if (chunk !== undefined) {
      this.taken(chunk.byteLength);
      return Promise.resolve(chunk);
    }
    if (this.ended) {
      this.core.endUnlessHalfOpen();
      return Promise.resolve(null);
    }
    if (this.failure !== null) return Promise.reject(this.failure);
    return this.wait(signal, owner);
  }

  /** Whatever is there at once: at least one chunk, or null at the end. */
  async readBatch(signal: AbortSignal | undefined, owner?: object): Promise<Uint8Array[] | null> {
    const first = await this.read(signal, owner);
    if (first === null) return null;
    const batch = [first, ...this.queue];
    this.queue.length = 0;
    this.taken(this.queuedBytes);
    return batch;
  }

  /** Puts back what was taken and could not be used. */
  unread(chunk: Uint8Array): void {
    this.queue.unshift(chunk);
    this.queuedBytes += chunk.byteLength;
  }

  /** Takes back the reads of `owner`: they get null, and what arrives goes to the next read. */
  cancel(owner: object): void {
    for (const read of this.pending.filter((each) => each.owner === owner)) {
      this.forget(read);
      read.resolve(null);
    }
  }

  /** Two loops over one connection would tear the stream apart. */
  lock(iterator: object): void {
    if (this.iterator === iterator) return;
    if (this.iterator !== null) {
      throw new ChannelError('ERR_CHANNEL_CONSUMER', 'Another iteration over this connection is under way');
    }
    this.iterator = iterator;
  }

  unlock(iterator: object): void {
    if (this.iterator === iterator) this.iterator = null;
  }

  /** Bytes that stay valid for as long as anyone keeps them. */
  protected own(bytes: Uint8Array): Uint8Array {
    return ownBytes(bytes);
  }

  data(core: ConnectionCore, bytes: Uint8Array): void {
    const read = this.pending.shift();
    if (read !== undefined) {
      read.stopListening();
      read.resolve(this.own(bytes));
    } else if (!this.discarding) {
      this.queue.push(this.own(bytes));
      this.queuedBytes += bytes.byteLength;
      if (this.queuedBytes >= core.settings.readableHighWaterMark) core.holdBack(PAUSED_BY_FACE);
    }
  }

  end(core: ConnectionCore): void {
    this.ended = true;
    if (this.pending.length > 0) core.endUnlessHalfOpen();
    for (const read of this.pending.splice(0)) {
      read.stopListening();
      read.resolve(null);
    }
  }

  drain(): void {}

  close(_core: ConnectionCore, error: Error | null): void {
    // What the peer had to say is complete: reading still ends in order.
    if (this.ended) return;
    this.fail(error ?? new ChannelError('ERR_CHANNEL_ABORTED', 'The connection was aborted before its end'));
  }

  closing(core: ConnectionCore): void {
    // A loop goes on to the end; without one, nobody is left to make room.
    if (this.iterator !== null) return;
    this.discarding = true;
    core.letFlow(PAUSED_BY_FACE);
  }

  release(): Uint8Array[] {
    this.ended = false;
    this.fail(new ChannelError('ERR_CHANNEL_CONSUMER', 'The connection was detached'));
    this.queuedBytes = 0;
    return this.queue.splice(0);
  }

  private fail(error: Error): void {
    this.failure = error;
    for (const read of this.pending.splice(0)) {
      read.stopListening();
      read.reject(error);
    }
  }

  private wait(signal: AbortSignal | undefined, owner: object | undefined): Promise<Uint8Array | null> {
    return new Promise((resolve, reject) => {
      const stopListening = onAbort(signal, () => {
        this.forget(read);
        reject(signal?.reason);
      });
      const read: PendingRead = { resolve, reject, stopListening, owner };
      this.pending.push(read);
    });
  }

  private forget(read: PendingRead): void {
    read.stopListening();
    const index = this.pending.indexOf(read);
    if (index >= 0) this.pending.splice(index, 1);
  }

  private taken(bytes: number): void {
    this.queuedBytes -= bytes;
    if (this.queuedBytes < this.core.settings.readableHighWaterMark) this.core.letFlow(PAUSED_BY_FACE);
  }
}

type Take<T> = (reader: Reader, signal: AbortSignal | undefined, owner: object) => Promise<T | null>;

/** `for await` over a reader. Leaving the loop releases the connection, which stays open. */
export class ReaderIterator<T> implements AsyncIterableIterator<T> {
  private readonly reader: Reader;
  private readonly take: Take<T>;
  private readonly signal: AbortSignal | undefined;
  private finished = false;

  constructor(reader: Reader, signal: AbortSignal | undefined, take: Take<T>) {
    this.reader = reader;
    this.signal = signal;
    this.take = take;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    if (this.finished) return { done: true, value: undefined };
    this.reader.lock(this);
    try {
      const value = await this.take(this.reader, this.signal, this);
      if (value !== null) return { done: false, value };
      this.finish();
      return { done: true, value: undefined };
    } catch (error) {
      this.finish();
      throw error;
    }
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.finish();
    this.reader.cancel(this);
    return { done: true, value: undefined };
  }

  private finish(): void {
    this.finished = true;
    this.reader.unlock(this);
  }
}
