/** Masking (RFC 6455 section 5.3). */

import { endianness } from 'node:os';
import { nativeMask } from './native-mask.js';

/** From this length on words pay; in their bytes, the first of the key must come first. */
const wordsMin = endianness() === 'LE' ? 8 : Number.POSITIVE_INFINITY;
/** From this length on a call of native code costs less than words in JavaScript. */
const nativeMin = nativeMask === null ? Number.POSITIVE_INFINITY : 512;
/** The highest bit of each byte. */
const notAscii = 0x80808080;

/** The buffer that was masked last: received bytes lie in one pool. */
let knownBuffer: ArrayBufferLike = new ArrayBuffer(0);
let knownWords: Int32Array = new Int32Array(knownBuffer);

/** The bytes that were masked last where nobody knew their buffer: what is sent is put together in one place. */
let knownBytes: Uint8Array = new Uint8Array(knownBuffer);
let knownByteOffset = 0;
let knownBytesBuffer: ArrayBufferLike = knownBuffer;

/** The key for bytes that begin `count` bytes further on in the payload, or earlier when it is negative. */
export function advanceKey(key: number, count: number): number {
  const bits = (count & 3) << 3;
  return (key << bits) | (key >>> (32 - bits));
}

/**
 * XORs `bytes[start, end)` with the key, in place.
 * @param key four bytes, the first one highest
 * @param phase index of `bytes[start]` in the payload; only its last two bits count
 */
export function applyMask(bytes: Uint8Array, start: number, end: number, key: number, phase: number): void {
  if (bytes !== knownBytes) {
    knownBytes = bytes;
    knownByteOffset = bytes.byteOffset;
    knownBytesBuffer = bytes.buffer;
  }
  maskWithin(bytes, knownBytesBuffer, knownByteOffset, start, end, advanceKey(key, phase));
}

/**
 * The same for callers that know where the bytes lie, which is slow to ask.
 * @param buffer that of `bytes`, which begins at its byte `byteOffset`
 * @returns true when all that came out is surely ASCII
 */
export function maskWithin(
  bytes: Uint8Array,
  buffer: ArrayBufferLike,
  byteOffset: number,
  start: number,
  end: number,
  key: number,
): boolean {
  const length = end - start;
  if (length < wordsMin) return maskBytes(bytes, start, end, key);
  if (length >= nativeMin) {
    nativeMask?.(bytes, start, end, key, 0);
    return false;
  }
  const words = wordsOf(buffer);
  // The last bytes of a buffer may be no whole word.
  if (byteOffset + end > words.length << 2) return maskBytes(bytes, start, end, key);
  return maskWords(words, byteOffset + start, byteOffset + end, key);
}

function wordsOf(buffer: ArrayBufferLike): Int32Array {
  if (buffer === knownBuffer) return knownWords;
  knownBuffer = buffer;
  knownWords = new Int32Array(buffer, 0, buffer.byteLength >>> 2);
  return knownWords;
}

function maskBytes(bytes: Uint8Array, start: number, end: number, key: number): boolean {
  let seen = 0;
  let turned = key;
  for (let at = start; at < end; at++) {
    turned = (turned << 8) | (turned >>> 24);
    const byte = (bytes[at] as number) ^ (turned & 0xff);
    bytes[at] = byte;
    seen |= byte;
  }
  return seen < 0x80;
}

/** Of the first and the last word, only the bytes between `start` and `end`, which are more than a word apart. */
function maskWords(words: Int32Array, start: number, end: number, key: number): boolean {
  const wordKey = swapBytes(advanceKey(key, -start));
  const inFirst = -1 << ((start & 3) << 3);
  const inLast = -1 >>> ((-end & 3) << 3);
  const first = start >>> 2;
  const last = (end - 1) >>> 2;

  const firstWord = (words[first] as number) ^ (wordKey & inFirst);
  words[first] = firstWord;
  const lastWord = (words[last] as number) ^ (wordKey & inLast);
  words[last] = lastWord;
  let seen = (firstWord & inFirst) | (lastWord & inLast);

  let at = first + 1;
  for (const endOfFours = last - 3; at < endOfFours; at += 4) {
    const a = (words[at] as number) ^ wordKey;
    const b = (words[at + 1] as number) ^ wordKey;
    const c = (words[at + 2] as number) ^ wordKey;
    const d = (words[at + 3] as number) ^ wordKey;
    words[at] = a;
    words[at + 1] = b;
    words[at + 2] = c;
    words[at + 3] = d;
    seen |= a | b | c | d;
  }
  for (; at < last; at++) {
    const word = (words[at] as number) ^ wordKey;
    words[at] = word;
    seen |= word;
  }
  return (seen & notAscii) === 0;
}

function swapBytes(key: number): number {
  return (key << 24) | ((key & 0xff00) << 8) | ((key >>> 8) & 0xff00) | (key >>> 24);
}
