import type { WriteMemory } from '@iocp/core/layer';
import { asBuffer } from './view.js';

/** Of memory of our own, so that a message of many small parts does not move with each of them. */
const ownBytesMin = 1024;

/**
 * One message, gathered from parts. Its memory follows what has arrived, never what was announced: one block of the medium, or
 * at most twice the bytes that are there (and 1 KiB at least, unless the whole message is shorter). Empty, it holds none.
 */
export class Assembly {
  readonly #memory: WriteMemory | null;
  /** Where the parts are put; `#block` is its number in `#memory`, or -1 when it is our own. */
  #area: Uint8Array | null = null;
  #block = -1;
  #length = 0;

  constructor(memory: WriteMemory | null) {
    this.#memory = memory;
  }

  /** Bytes that have arrived. */
  get length(): number {
    return this.#length;
  }

  /** Bytes of memory held. */
  get retainedBytes(): number {
    return this.#area === null ? 0 : this.#area.byteLength;
  }

  /** @param expected the length of the whole message, when it is known: no more is then taken than it needs. Else 0. */
  append(part: Uint8Array, expected: number): void {
    const length = this.#length + part.length;
    if (this.#area === null) this.#area = this.#open(length, expected);
    else if (length > this.#area.byteLength) this.#grow(length, expected);
    this.#area.set(part, this.#length);
    this.#length = length;
  }

  /** The message, lent until `clear`. Memory of our own is never used again: who keeps it may. */
  message(): Buffer {
    if (this.#area === null) return Buffer.alloc(0);
    if (this.#block >= 0) return asBuffer((this.#memory as WriteMemory).lend(this.#block, 0, this.#length));
    return asBuffer(this.#area.subarray(0, this.#length));
  }

  /** Gives the memory back, and begins anew. */
  clear(): void {
    this.#area = null;
    this.#length = 0;
    if (this.#block < 0) return;
    (this.#memory as WriteMemory).release(this.#block);
    this.#block = -1;
  }

  #open(length: number, expected: number): Uint8Array {
    const memory = this.#memory;
    if (memory !== null && Math.max(length, expected) <= memory.blockBytes) {
      this.#block = memory.take();
      if (this.#block >= 0) return memory.bytesOf(this.#block);
    }
    return ownArea(length, expected);
  }

  #grow(length: number, expected: number): void {
    const area = ownArea(length, expected);
    area.set((this.#area as Uint8Array).subarray(0, this.#length));
    const before = this.#length;
    this.clear();
    this.#length = before;
    this.#area = area;
  }
}

function ownArea(length: number, expected: number): Buffer {
  const bytes = Math.max(2 * length, ownBytesMin);
  return Buffer.allocUnsafeSlow(expected === 0 ? bytes : Math.min(expected, bytes));
}
