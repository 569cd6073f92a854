import { ChannelError, onAbort, ownBytes } from '@iocp/core/layer';
import { type Link, PAUSED_BY_FACE } from './link.js';
import type { MessageFace } from './message-face.js';
import type { WebSocketConnection } from './websocket-connection.js';

/** A message as iteration gives it: text as a string, binary as bytes of the application's own. */
export type Message = string | Buffer;

interface PendingRead {
  resolve(message: Message | null): void;
  reject(reason: unknown): void;
  stopListening(): void;
  readonly owner: object;
}

/** Bytes that an object and its place in a queue cost at least, so that empty messages count, too. */
const messageBytesMin = 64;

/** Promises over a connection: messages wait here, up to a mark, until they are read. */
export class MessageReader implements MessageFace {
  readonly parts = false;
  readonly #link: Link;
  readonly #queue: Message[] = [];
  #queuedBytes = 0;
  readonly #pending: PendingRead[] = [];
  #closed = false;
  #failure: Error | null = null;
  #discarding = false;
  #iterator: object | null = null;

  constructor(link: Link) {
    this.#link = link;
  }

  read(signal: AbortSignal | undefined, owner: object): Promise<Message | null> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const message = this.#queue.shift();
    if (message !== undefined) {
      this.#queuedBytes -= costOf(message);
      if (this.#queuedBytes < this.#link.settings.readableHighWaterMark) this.#link.letFlow(PAUSED_BY_FACE);
      return Promise.resolve(message);
    }
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (this.#closed) return Promise.resolve(null);
    return new Promise((resolve, reject) => {
      const stopListening = onAbort(signal, () => {
        this.#forget(pending);
        reject(signal?.reason);
      });
      const pending = { resolve, reject, stopListening, owner };
      this.#pending.push(pending);
    });
  }

  /** Takes back the reads of `owner`: what arrives goes to the next read. */
  cancel(owner: object): void {
    for (const pending of this.#pending.filter((each) => each.owner === owner)) {
      this.#forget(pending);
      pending.resolve(null);
    }
  }

  lock(iterator: object): void {
    if (this.#iterator === iterator) return;
    if (this.#iterator !== null) {
      throw new ChannelError('ERR_CHANNEL_CONSUMER', 'Another iteration over this connection is under way');
    }
    this.#iterator = iterator;
  }

  unlock(iterator: object): void {
    if (this.#iterator === iterator) this.#iterator = null;
  }

  message(_socket: WebSocketConnection, data: Buffer, binary: boolean): void {
    const message = binary ? (ownBytes(data) as Buffer) : data.toString();
    const pending = this.#pending.shift();
    if (pending !== undefined) {
      pending.stopListening();
      pending.resolve(message);
    } else if (!this.#discarding) {
      this.#queue.push(message);
      this.#queuedBytes += costOf(message);
      if (this.#queuedBytes >= this.#link.settings.readableHighWaterMark) this.#link.holdBack(PAUSED_BY_FACE);
    }
  }

  part(): void {}
  ping(): void {}
  pong(): void {}
  drain(): void {}
  threw(_socket: WebSocketConnection, error: unknown): void {
    throw error;
  }

  closing(): void {
    // A loop goes on to the end; without one, nobody is left to make room.
    if (this.#iterator !== null) return;
    this.#discarding = true;
    this.#link.letFlow(PAUSED_BY_FACE);
  }

  close(_socket: WebSocketConnection, _code: number, _reason: string, error: Error | null): void {
    this.#closed = true;
    this.#failure = error;
    for (const pending of this.#pending.splice(0)) {
      pending.stopListening();
      if (error === null) pending.resolve(null);
      else pending.reject(error);
    }
  }

  #forget(pending: PendingRead): void {
    pending.stopListening();
    const index = this.#pending.indexOf(pending);
    if (index >= 0) this.#pending.splice(index, 1);
  }
}

function costOf(message: Message): number {
  return messageBytesMin + message.length;
}

/** `for await` over the messages of a connection. Leaving the loop keeps it open. */
export class MessageIterator implements AsyncIterableIterator<Message> {
  readonly #reader: MessageReader;
  readonly #signal: AbortSignal | undefined;
  #finished = false;

  constructor(reader: MessageReader, signal: AbortSignal | undefined) {
    this.#reader = reader;
    this.#signal = signal;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Message, undefined>> {
    if (this.#finished) return { done: true, value: undefined };
    this.#reader.lock(this);
    try {
      const value = await this.#reader.read(this.#signal, this);
      if (value !== null) return { done: false, value };
      this.#finish();
      return { done: true, value: undefined };
    } catch (error) {
      this.#finish();
      throw error;
    }
  }

  async return(): Promise<IteratorResult<Message, undefined>> {
    this.#finish();
    this.#reader.cancel(this);
    return { done: true, value: undefined };
  }

  #finish(): void {
    this.#finished = true;
    this.#reader.unlock(this);
  }
}
