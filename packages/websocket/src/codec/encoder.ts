/** Headers of frames, and keys to mask with (RFC 6455 section 5.2). */

import { randomFillSync } from 'node:crypto';
import { controlPayloadMax, length16, length64, MASKED } from './frame.js';

const keysInStock = 1024;
const keys = new Int32Array(keysInStock);
let keysLeft = 0;

/** A key nobody can foresee (RFC 6455 section 10.3), from a stock of random bytes. */
export function maskKey(): number {
  if (keysLeft === 0) {
    randomFillSync(keys);
    keysLeft = keysInStock;
  }
  return keys[--keysLeft] as number;
}

/** Bytes of the header of a frame: 2 to 14. */
export function headerLength(payloadLength: number, masked: boolean): number {
  const plain = payloadLength <= controlPayloadMax ? 2 : payloadLength <= 0xffff ? 4 : 10;
  return masked ? plain + 4 : plain;
}

/**
 * Writes the header of a frame to `target` from `at` on.
 * @param first FIN, RSV1 and the opcode
 * @param key four bytes, the first one highest; of no meaning unless `masked`
 * @returns the offset behind the header
 */
export function writeHeader(
  target: Uint8Array,
  at: number,
  first: number,
  payloadLength: number,
  key: number,
  masked: boolean,
): number {
  const maskBit = masked ? MASKED : 0;
  target[at] = first;
  let end = at + 2;
  if (payloadLength <= controlPayloadMax) {
    target[at + 1] = maskBit | payloadLength;
  } else if (payloadLength <= 0xffff) {
    target[at + 1] = maskBit | length16;
    target[at + 2] = payloadLength >>> 8;
    target[at + 3] = payloadLength;
    end = at + 4;
  } else {
    target[at + 1] = maskBit | length64;
    writeUint32(target, at + 2, Math.floor(payloadLength / 0x1_0000_0000));
    writeUint32(target, at + 6, payloadLength);
    end = at + 10;
  }
  if (!masked) return end;
  writeUint32(target, end, key);
  return end + 4;
}

function writeUint32(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
}
