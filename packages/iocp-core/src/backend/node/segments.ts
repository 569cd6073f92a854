/** From the segments of a SEND to the bytes they name. */

import { Limit, RECORD_WORDS, SegmentWord, SubmissionWord } from '../../protocol.gen.js';
import type { Pins } from './pins.js';

const poolPin = -1;
const bytesMax = 0x7fffffff;
const segmentWords = RECORD_WORDS / 2;

export class SegmentReader {
  readonly #pool: Uint8Array;
  readonly #pins: Pins;

  /** @param pool all slots, from the first byte of slot 0 */
  constructor(pool: Uint8Array, pins: Pins) {
    this.#pool = pool;
    this.#pins = pins;
  }

  /**
   * The bytes of each segment; null when one of them is not in the pool or the pinned memory it names.
   * @param record where the record of the SEND begins in `block`
   */
  read(block: Int32Array, record: number, count: number): Uint8Array[] | null {
    if (count > Limit.SEGMENTS_MAX) return null;
    const segments: Uint8Array[] = [];
    let total = 0;
    // A single segment is in the record itself, others in records behind it.
    let at = count <= 1 ? record + SubmissionWord.A : record + RECORD_WORDS;
    for (let left = Math.max(count, 1); left > 0; left--) {
      const segment = this.#resolve(block, at);
      if (segment === null) return null;
      segments.push(segment);
      total += segment.length;
      at += segmentWords;
    }
    return total > bytesMax ? null : segments;
  }

  #resolve(block: Int32Array, at: number): Buffer | null {
    const pin = block[at + SegmentWord.PIN] as number;
    const offset = block[at + SegmentWord.OFFSET] as number;
    const length = block[at + SegmentWord.LENGTH] as number;
    const memory = pin === poolPin ? this.#pool : this.#pins.find(pin);
    if (memory === null || offset < 0 || length < 0 || offset + length > memory.length) return null;
    return Buffer.from(memory.buffer, memory.byteOffset + offset, length);
  }
}
