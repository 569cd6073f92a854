/** The JavaScript end of the submission ring: writes records, native code drains them. */

import {
  HEADER_WORDS,
  Limit,
  Operation,
  RECORD_WORDS,
  SegmentWord,
  SubmissionHeader,
  SubmissionWord,
} from '../protocol.gen.js';

// Copied out of their objects: constants of the module are folded into the compiled code.
const capacity = Limit.SUBMISSION_RECORDS;
const countWord = SubmissionHeader.COUNT;
const codeWord = SubmissionWord.CODE;
const tokenWord = SubmissionWord.TOKEN;
const tokenGenerationWord = SubmissionWord.TOKEN_GENERATION;
const handleWord = SubmissionWord.HANDLE;
const handleGenerationWord = SubmissionWord.HANDLE_GENERATION;
const aWord = SubmissionWord.A;
const bWord = SubmissionWord.B;
const cWord = SubmissionWord.C;
const pinWord = SegmentWord.PIN;
const offsetWord = SegmentWord.OFFSET;
const lengthWord = SegmentWord.LENGTH;
const segmentWords = RECORD_WORDS / 2;
const sendCode = Operation.SEND;
const sendToCode = Operation.SEND_TO;
const cancelCode = Operation.CANCEL;

/** Words that describe one segment in a list: pin, offset, length. */
export const SEGMENT_TRIPLE = 3;

const recordsOfDatagram = 2;

/** Words that describe one datagram in a list: `OutgoingWord`. */
export const DATAGRAM_WORDS = recordsOfDatagram * RECORD_WORDS;
/** Up to this many words a loop is quicker than `set`, which needs a view. */
const loopedWordsMax = 16 * DATAGRAM_WORDS;

/** Whoever drains the ring. */
export interface RingDrain {
  /** COUNT must be 0 afterwards. */
  flush(): void;
  /** There are records. For those who do not look by themselves. */
  submitted?(): void;
}

export class SubmissionRing {
  /** Shared with native code. */
  readonly block = new Int32Array(HEADER_WORDS + capacity * RECORD_WORDS);
  /** Operations written since the beginning. */
  submissions = 0;
  #drain: RingDrain | undefined;
  /** Records that fit before somebody has to be called. */
  #unattended: number = capacity;

  /** Says who drains the ring when it is full. Without anyone, the records of a full ring are dropped. */
  connect(drain: RingDrain | undefined): void {
    this.#drain = drain;
    this.#unattended = drain?.submitted === undefined ? capacity : 0;
  }

  /** Forgets what was written and not drained. */
  clear(): void {
    this.block[countWord] = 0;
  }

  /** An operation with a token, on a handle (0, 0 for none), with one argument. */
  operation(
    code: number,
    token: number,
    tokenGeneration: number,
    handle: number,
    handleGeneration: number,
    argument: number,
  ): void {
    const offset = this.#reserve(1);
    const block = this.block;
    this.submissions++;
    block[offset + codeWord] = code;
    block[offset + tokenWord] = token;
    block[offset + tokenGenerationWord] = tokenGeneration;
    block[offset + handleWord] = handle;
    block[offset + handleGenerationWord] = handleGeneration;
    block[offset + aWord] = argument;
  }

  /** A SEND of `words.length / 3` or fewer segments: the first `count` triples of `words`. */
  send(
    token: number,
    tokenGeneration: number,
    handle: number,
    handleGeneration: number,
    words: readonly number[],
    count: number,
  ): void {
    const single = count === 1;
    const offset = this.#reserve(single ? 1 : 1 + ((count + 1) >> 1));
    const block = this.block;
    this.submissions++;
    block[offset + codeWord] = sendCode | (count << 16);
    block[offset + tokenWord] = token;
    block[offset + tokenGenerationWord] = tokenGeneration;
    block[offset + handleWord] = handle;
    block[offset + handleGenerationWord] = handleGeneration;
    if (single) {
      block[offset + aWord] = words[0] as number;
      block[offset + bWord] = words[1] as number;
      block[offset + cWord] = words[2] as number;
      return;
    }
    let target = offset + RECORD_WORDS;
    const end = count * SEGMENT_TRIPLE;
    for (let source = 0; source < end; source += SEGMENT_TRIPLE) {
      block[target + pinWord] = words[source] as number;
      block[target + offsetWord] = words[source + 1] as number;
      block[target + lengthWord] = words[source + 2] as number;
      target += segmentWords;
    }
  }

  /** A SEND_TO of the first `count` datagrams that `words` describes. */
  sendTo(
    token: number,
    tokenGeneration: number,
    handle: number,
    handleGeneration: number,
    words: Int32Array,
    count: number,
  ): void {
    const offset = this.#reserve(1 + count * recordsOfDatagram);
    const block = this.block;
    this.submissions++;
    block[offset + codeWord] = sendToCode | (count << 16);
    block[offset + tokenWord] = token;
    block[offset + tokenGenerationWord] = tokenGeneration;
    block[offset + handleWord] = handle;
    block[offset + handleGenerationWord] = handleGeneration;
    const target = offset + RECORD_WORDS;
    const end = count * DATAGRAM_WORDS;
    if (end > loopedWordsMax) block.set(words.subarray(0, end), target);
    else for (let at = 0; at < end; at++) block[target + at] = words[at] as number;
  }

  /** A request to end the operation with this token early. */
  cancel(token: number, tokenGeneration: number): void {
    const offset = this.#reserve(1);
    this.block[offset + codeWord] = cancelCode;
    this.block[offset + tokenWord] = token;
    this.block[offset + tokenGenerationWord] = tokenGeneration;
  }

  /** A record that completes nothing: PROVIDE, DISCARD, UNPIN. */
  notice(code: number, argument: number): void {
    const offset = this.#reserve(1);
    this.block[offset + codeWord] = code;
    this.block[offset + aWord] = argument;
  }

  /** Makes room for records that stay together. Returns the word where they begin. */
  #reserve(records: number): number {
    const block = this.block;
    let count = block[countWord] as number;
    if (count + records > this.#unattended) count = this.#attend(records);
    block[countWord] = count + records;
    return HEADER_WORDS + count * RECORD_WORDS;
  }

  /** Has a full ring drained, and records announced where that is wanted. Returns how many records are in the ring. */
  #attend(records: number): number {
    const block = this.block;
    if ((block[countWord] as number) + records > capacity) {
      if (this.#drain === undefined) this.clear();
      else this.#drain.flush();
    }
    this.#drain?.submitted?.();
    return block[countWord] as number;
  }
}
