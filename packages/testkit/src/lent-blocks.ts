/** The memory that layers may fill, as a port's: poisoned when it is given back, and sometimes there is none to spare. */

import type { WriteMemory } from '@iocp/core/layer';
import { LentMemory } from './lent-memory.js';

/** Blocks shared by the channels of one network. */
export class LentBlocks implements WriteMemory {
  readonly blockBytes: number;
  readonly #memory: LentMemory;

  constructor(blockBytes: number, blocks: number) {
    this.blockBytes = blockBytes;
    this.#memory = new LentMemory(blockBytes, blocks, () => {});
  }

  /** Blocks that somebody holds. */
  get blocksHeld(): number {
    return this.#memory.slotsHeld;
  }

  take(): number {
    const bytes = this.#memory.take();
    return bytes === null ? -1 : bytes.byteOffset / this.blockBytes;
  }

  bytesOf(block: number): Uint8Array {
    return this.lend(block, 0, this.blockBytes);
  }

  lend(block: number, offset: number, length: number): Uint8Array {
    return this.#memory.view(block * this.blockBytes + offset, length);
  }

  release(block: number): void {
    this.#memory.release(block * this.blockBytes);
  }
}
