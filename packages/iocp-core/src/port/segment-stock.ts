import { SegmentList, type SegmentMemory } from './segment-list.js';

/** More lists than that at once are left to the garbage collector afterwards. */
const listsMax = 1024;

/** Empty segment lists: a connection that sends takes one, and one that is idle holds none. */
export class SegmentStock {
  readonly #memory: SegmentMemory;
  readonly #lists: SegmentList[] = [];

  constructor(memory: SegmentMemory) {
    this.#memory = memory;
  }

  take(): SegmentList {
    return this.#lists.pop() ?? new SegmentList(this.#memory);
  }

  /** Releases what is in it, and takes it back: whoever gives it must forget it. */
  give(list: SegmentList): void {
    list.releaseAll();
    if (this.#lists.length < listsMax) this.#lists.push(list);
  }
}
