import type { WriteMemory } from '@iocp/core/layer';
import { POISON } from '@iocp/testkit';

/** A medium's memory: a few blocks, overwritten when they are given back. */
export class Blocks implements WriteMemory {
  readonly blockBytes: number;
  readonly #blocks: Uint8Array<ArrayBuffer>[];
  readonly #free: Set<number>;

  constructor(blockBytes = 1000, blocks = 3) {
    this.blockBytes = blockBytes;
    this.#blocks = Array.from({ length: blocks }, () => new Uint8Array(blockBytes));
    this.#free = new Set(this.#blocks.keys());
  }

  /** Blocks that are taken. */
  get held(): number {
    return this.#blocks.length - this.#free.size;
  }

  /** True for bytes that lie in a block. */
  has(bytes: Uint8Array): boolean {
    return this.#blocks.some(({ buffer }) => buffer === bytes.buffer);
  }

  take(): number {
    for (const block of this.#free) {
      this.#free.delete(block);
      return block;
    }
    return -1;
  }

  bytesOf(block: number): Uint8Array {
    if (this.#free.has(block)) throw new Error(`Block ${block} was given back`);
    return this.#blocks[block] as Uint8Array;
  }

  lend(block: number, offset: number, length: number): Uint8Array {
    return this.bytesOf(block).subarray(offset, offset + length);
  }

  release(block: number): void {
    this.bytesOf(block).fill(POISON);
    this.#free.add(block);
  }
}
