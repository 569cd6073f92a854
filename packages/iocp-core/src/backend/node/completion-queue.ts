/** Completions on their way to the completion block. */

import { CompletionWord, HEADER_WORDS, RECORD_WORDS } from '../../protocol.gen.js';

const wordsPerEntry = 6;
const firstEntries = 256;

/** First in, first out. Grows with what waits; allocates nothing while that fits. */
export class CompletionQueue {
  #words = new Int32Array(firstEntries * wordsPerEntry);
  #head = 0;
  #tail = 0;

  get length(): number {
    return (this.#tail - this.#head) / wordsPerEntry;
  }

  push(code: number, token: number, generation: number, result: number, value: number, extra: number): void {
    if (this.#tail === this.#words.length) this.#makeRoom();
    const words = this.#words;
    const at = this.#tail;
    words[at] = code;
    words[at + 1] = token;
    words[at + 2] = generation;
    words[at + 3] = result;
    words[at + 4] = value;
    words[at + 5] = extra;
    this.#tail = at + wordsPerEntry;
  }

  /** Moves up to `max` completions into the block of the port. Returns how many. */
  moveTo(block: Int32Array, max: number): number {
    const count = Math.min(max, this.length);
    const words = this.#words;
    for (let record = 0; record < count; record++) {
      const from = this.#head + record * wordsPerEntry;
      const to = HEADER_WORDS + record * RECORD_WORDS;
      block[to + CompletionWord.CODE] = words[from] as number;
      block[to + CompletionWord.TOKEN] = words[from + 1] as number;
      block[to + CompletionWord.TOKEN_GENERATION] = words[from + 2] as number;
      block[to + CompletionWord.RESULT] = words[from + 3] as number;
      block[to + CompletionWord.VALUE] = words[from + 4] as number;
      block[to + CompletionWord.EXTRA] = words[from + 5] as number;
    }
    this.#head += count * wordsPerEntry;
    if (this.#head === this.#tail) {
      this.#head = 0;
      this.#tail = 0;
    }
    return count;
  }

  #makeRoom(): void {
    const used = this.#tail - this.#head;
    if (used > this.#words.length / 2) {
      const larger = new Int32Array(this.#words.length * 2);
      larger.set(this.#words.subarray(this.#head, this.#tail));
      this.#words = larger;
    } else {
      this.#words.copyWithin(0, this.#head, this.#tail);
    }
    this.#head = 0;
    this.#tail = used;
  }
}
