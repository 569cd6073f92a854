/** Ways to cut the same bytes: a parser must not care where its input was cut. */

import type { Random } from './prng.js';

/** The input cut at the given offsets (ascending, each within the input). Views, no copies; empty parts are left out. */
export function splitAt(input: Uint8Array, offsets: readonly number[]): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let start = 0;
  for (const offset of [...offsets, input.byteLength]) {
    if (offset < start || offset > input.byteLength) {
      throw new RangeError(`Offsets must ascend from 0 to ${input.byteLength}, got ${offsets.join(', ')}`);
    }
    if (offset > start) parts.push(input.subarray(start, offset));
    start = offset;
  }
  return parts;
}

/** Every way to cut the input in two: `byteLength - 1` of them, as offsets of the cut. For short inputs. */
export function* everySplitInTwo(input: Uint8Array): Generator<[Uint8Array, Uint8Array]> {
  for (let offset = 1; offset < input.byteLength; offset++) {
    yield [input.subarray(0, offset), input.subarray(offset)];
  }
}

/** The input one byte at a time: the harshest chunking there is. */
export function byteByByte(input: Uint8Array): Uint8Array[] {
  return Array.from(input, (_, index) => input.subarray(index, index + 1));
}

export interface RandomSplitOptions {
  /** Longest part in bytes. Default: the whole input. */
  readonly partBytesMax?: number;
}

/** The input in random parts of 1 to `partBytesMax` bytes. */
export function randomSplit(
  input: Uint8Array,
  random: Random,
  options: RandomSplitOptions = {},
): Uint8Array[] {
  const partBytesMax = options.partBytesMax ?? Math.max(1, input.byteLength);
  const parts: Uint8Array[] = [];
  for (let start = 0; start < input.byteLength; ) {
    const end = Math.min(input.byteLength, start + random.integer(1, partBytesMax));
    parts.push(input.subarray(start, end));
    start = end;
  }
  return parts;
}

/** A copy of the input with one bit turned. */
export function withBitFlipped(input: Uint8Array, bit: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(input);
  const index = bit >>> 3;
  copy[index] = (copy[index] ?? 0) ^ (1 << (bit & 7));
  return copy;
}

/** The parts as one array of bytes. */
export function concatenate(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let byteCount = 0;
  for (const part of parts) byteCount += part.byteLength;
  const whole = new Uint8Array(byteCount);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.byteLength;
  }
  return whole;
}

/**
 * Bytes that tell where they belong: byte `i` follows from its position, so a lost, doubled or swapped part shows.
 * @param start position of the first byte in its stream.
 */
export function pattern(byteCount: number, start = 0): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(byteCount);
  for (let index = 0; index < byteCount; index++) bytes[index] = patternAt(start + index);
  return bytes;
}

/** The byte of `pattern` at a position. 251 is prime, so that the pattern is not in step with buffer sizes. */
export function patternAt(position: number): number {
  return (position % 251) ^ ((position >>> 12) & 0xff);
}
