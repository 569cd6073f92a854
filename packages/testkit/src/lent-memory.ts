/** Pooled memory that behaves like a port's: lent for one call, leased to live longer, poisoned when given back. */

import { type LeaseOwner, registerLeaseOwner } from '@iocp/core/layer';

/** What memory that was given back is filled with, so that a use after release shows. */
export const POISON = 0xdb;

/** A few equal slots; each counts its holders. */
export class LentMemory implements LeaseOwner {
  readonly #slotBytes: number;
  readonly #buffer: ArrayBuffer;
  readonly #holders: Int32Array;
  readonly #free: number[];
  readonly #onFree: () => void;

  /** @param onFree called whenever a slot has come back. */
  constructor(slotBytes: number, slots: number, onFree: () => void) {
    this.#slotBytes = slotBytes;
    this.#buffer = new ArrayBuffer(slotBytes * slots);
    this.#holders = new Int32Array(slots);
    this.#free = Array.from({ length: slots }, (_, index) => slots - 1 - index);
    this.#onFree = onFree;
    registerLeaseOwner(this.#buffer, this);
  }

  /** Slots that somebody holds. */
  get slotsHeld(): number {
    return this.#holders.length - this.#free.length;
  }

  /** A whole free slot with one holder, or null when all are held. Give it back with `release(bytes.byteOffset)`. */
  take(): Buffer<ArrayBuffer> | null {
    const slot = this.#free.pop();
    if (slot === undefined) return null;
    this.#holders[slot] = 1;
    // A Buffer, as a port lends them: its `slice` copies nothing, which catches those who think it does.
    return Buffer.from(this.#buffer, slot * this.#slotBytes, this.#slotBytes);
  }

  /** Some of the bytes, as a Buffer. */
  view(byteOffset: number, length: number): Buffer<ArrayBuffer> {
    return Buffer.from(this.#buffer, byteOffset, length);
  }

  retain(byteOffset: number): void {
    this.#count(byteOffset, 1);
  }

  release(byteOffset: number): void {
    const slot = Math.floor(byteOffset / this.#slotBytes);
    if (this.#count(byteOffset, -1) > 0) return;
    new Uint8Array(this.#buffer, slot * this.#slotBytes, this.#slotBytes).fill(POISON);
    this.#free.push(slot);
    this.#onFree();
  }

  #count(byteOffset: number, change: 1 | -1): number {
    const slot = Math.floor(byteOffset / this.#slotBytes);
    const holders = this.#holders[slot] ?? 0;
    if (holders <= 0) throw new Error('Lent bytes were kept or released after they had been given back');
    this.#holders[slot] = holders + change;
    return holders + change;
  }
}
