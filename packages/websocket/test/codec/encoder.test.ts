import { describe, expect, it } from 'vitest';
import { headerLength, maskKey, writeHeader } from '../../src/codec/encoder.js';
import { BINARY, frame, testKey } from './frames.js';

const key = Buffer.from(testKey).readInt32BE();
const lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 16_777_216, 2 ** 31, 2 ** 32 + 5, 2 ** 53 - 1];

describe('headers of frames', () => {
  it.each(lengths)('with %d bytes of payload', (length) => {
    for (const masked of [false, true]) {
      const expected = frame({ opcode: BINARY, announced: BigInt(length), key: masked ? testKey : null });
      const target = Buffer.alloc(20, 0xee);
      const end = writeHeader(target, 3, 0x82, length, key, masked);
      expect(target.subarray(3, end)).toEqual(Buffer.from(expected));
      expect(headerLength(length, masked)).toBe(end - 3);
      expect(target.subarray(0, 3)).toEqual(Buffer.alloc(3, 0xee));
      expect(target.subarray(end)).toEqual(Buffer.alloc(20 - end, 0xee));
    }
  });

  it('without FIN and with RSV1', () => {
    const target = new Uint8Array(2);
    writeHeader(target, 0, 0x41, 7, 0, false);
    expect(target).toEqual(Uint8Array.of(0x41, 7));
  });
});

describe('masking keys', () => {
  it('are 32 bits each, and others each time, also when the stock is renewed', () => {
    const keys = Array.from({ length: 3000 }, maskKey);
    expect(keys.every((each) => Number.isInteger(each) && each === (each | 0))).toBe(true);
    // By chance two of them may be equal; eleven are not.
    expect(new Set(keys).size).toBeGreaterThan(2990);
    // Every bit is turned on in some.
    expect(keys.reduce((seen, each) => seen | each, 0)).toBe(-1);
  });
});
