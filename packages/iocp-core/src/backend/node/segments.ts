/** From the segments of a SEND, and the datagrams of a SEND_TO, to the bytes they name. */

import { Limit, RECORD_WORDS, SegmentWord, SubmissionWord } from '../../protocol.gen.js';
import { datagramWords, type OutgoingDatagram } from './outgoing-datagram.js';
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

  /**
   * The datagrams of a SEND_TO; null when there are none or too many, or the bytes of one are not in the pool or the
   * pinned memory it names.
   * @param record where the record of the SEND_TO begins in `block`
   */
  readDatagrams(block: Int32Array, record: number, count: number): OutgoingDatagram[] | null {
    if (count === 0 || count > Limit.DATAGRAMS_MAX) return null;
    const datagrams: OutgoingDatagram[] = [];
    let at = record + RECORD_WORDS;
    for (let left = count; left > 0; left--) {
      // A datagram begins as a segment does.
      const payload = this.#resolve(block, at);
      if (payload === null) return null;
      datagrams.push({ payload, words: block.subarray(at, at + datagramWords) });
      at += datagramWords;
    }
    return datagrams;
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
