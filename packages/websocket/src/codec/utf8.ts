/** UTF-8 (RFC 3629) that comes in pieces. */

import { isUtf8 } from 'node:buffer';

/** Up to this length looking at each byte costs less than calling native code. */
const byBytesMax = 32;

/**
 * Says of each piece whether the text can still be UTF-8. What is wrong is found with the byte that makes it wrong, not only at
 * the end of its sequence.
 */
export class Utf8Validator {
  /** Bytes that the last sequence still needs, and what the next of them must lie between. */
  #missing = 0;
  #least = 0x80;
  #most = 0xbf;

  /** Nothing is missing: the text may end here. */
  get complete(): boolean {
    return this.#missing === 0;
  }

  /** @returns false when these bytes cannot go on in the text so far */
  accept(piece: Buffer): boolean {
    const { length } = piece;
    if (length <= byBytesMax) return this.#acceptBytes(piece, 0, length);
    // The bytes that complete a sequence are at most three.
    const start = this.#missing;
    if (!this.#acceptBytes(piece, 0, start)) return false;
    const end = startOfUnfinished(piece);
    return isUtf8(piece.subarray(start, end)) && this.#acceptBytes(piece, end, length);
  }

  #acceptBytes(bytes: Uint8Array, start: number, end: number): boolean {
    for (let at = start; at < end; at++) {
      const byte = bytes[at] as number;
      if (this.#missing > 0) {
        if (byte < this.#least || byte > this.#most) return false;
        this.#expect(this.#missing - 1, 0x80, 0xbf);
      } else if (byte >= 0x80 && !this.#begin(byte)) return false;
    }
    return true;
  }

  /** The table of RFC 3629 section 4: no overlong forms, no surrogates, nothing above U+10FFFF. */
  #begin(lead: number): boolean {
    if (lead < 0xc2 || lead > 0xf4) return false;
    if (lead < 0xe0) this.#expect(1, 0x80, 0xbf);
    else if (lead < 0xf0) this.#expect(2, lead === 0xe0 ? 0xa0 : 0x80, lead === 0xed ? 0x9f : 0xbf);
    else this.#expect(3, lead === 0xf0 ? 0x90 : 0x80, lead === 0xf4 ? 0x8f : 0xbf);
    return true;
  }

  #expect(missing: number, least: number, most: number): void {
    this.#missing = missing;
    this.#least = least;
    this.#most = most;
  }
}

/** Where the sequence begins that the end of `bytes` cuts; their length when it cuts none. */
function startOfUnfinished(bytes: Uint8Array): number {
  const { length } = bytes;
  for (let back = 1; back <= 3; back++) {
    const byte = bytes[length - back] as number;
    if (byte >= 0xc0) return sequenceLength(byte) > back ? length - back : length;
    if (byte < 0x80) return length;
  }
  return length;
}

function sequenceLength(lead: number): number {
  return lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
}
