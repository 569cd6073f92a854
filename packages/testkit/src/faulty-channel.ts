/** A channel over a channel that behaves as badly as the contract allows, the same way again for the same seed. */

import {
  BaseChannel,
  type Channel,
  ChannelError,
  type ChannelInfo,
  type ChannelOptions,
  flushSoon,
  IoError,
  type Layer,
  type Lease,
  lease,
  type Receiver,
  type WriteMemory,
} from '@iocp/core/layer';
import { splitAt, withBitFlipped } from './chunkings.js';
import { keepBytes } from './kept-bytes.js';
import { chooseSeed, Random } from './prng.js';
import { describeError, Transcript } from './transcript.js';

/** Which faults, and how often. Probabilities are from 0 to 1. */
export interface FaultOptions extends ChannelOptions {
  /** Default: `chooseSeed()`. Read it back from `FaultyChannel.seed`. */
  readonly seed?: number;
  /** Probability that what arrives at once is delivered in several parts. Default 0.5. */
  readonly splitChance?: number;
  /** Probability that a part is delivered later. Default 0.3. */
  readonly delayChance?: number;
  /** Longest delay of a part in turns of the event loop; the shortest is a microtask. Default 3. */
  readonly delayTurnsMax?: number;
  /** Probability that the medium answers a send late. Default 0.2. */
  readonly stallChance?: number;
  /** Longest stall of a send in turns of the event loop. Default 8. */
  readonly stallTurnsMax?: number;
  /** Offsets in the incoming stream, ascending, at which deliveries are always cut. */
  readonly cutOffsets?: readonly number[];
  /** The connection is reset when that many bytes have been delivered: `ECONNRESET` up, `abort()` down. */
  readonly resetAfterBytes?: number;
  /** The stream ends when that many bytes have been delivered, whatever the peer still sends. */
  readonly endAfterBytes?: number;
  /** This bit of the incoming stream is turned. */
  readonly flipBit?: number;
}

/**
 * Wraps a channel. What arrives is split and delayed, sends are answered late, and on demand the connection breaks at
 * an exact byte. Bytes stay lent: they are valid until `onData` returns. It owns the lower channel.
 */
export class FaultyChannel extends BaseChannel {
  readonly info: ChannelInfo;
  readonly writeMemory: WriteMemory | undefined;
  readonly seed: number;
  /** What was done to the stream, in order. */
  readonly transcript = new Transcript();

  readonly #lower: Channel;
  readonly #options: FaultOptions;
  readonly #random: Random;
  readonly #pieces: Piece[] = [];
  readonly #cutOffsets: number[];
  #arrivedBytes = 0;
  #deliveredBytes = 0;
  #reading = false;
  #peerEnded = false;
  #pumping = false;
  #kept: Lease[] = [];
  #sending = false;
  /** What the lower channel has answered to the send, when the answer is held back. */
  #answer: Error | null = null;
  #shutdown = false;
  #closing = false;
  #lowerClosed = false;

  constructor(lower: Channel, options: FaultOptions = {}) {
    super(options);
    this.seed = (options.seed ?? chooseSeed()) >>> 0;
    this.info = { ...lower.info, protocols: [...lower.info.protocols, 'faulty'] };
    this.writeMemory = lower.writeMemory;
    this.#lower = lower;
    this.#options = options;
    this.#random = new Random(this.seed);
    this.#cutOffsets = [...(options.cutOffsets ?? [])];
    this.#lower.attach(this.#below);
    this.#lower.pause();
  }

  readonly #below: Receiver = {
    onData: (data) => this.#arrived(data),
    onEnd: () => {
      this.#pieces.push('end');
      this.#pumpSoon();
    },
    onDrain: () => this.lowerDrained(),
    onClose: (error) => this.#lowerHasClosed(error),
  };

  // Receiving: what arrives is cut into pieces, which leave one by one.

  #arrived(data: Uint8Array): void {
    const start = this.#arrivedBytes;
    this.#arrivedBytes += data.byteLength;
    const held = lease(this.#corrupted(data, start));
    const parts = splitAt(held.bytes, this.#cuts(start, data.byteLength));
    for (const part of parts) this.#pieces.push({ bytes: part, lease: part === parts.at(-1) ? held : null });
    this.#pumpSoon();
  }

  #corrupted(data: Uint8Array, start: number): Uint8Array {
    const bit = (this.#options.flipBit ?? -1) - start * 8;
    if (bit < 0 || bit >= data.byteLength * 8) return data;
    this.transcript.add(`bit ${this.#options.flipBit} turned`);
    return withBitFlipped(data, bit);
  }

  /** Where to cut the next `byteCount` bytes, relative to their start. */
  #cuts(start: number, byteCount: number): number[] {
    const cuts = new Set<number>();
    const ordered = [this.#options.resetAfterBytes, this.#options.endAfterBytes, ...this.#cutOffsets];
    for (const offset of ordered) {
      if (offset !== undefined && offset > start && offset < start + byteCount) cuts.add(offset - start);
    }
    while (byteCount > 1 && this.#random.chance(this.#options.splitChance ?? 0.5)) {
      cuts.add(this.#random.integer(1, byteCount - 1));
    }
    return [...cuts].sort((first, second) => first - second);
  }

  #pumpSoon(): void {
    if (this.#pumping || !this.#reading || this.#pieces.length === 0) return;
    this.#pumping = true;
    const late = this.#random.chance(this.#options.delayChance ?? 0.3);
    this.#after(late ? this.#random.integer(1, this.#options.delayTurnsMax ?? 3) : 0, () => {
      this.#pumping = false;
      this.#deliverPiece();
    });
  }

  /** Zero turns are a microtask. */
  #after(turnCount: number, body: () => void): void {
    if (turnCount === 0) queueMicrotask(body);
    else setImmediate(() => (turnCount === 1 ? body() : this.#after(turnCount - 1, body)));
  }

  #deliverPiece(): void {
    if (!this.#reading) return;
    const piece = this.#pieces.shift();
    if (piece === undefined) return;
    try {
      if (piece === 'end') this.#deliverEnd();
      else this.#deliverBytes(piece);
    } finally {
      this.#pumpSoon();
    }
  }

  #deliverBytes(piece: DataPiece): void {
    this.#deliveredBytes += piece.bytes.byteLength;
    this.transcript.add(`${piece.bytes.byteLength} bytes delivered, ${this.#deliveredBytes} in all`);
    try {
      this.received(piece.bytes);
    } finally {
      piece.lease?.release();
      this.#breakIfDue();
    }
  }

  #breakIfDue(): void {
    if (this.#deliveredBytes === this.#options.resetAfterBytes) {
      this.transcript.add('reset');
      this.failed(new IoError('read ECONNRESET: injected fault', { code: 'ECONNRESET', syscall: 'read' }));
    } else if (this.#deliveredBytes === this.#options.endAfterBytes) {
      this.#dropPieces();
      this.#deliverEnd();
    }
  }

  #deliverEnd(): void {
    if (this.#peerEnded) return;
    this.transcript.add('end');
    this.#peerEnded = true;
    this.#reading = false;
    this.ended();
  }

  #dropPieces(): void {
    for (const piece of this.#pieces.splice(0)) if (piece !== 'end') piece.lease?.release();
  }

  protected override startRead(): void {
    this.#reading = true;
    this.#lower.resume();
    this.#pumpSoon();
  }

  protected override stopRead(): void {
    this.#reading = false;
    this.#lower.pause();
  }

  // Sending

  protected override lowerBufferedAmount(): number {
    return Math.max(0, this.#lower.bufferedAmount - this.inFlightBytes);
  }

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
    const kept = this.#kept.splice(0);
    this.#sending = true;
    this.#lower.write(
      kept.map(({ bytes }) => bytes),
      (error) => this.#answerSend(error),
    );
    for (const each of kept) each.release();
  }

  #answerSend(error: Error | null): void {
    const late = this.#random.chance(this.#options.stallChance ?? 0.2);
    const turnCount = late ? this.#random.integer(1, this.#options.stallTurnsMax ?? 8) : 0;
    this.#answer = error;
    if (turnCount === 0) {
      this.#settleSend();
    } else {
      this.transcript.add(`send answered ${turnCount} turns late`);
      this.#after(turnCount, () => this.#settleSend());
    }
  }

  #settleSend(): void {
    if (!this.#sending) return;
    this.#sending = false;
    this.sent(this.#answer);
  }

  protected override startShutdown(): void {
    this.#shutdown = true;
    this.#lower.end();
    this.shutdownDone(null);
  }

  // Closing

  protected override startClose(abortive: boolean): void {
    this.#closing = true;
    this.#reading = false;
    this.#dropPieces();
    if (this.#lowerClosed) this.closeDone();
    // An injected end leaves the lower channel half open: nobody will read the rest.
    else if (abortive || this.#options.endAfterBytes !== undefined) this.#lower.abort();
  }

  #lowerHasClosed(error: Error | null): void {
    this.#lowerClosed = true;
    this.transcript.add(`closed below: ${describeError(error)}`);
    // Every answer has come by now; one may still be held back.
    this.#settleSend();
    // With both ends done, what is still on its way up is delivered first, and the close follows from it.
    const inOrder = this.#shutdown && (this.#peerEnded || this.#pieces.at(-1) === 'end');
    if (this.#closing) this.closeDone();
    else if (error !== null) this.failed(error);
    else if (!inOrder) this.failed(new ChannelError('ERR_CHANNEL_CLOSED', 'The channel below was closed'));
  }
}

interface DataPiece {
  readonly bytes: Uint8Array;
  /** Released after this piece: the last one of what arrived together. */
  readonly lease: Lease | null;
}

type Piece = DataPiece | 'end';

/** No fault but those that are asked for by offset. */
export const faultless = { seed: 0, splitChance: 0, delayChance: 0, stallChance: 0 } as const;

/** Wraps a channel that only ever cuts what arrives, at exactly these offsets of the stream. */
export function cutChannel(lower: Channel, cutOffsets: readonly number[]): FaultyChannel {
  return new FaultyChannel(lower, { ...faultless, cutOffsets });
}

/**
 * Faults as a layer, to be stacked below the layer under test: each channel has its own, all from one seed.
 * @param options `seed` is that of the first channel; the others follow from it.
 */
export function faultyLayer(options: FaultOptions = {}): Layer {
  const random = new Random(options.seed ?? chooseSeed());
  return {
    name: 'faulty',
    async wrap(lower, _role, { signal } = {}) {
      if (signal?.aborted) {
        lower.abort(signal.reason instanceof Error ? signal.reason : undefined);
        throw signal.reason;
      }
      return new FaultyChannel(lower, { ...options, seed: random.integer(0, 2 ** 32 - 1) });
    },
  };
}
