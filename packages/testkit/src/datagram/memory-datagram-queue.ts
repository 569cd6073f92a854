/** What a datagram channel in memory has still to send: bounded, with the three policies of overflow. */

import {
  type DatagramAddress,
  type DatagramOverflowPolicy,
  type DatagramQueueOptions,
  type DatagramSendOptions,
  IoError,
  type Lease,
  validateInteger,
  validateOneOf,
} from '@iocp/core/layer';

/** A datagram that waits, or that the network has been given. */
export interface Outgoing {
  readonly kept: Lease;
  readonly to: DatagramAddress;
  readonly options: DatagramSendOptions | undefined;
}

/** Datagrams that the network is given at once at most. */
const inFlightMax = 64;

export class MemoryDatagramQueue {
  readonly #datagramsMax: number;
  readonly #bytesMax: number;
  readonly #overflow: DatagramOverflowPolicy;
  readonly #onDropped: (dropped: Outgoing, reason: Error) => void;
  #waiting: Outgoing[] = [];
  #inFlight: Outgoing[] = [];
  byteLength = 0;
  droppedFull = 0;
  /** A `send` was refused for lack of room, and nobody was told of room since. */
  drainOwed = false;

  constructor(options: DatagramQueueOptions, onDropped: (dropped: Outgoing, reason: Error) => void) {
    const { queuedDatagramsMax = 4096, queuedBytesMax = 4 * 1024 * 1024, overflow = 'drop-new' } = options;
    validateInteger(queuedDatagramsMax, 'options.queuedDatagramsMax', 1);
    validateInteger(queuedBytesMax, 'options.queuedBytesMax', 1);
    validateOneOf(overflow, 'options.overflow', ['drop-new', 'drop-old', 'block'] as const);
    this.#datagramsMax = queuedDatagramsMax;
    this.#bytesMax = queuedBytesMax;
    this.#overflow = overflow;
    this.#onDropped = onDropped;
  }

  get length(): number {
    return this.#waiting.length + this.#inFlight.length;
  }

  get halfFree(): boolean {
    return this.length * 2 <= this.#datagramsMax && this.byteLength * 2 <= this.#bytesMax;
  }

  /** Makes room where the policy does. */
  makeRoom(byteCount: number): 'room' | 'drop' | 'block' {
    if (this.#overflow === 'drop-old') {
      while (!this.#fits(byteCount) && this.#waiting.length > 0) this.#dropOldest();
    }
    if (this.#fits(byteCount)) return 'room';
    this.drainOwed = true;
    if (this.#overflow === 'block') return 'block';
    this.droppedFull++;
    return 'drop';
  }

  #fits(byteCount: number): boolean {
    if (this.length === 0) return true;
    return this.length < this.#datagramsMax && this.byteLength + byteCount <= this.#bytesMax;
  }

  #dropOldest(): void {
    const dropped = this.#waiting.shift() as Outgoing;
    this.byteLength -= dropped.kept.bytes.byteLength;
    this.droppedFull++;
    this.#onDropped(dropped, overflowError());
  }

  add(datagram: Outgoing): void {
    this.#waiting.push(datagram);
    this.byteLength += datagram.kept.bytes.byteLength;
  }

  get isInFlight(): boolean {
    return this.#inFlight.length > 0;
  }

  /** Gives the network the next ones, when it has none. */
  begin(): void {
    if (this.#inFlight.length === 0) this.#inFlight = this.#waiting.splice(0, inFlightMax);
  }

  /** Takes those that the network had been given out of the queue. */
  settle(): readonly Outgoing[] {
    const settled = this.#inFlight;
    this.#inFlight = [];
    for (const { kept } of settled) this.byteLength -= kept.bytes.byteLength;
    return settled;
  }

  /** Empties the queue: nothing of it will be sent. */
  clear(): readonly Outgoing[] {
    const all = [...this.#inFlight, ...this.#waiting];
    this.#inFlight = [];
    this.#waiting = [];
    this.byteLength = 0;
    return all;
  }
}

export function overflowError(): IoError {
  return new IoError(
    'The send queue is full: the datagram was dropped. Send slower, or choose a longer queue',
    {
      code: 'ERR_CHANNEL_OVERFLOW',
    },
  );
}
