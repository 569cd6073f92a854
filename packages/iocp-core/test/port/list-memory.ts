import { BufferPool } from '../../src/port/buffer-pool.js';
import type { SegmentMemory } from '../../src/port/segment-list.js';
import { SubmissionRing } from '../../src/port/submission-ring.js';
import { WriteArena } from '../../src/port/write-arena.js';
import {
  HEADER_WORDS,
  Operation,
  RECORD_WORDS,
  SubmissionHeader,
  SubmissionWord,
} from '../../src/protocol.gen.js';

export const slotBytes = 4096;
const base = 64;

export interface ListMemoryOptions {
  readonly maxSlots?: number;
  readonly debug?: boolean;
  /** Default `slotBytes`. */
  readonly slotBytes?: number;
}

/** What lists of things to send are made of, without a port; tests can look at what the driver would send. */
export class ListMemory implements SegmentMemory {
  readonly pool: BufferPool;
  readonly arena: WriteArena;
  readonly pins = new Map<number, Uint8Array>();
  readonly #ring = new SubmissionRing();
  readonly #provided: number[] = [];
  #nextPin = 0;

  constructor({ maxSlots = 64, debug = false, slotBytes: bytes = slotBytes }: ListMemoryOptions = {}) {
    this.pool = new BufferPool(this.#ring, { slotBytes: bytes, minSlots: 1, maxSlots, debug });
    this.pool.start(base);
    this.arena = new WriteArena(this.pool);
  }

  pin(bytes: Uint8Array): number {
    this.pins.set(this.#nextPin, bytes);
    return this.#nextPin++;
  }

  unpin(pin: number): void {
    if (!this.pins.delete(pin)) throw new Error(`pin ${pin} is unknown`);
  }

  /** A lent view of `length` bytes with `fill` in them. */
  lend(length: number, fill: number): { slot: number; view: Buffer } {
    const slot = this.pool.takeForWrite();
    const view = this.pool.view(slot, length);
    view.fill(fill);
    return { slot, view };
  }

  /** The kernel fills a slot, which is lent as `lend` does. */
  receive(length: number, fill: number): { slot: number; view: Buffer } {
    this.pool.replenish(1);
    this.#takeProvided();
    const slot = this.#provided.shift();
    if (slot === undefined) throw new Error('the pool has provided nothing');
    this.pool.received(slot);
    return { slot, view: this.pool.view(slot, length).fill(fill) };
  }

  /** What native code would send for a piece of pinned memory, or of the pool (-1). */
  bytesAt(pin: number, offset: number, length: number): Uint8Array {
    const memory = pin === -1 ? this.pool.bytes.subarray(base) : this.pins.get(pin);
    return memory?.slice(offset, offset + length) ?? new Uint8Array();
  }

  get heldSlots(): number {
    return this.pool.slots.javascript - (this.arena.idle ? 1 : 0);
  }

  #takeProvided(): void {
    const { block } = this.#ring;
    for (let record = 0; record < (block[SubmissionHeader.COUNT] ?? 0); record++) {
      const at = HEADER_WORDS + record * RECORD_WORDS;
      if (block[at + SubmissionWord.CODE] === Operation.PROVIDE) {
        this.#provided.push(block[at + SubmissionWord.A] ?? -1);
      }
    }
    this.#ring.clear();
  }
}
