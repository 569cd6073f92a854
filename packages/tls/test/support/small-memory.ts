import type { WriteMemory } from '@iocp/core/layer';
import { POISON } from '@iocp/testkit';

/** Blocks shorter than a record, and too few of them: what a channel's memory is at its worst. Overwritten when released. */
export class SmallMemory implements WriteMemory {
  readonly blockBytes = 1000;
  readonly #blocks: Buffer[];
  readonly #free: number[];

  constructor(blocks = 3) {
    this.#blocks = Array.from({ length: blocks }, () => Buffer.alloc(this.blockBytes));
    this.#free = this.#blocks.map((_, index) => index);
  }

  /** Blocks that are taken. */
  get held(): number {
    return this.#blocks.length - this.#free.length;
  }

  take(): number {
    return this.#free.pop() ?? -1;
  }

  bytesOf(block: number): Buffer {
    return this.#blocks[block] as Buffer;
  }

  lend(block: number, offset: number, length: number): Buffer {
    return this.bytesOf(block).subarray(offset, offset + length);
  }

  release(block: number): void {
    this.bytesOf(block).fill(POISON);
    this.#free.push(block);
  }
}
