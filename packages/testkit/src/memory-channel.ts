/** One end of an in-memory connection: a custom medium written against `BaseChannel`. */

import {
  BaseChannel,
  type ChannelInfo,
  type ChannelOptions,
  flushSoon,
  IoError,
  type Lease,
  type WriteMemory,
} from '@iocp/core/layer';
import { keepBytes } from './kept-bytes.js';
import type { LentMemory } from './lent-memory.js';
import type { Pipe } from './pipe.js';

/** What a channel tells the network that made it. */
export interface MemoryChannelOwner {
  writeMemory(): WriteMemory;
  sendBegan(): void;
  sendSettled(): void;
  closed(channel: MemoryChannel): void;
}

/** Chunks received in one turn of the event loop at most, so that one channel cannot starve the others. */
const chunksPerTurnMax = 16;

/** An end of an in-memory connection. Made in pairs by `memoryPair()` and `MemoryNetwork`. */
export class MemoryChannel extends BaseChannel {
  readonly info: ChannelInfo;
  readonly #owner: MemoryChannelOwner;
  readonly #incoming: Pipe;
  readonly #outgoing: Pipe;
  readonly #memory: LentMemory;
  #kept: Lease[] = [];
  #sending: Lease[] = [];
  /** Bytes of the first of `#sending` that are in the pipe already. */
  #firstSentBytes = 0;
  #sendUnderWay = false;
  /** Received, and not yet delivered. */
  readonly #arrived: Buffer[] = [];
  #reading = false;
  #shuttingDown = false;
  #closing = false;
  #gone = false;
  #turn: NodeJS.Immediate | null = null;

  constructor(
    info: ChannelInfo,
    owner: MemoryChannelOwner,
    memory: LentMemory,
    pipes: { readonly incoming: Pipe; readonly outgoing: Pipe },
    options: ChannelOptions,
  ) {
    super(options);
    this.info = info;
    this.#owner = owner;
    this.#memory = memory;
    this.#incoming = pipes.incoming;
    this.#outgoing = pipes.outgoing;
    this.#incoming.onReadable = () => this.#schedule();
    this.#outgoing.onWritable = () => this.#schedule();
  }

  get writeMemory(): WriteMemory {
    return this.#owner.writeMemory();
  }

  /** Looks for work in the next turn of the event loop: like a kernel, this medium never answers from inside a call. */
  #schedule(): void {
    if (this.#turn !== null || this.#gone) return;
    this.#turn = setImmediate(() => {
      this.#turn = null;
      this.#work();
    });
  }

  /** For the pool: a slot has come back. */
  slotFreed(): void {
    if (this.#reading) this.#schedule();
  }

  #work(): void {
    if (this.#closing) {
      this.#finishClose();
      return;
    }
    this.#transmit();
    if (!this.#closing) this.#receive();
  }

  // Sending

  protected override keepChunk(chunk: Uint8Array): void {
    this.#kept.push(keepBytes(chunk));
  }

  protected override dropKept(): void {
    for (const kept of this.#kept.splice(0)) kept.release();
  }

  protected override scheduleFlush(): void {
    flushSoon(this);
  }

  protected override startSend(): void {
    this.#sending = this.#kept;
    this.#kept = [];
    this.#sendUnderWay = true;
    this.#owner.sendBegan();
    this.#schedule();
  }

  protected override startShutdown(): void {
    this.#shuttingDown = true;
    this.#schedule();
  }

  #transmit(): void {
    if (this.#outgoing.abandoned && (this.#sendUnderWay || this.#shuttingDown)) {
      this.#fail('write');
      return;
    }
    while (this.#sending.length > 0) {
      const { bytes } = this.#sending[0] as Lease;
      this.#firstSentBytes += this.#outgoing.push(bytes.subarray(this.#firstSentBytes));
      if (this.#firstSentBytes < bytes.byteLength) return;
      this.#firstSentBytes = 0;
      this.#sending.shift()?.release();
    }
    if (this.#sendUnderWay) this.#settleSend(null);
    if (!this.#shuttingDown) return;
    this.#shuttingDown = false;
    this.#outgoing.end();
    this.shutdownDone(null);
  }

  #settleSend(error: Error | null): void {
    for (const kept of this.#sending.splice(0)) kept.release();
    this.#sendUnderWay = false;
    this.#owner.sendSettled();
    this.sent(error);
  }

  // Receiving

  protected override startRead(): void {
    this.#reading = true;
    this.#schedule();
  }

  protected override stopRead(): void {
    this.#reading = false;
  }

  #receive(): void {
    const parked = this.#reading && !this.#takeArrivals();
    while (this.#arrived.length > 0) this.#deliver(this.#arrived.shift() as Buffer);
    if (!this.#reading) return;
    if (this.#incoming.reset) {
      this.#fail('read');
    } else if (this.#incoming.byteLength > 0) {
      // A parked receive goes on when a slot comes back.
      if (!parked) this.#schedule();
    } else if (this.#incoming.ended) {
      this.#reading = false;
      this.ended();
    }
  }

  /**
   * Receives a batch ahead of its delivery, as a completion port does: what a handler pauses in the middle of has
   * arrived already.
   * @returns false when there was no slot
   */
  #takeArrivals(): boolean {
    for (let chunks = 0; chunks < chunksPerTurnMax && this.#incoming.byteLength > 0; chunks++) {
      const slot = this.#memory.take();
      if (slot === null) return false;
      this.#arrived.push(slot.subarray(0, this.#incoming.pull(slot)));
    }
    return true;
  }

  #deliver(chunk: Buffer): void {
    try {
      this.received(chunk);
    } catch (error) {
      // A handler has thrown: it surfaces as in any other callback, and the rest is delivered all the same.
      this.#schedule();
      throw error;
    } finally {
      this.#memory.release(chunk.byteOffset);
    }
  }

  #fail(syscall: string): void {
    this.#reading = false;
    this.failed(
      new IoError(`${syscall} ECONNRESET: connection reset by peer`, {
        code: 'ECONNRESET',
        errno: -104,
        syscall,
      }),
    );
  }

  // Closing

  protected override startClose(abortive: boolean): void {
    this.#closing = true;
    this.#reading = false;
    if (abortive) this.#outgoing.breakOff();
    this.#incoming.abandon();
    this.#schedule();
  }

  #finishClose(): void {
    const canceled = new IoError('write ECANCELED: the channel was closed', {
      code: 'ECANCELED',
      syscall: 'write',
    });
    if (this.#sendUnderWay) this.#settleSend(canceled);
    if (this.#shuttingDown) {
      this.#shuttingDown = false;
      this.shutdownDone(canceled);
    }
    for (const chunk of this.#arrived.splice(0)) this.#memory.release(chunk.byteOffset);
    this.#gone = true;
    this.#owner.closed(this);
    this.closeDone();
  }
}
