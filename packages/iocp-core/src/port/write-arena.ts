/** Where small writes are copied, one behind the other, in slots shared by all channels of a port. */

import type { BufferPool } from './buffer-pool.js';

/**
 * Bump allocation in pool slots. The arena is one holder of its slot; every segment made of it is another. When the
 * segments are sent and only the arena is left, it begins at the start of the same slot again.
 */
export class WriteArena {
  readonly #pool: BufferPool;
  #slot = -1;
  #used = 0;

  constructor(pool: BufferPool) {
    this.#pool = pool;
  }

  /** True when the arena holds a slot that nothing written lies in. */
  get idle(): boolean {
    return this.#slot >= 0 && this.#pool.holdersOf(this.#slot) === 1;
  }

  /**
   * Copies a chunk of at most one slot. The caller must retain the slot before the next call.
   * @returns the offset from the start of slot 0, or -1 when the pool has no slot to spare.
   */
  copy(chunk: Uint8Array): number {
    const offset = this.reserve(chunk.length);
    if (offset >= 0) this.#pool.bytes.set(chunk, this.#pool.base + offset);
    return offset;
  }

  /** Like `copy`, but leaves the writing to the caller: `pool.bytes` at `pool.base` plus the result. */
  reserve(length: number): number {
    const slotBytes = this.#pool.slotBytes;
    if (this.#slot >= 0) {
      if (this.#pool.holdersOf(this.#slot) === 1) this.#used = 0;
      if (this.#used + length <= slotBytes) return this.#advance(length);
      this.release();
    }
    if (length > slotBytes) return -1;
    this.#slot = this.#pool.takeForWrite();
    this.#used = 0;
    return this.#slot < 0 ? -1 : this.#advance(length);
  }

  /** Gives the slot back as soon as what lies in it is sent. */
  release(): void {
    if (this.#slot < 0) return;
    const slot = this.#slot;
    this.#slot = -1;
    this.#pool.release(slot);
  }

  #advance(length: number): number {
    const offset = this.#slot * this.#pool.slotBytes + this.#used;
    this.#used += length;
    return offset;
  }
}
