import type { WriteMemory } from '../layer/write-memory.js';
import type { BufferPool } from './buffer-pool.js';

/** The pool's slots as layers see them. Half of the pool stays available for receives. */
export class SlotMemory implements WriteMemory {
  readonly blockBytes: number;
  readonly #pool: BufferPool;
  readonly #blocks: (Uint8Array | undefined)[] = [];

  constructor(pool: BufferPool) {
    this.#pool = pool;
    this.blockBytes = pool.slotBytes;
  }

  take(): number {
    return this.#pool.takeForWrite();
  }

  bytesOf(slot: number): Uint8Array {
    const known = this.#blocks[slot];
    if (known !== undefined) return known;
    const { base, buffer, slotBytes } = this.#pool;
    // A plain array grown by index would become a dictionary.
    while (this.#blocks.length < slot) this.#blocks.push(undefined);
    const block = new Uint8Array(buffer, base + slot * slotBytes, slotBytes);
    this.#blocks[slot] = block;
    return block;
  }

  lend(slot: number, offset: number, length: number): Uint8Array {
    return this.#pool.viewAt(slot, offset, length);
  }

  release(slot: number): void {
    this.#pool.release(slot);
  }
}
