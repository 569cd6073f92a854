/** The pool of equal slots that the kernel receives into and that small writes are copied into. */

import { markAsUntransferable } from 'node:worker_threads';
import { IoError } from '../layer/errors.js';
import { type LeaseOwner, registerLeaseOwner } from '../layer/lease.js';
import { Operation } from '../protocol.gen.js';
import { LentCopies } from './lent-copies.js';
import type { SubmissionRing } from './submission-ring.js';

const provideCode = Operation.PROVIDE;
const discardCode = Operation.DISCARD;
const pageBytes = 4096;
const shrinkIntervalMs = 2000;

export interface BufferPoolSettings {
  readonly slotBytes: number;
  readonly minSlots: number;
  readonly maxSlots: number;
  readonly debug: boolean;
}

/** Where the slots are. */
export interface SlotCounts {
  readonly total: number;
  /** Provided for receives. */
  readonly kernel: number;
  /** Lent, leased, or queued for sending. */
  readonly javascript: number;
  readonly free: number;
  /** How many the pool wants to have provided at present. */
  readonly target: number;
}

/** Keeps count of the slots it has charged itself with. */
export interface SlotHolder {
  /** A slot it was charged with has gone back to the pool. */
  slotReturned(): void;
}

/**
 * One piece of memory for `maxSlots` slots; pages are committed when a slot is first used. A slot is either free,
 * provided to the kernel, or in the hands of JavaScript, where holders are counted.
 *
 * The number of provided slots follows the load: it doubles when receives found no slot and halves when less than half
 * of it was needed for a while. The last eighth of the slots is never provided, so that writes find some.
 */
export class BufferPool {
  readonly buffer: ArrayBuffer;
  /** All of the memory. Slot 0 begins at `base`. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The same in words: the header of a datagram that slot `s` holds begins at `words[wordOf(s)]`. */
  readonly words: Int32Array<ArrayBuffer>;
  readonly slotBytes: number;
  readonly minSlots: number;
  readonly maxSlots: number;
  readonly debug: boolean;
  readonly #ring: SubmissionRing;
  readonly #shift: number;
  readonly #provideMax: number;
  readonly #holders: Int32Array;
  /** The last view of each slot, and where in the slot it begins: to ask the view itself for it would be slow. */
  readonly #views: (Buffer | null)[] = [];
  readonly #viewOffsets: Int32Array;
  readonly #charged: (SlotHolder | null)[] = [];
  readonly #lentCopies: LentCopies | null;
  /** Free slots whose pages are committed, and those that were never used or were discarded. */
  readonly #warm: Int32Array;
  readonly #cold: Int32Array;
  #warmCount = 0;
  #coldCount = 0;
  #base = 0;
  #kernelCount = 0;
  #target: number;
  /** Fewest slots that the kernel had left, and that were free and committed, since the last look. */
  #lowestStock: number;
  #lowestWarm = 0;
  #shrinkTimer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(ring: SubmissionRing, settings: BufferPoolSettings) {
    this.#ring = ring;
    this.slotBytes = settings.slotBytes;
    this.minSlots = settings.minSlots;
    this.maxSlots = settings.maxSlots;
    this.debug = settings.debug;
    this.#shift = Math.log2(this.slotBytes);
    this.#provideMax = this.maxSlots - (this.maxSlots >> 3);
    this.#target = Math.min(this.minSlots, this.#provideMax);
    this.#lowestStock = this.#target;
    this.buffer = new ArrayBuffer(this.maxSlots * this.slotBytes + pageBytes);
    markAsUntransferable(this.buffer);
    this.bytes = new Uint8Array(this.buffer);
    this.words = new Int32Array(this.buffer);
    this.#holders = new Int32Array(this.maxSlots);
    this.#viewOffsets = new Int32Array(this.maxSlots);
    this.#warm = new Int32Array(this.maxSlots);
    this.#cold = new Int32Array(this.maxSlots);
    for (let slot = 0; slot < this.maxSlots; slot++) {
      this.#views.push(null);
      this.#charged.push(null);
    }
    for (let slot = this.maxSlots - 1; slot >= 0; slot--) this.#cold[this.#coldCount++] = slot;
    this.#lentCopies = settings.debug ? new LentCopies() : null;
    registerLeaseOwner(this.buffer, new SlotOwner(this));
  }

  /** Byte offset of slot 0 in `buffer`. */
  get base(): number {
    return this.#base;
  }

  get slots(): SlotCounts {
    const free = this.#warmCount + this.#coldCount;
    return {
      total: this.maxSlots,
      kernel: this.#kernelCount,
      javascript: this.maxSlots - this.#kernelCount - free,
      free,
      target: this.#target,
    };
  }

  /** The driver has said where slot 0 begins: provides the first slots. */
  start(base: number): void {
    this.#base = base;
    this.#topUp();
  }

  /** The slot that holds the byte at `byteOffset` of `buffer`. */
  slotAt(byteOffset: number): number {
    return (byteOffset - this.#base) >> this.#shift;
  }

  /** Index in `words` of the first word of a slot. */
  wordOf(slot: number): number {
    return (this.#base + slot * this.slotBytes) >>> 2;
  }

  /** The slot that holds the byte at `offset` from the start of slot 0. */
  slotOf(offset: number): number {
    return offset >> this.#shift;
  }

  /** Throws `ERR_IOCP_NOT_LENT` unless `slot` is in the hands of JavaScript. */
  requireHeld(slot: number): void {
    if (!this.isHeld(slot)) throw notLent();
  }

  /** Less than a quarter of the slots is left for receives: what can be copied should give its slot back. */
  get scarce(): boolean {
    return this.#kernelCount + this.#warmCount + this.#coldCount < this.maxSlots >> 2;
  }

  /** True when `slot` is in the hands of JavaScript. */
  isHeld(slot: number): boolean {
    return (this.#holders[slot] as number) > 0;
  }

  /** How many hold `slot`. */
  holdersOf(slot: number): number {
    return this.#holders[slot] as number;
  }

  /**
   * The first `length` bytes of a slot, lent. The same length gives the same object again while nothing else was asked of
   * this slot, so that steady traffic allocates nothing.
   */
  view(slot: number, length: number): Buffer {
    return this.viewAt(slot, 0, length);
  }

  /**
   * `length` bytes of a slot from `offset` on, lent. The same offset and length give the same object again while nothing
   * else was asked of this slot.
   */
  viewAt(slot: number, offset: number, length: number): Buffer {
    const cached = this.#views[slot];
    if (cached !== null && cached !== undefined && cached.length === length) {
      if (this.#viewOffsets[slot] === offset) return cached;
    }
    const view = Buffer.from(this.buffer, this.#base + slot * this.slotBytes + offset, length);
    if (this.#lentCopies !== null) return this.#lentCopies.lend(this, slot, view);
    this.#views[slot] = view;
    this.#viewOffsets[slot] = offset;
    return view;
  }

  /** Where bytes begin, counted from the start of slot 0, when they are what was last viewed of `slot`; else -1. */
  offsetOfView(slot: number, bytes: unknown): number {
    if (bytes !== this.#views[slot] || bytes === null) return -1;
    return slot * this.slotBytes + (this.#viewOffsets[slot] as number);
  }

  /**
   * One more holder of a slot.
   * @throws {IoError} `ERR_IOCP_NOT_LENT` when the slot was given back already.
   */
  retain(slot: number): void {
    const holders = this.#holders[slot] as number;
    // Also for a slot that does not exist: a view of the whole buffer was made by hand.
    if (!(holders > 0)) throw notLent();
    this.#holders[slot] = holders + 1;
  }

  /**
   * One holder less; the last one gives the slot back.
   * @throws {IoError} `ERR_IOCP_NOT_LENT` when nobody holds the slot.
   */
  release(slot: number): void {
    const holders = this.#holders[slot] as number;
    if (!(holders > 0)) throw notLent();
    this.#holders[slot] = holders - 1;
    if (holders === 1) this.#takeBack(slot);
  }

  /** For quotas: `holder` is told, once, when the last holder gives `slot`, which is held now, back. */
  charge(slot: number, holder: SlotHolder): void {
    this.#charged[slot] = holder;
  }

  /**
   * A slot to write into, with one holder, or -1 when the pool has none to spare: half of it stays available for receives.
   */
  takeForWrite(): number {
    const free = this.#warmCount + this.#coldCount;
    if (free === 0 || this.#kernelCount + free <= this.maxSlots >> 1) return -1;
    const slot = this.#takeFree();
    this.#holders[slot] = 1;
    return slot;
  }

  /** The kernel has filled a slot: it has one holder, the dispatch, until the handler has returned. */
  received(slot: number): void {
    this.#kernelCount--;
    this.#holders[slot] = 1;
  }

  /** A batch begins; `stock` is how many provided slots were left at that time. */
  sampleStock(stock: number): void {
    if (stock < this.#lowestStock) this.#lowestStock = stock;
  }

  /**
   * Provides free slots up to the target, which is doubled first when receives are parked.
   * @returns false when receives are parked and there is nothing to give them.
   */
  replenish(parked: number): boolean {
    if (parked > 0) this.#grow();
    this.#topUp();
    return parked === 0 || this.#kernelCount > 0;
  }

  /**
   * Halves the target when less than half of it was needed since the last time, and gives the pages of slots back that
   * were not used. Called by a timer while there is more than `minSlots` of anything.
   */
  shrink(): void {
    const needed = this.#target - this.#lowestStock;
    const lowest = Math.min(this.minSlots, this.#provideMax);
    if (needed * 2 <= this.#target) this.#target = Math.max(lowest, this.#target >> 1);
    this.#lowestStock = this.#target;
    this.#discardUnused();
    if (this.#target > lowest || this.#warmCount > this.minSlots) return;
    clearInterval(this.#shrinkTimer);
    this.#shrinkTimer = undefined;
  }

  /** The driver is gone: stops the timer, and counts the slots it had as free. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#shrinkTimer);
    this.#shrinkTimer = undefined;
    this.#kernelCount = 0;
    this.#warmCount = 0;
    this.#coldCount = 0;
    for (let slot = 0; slot < this.maxSlots; slot++) {
      if (!this.isHeld(slot)) this.#cold[this.#coldCount++] = slot;
    }
  }

  #topUp(): void {
    while (this.#kernelCount < this.#target && this.#warmCount + this.#coldCount > 0)
      this.#provide(this.#takeFree());
  }

  #takeFree(): number {
    if (this.#warmCount > 0) {
      const slot = this.#warm[--this.#warmCount] as number;
      if (this.#warmCount < this.#lowestWarm) this.#lowestWarm = this.#warmCount;
      return slot;
    }
    return this.#cold[--this.#coldCount] as number;
  }

  #provide(slot: number): void {
    this.#kernelCount++;
    this.#ring.notice(provideCode, slot);
  }

  #takeBack(slot: number): void {
    if (this.#lentCopies !== null) this.#poison(slot);
    if (this.#kernelCount < this.#target && !this.#closed) {
      this.#provide(slot);
    } else {
      this.#warm[this.#warmCount++] = slot;
      if (this.#warmCount > this.minSlots) this.#shrinkLater();
    }
    const charged = this.#charged[slot] as SlotHolder | null;
    if (charged !== null) {
      this.#charged[slot] = null;
      charged.slotReturned();
    }
  }

  #poison(slot: number): void {
    const start = this.#base + slot * this.slotBytes;
    this.bytes.fill(0xdb, start, start + this.slotBytes);
    this.#lentCopies?.revoke(slot);
  }

  #grow(): void {
    if (this.#target === this.#provideMax || this.#closed) return;
    this.#target = Math.min(this.#target * 2, this.#provideMax);
    this.#lowestStock = 0;
    this.#shrinkLater();
  }

  #shrinkLater(): void {
    if (this.#closed) return;
    this.#shrinkTimer ??= setInterval(() => this.shrink(), shrinkIntervalMs).unref();
  }

  /** Gives the pages of free slots back that were not needed since the last time: those at the bottom of the stack. */
  #discardUnused(): void {
    const unused = Math.min(this.#lowestWarm, this.#warmCount - this.minSlots);
    for (let at = 0; at < unused; at++) {
      const slot = this.#warm[at] as number;
      this.#cold[this.#coldCount++] = slot;
      this.#ring.notice(discardCode, slot);
    }
    if (unused > 0) {
      this.#warm.copyWithin(0, unused, this.#warmCount);
      this.#warmCount -= unused;
    }
    this.#lowestWarm = this.#warmCount;
  }
}

/** Counts leases of views of the pool by the slot they lie in. */
class SlotOwner implements LeaseOwner {
  readonly #pool: BufferPool;

  constructor(pool: BufferPool) {
    this.#pool = pool;
  }

  retain(byteOffset: number): void {
    this.#pool.retain(this.#pool.slotAt(byteOffset));
  }

  release(byteOffset: number): void {
    this.#pool.release(this.#pool.slotAt(byteOffset));
  }
}

/** `ERR_IOCP_NOT_LENT`. */
export function notLent(): IoError {
  return new IoError(
    'These bytes were lent and have gone back to the pool: copy them, or take a lease, before the call that lends them returns.',
    { code: 'ERR_IOCP_NOT_LENT' },
  );
}
