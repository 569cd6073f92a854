import { randomFillSync } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';

/** With native code where it is built, and without. */
const ways = ['as it is loaded', 'in JavaScript'] as const;

async function maskModule(way: (typeof ways)[number]): Promise<typeof import('../../src/codec/mask.js')> {
  vi.resetModules();
  if (way === 'in JavaScript') {
    vi.doMock('../../src/codec/native-mask.js', () => ({ nativeMask: null }));
  } else {
    vi.doUnmock('../../src/codec/native-mask.js');
  }
  return await import('../../src/codec/mask.js');
}

const key = 0xf1a2034d | 0;
const keyBytes = [0xf1, 0xa2, 0x03, 0x4d];
const lengths = [...Array(70).keys(), 126, 127, 255, 256, 511, 512, 513, 1023, 1024, 5000, 70_001];

function masked(payload: Uint8Array, phase: number): Uint8Array {
  return payload.map((byte, index) => byte ^ (keyBytes[(index + phase) & 3] as number));
}

describe.each(ways)('masking %s', (way) => {
  it('turns the bytes between start and end, and no others, wherever they lie', async () => {
    const { applyMask } = await maskModule(way);
    for (const length of lengths) {
      for (let offset = 0; offset < 5; offset++) {
        for (let phase = 0; phase < 4; phase++) {
          // A view that does not begin where its memory does, and whose memory is no multiple of four.
          const memory = randomFillSync(new Uint8Array(3 + offset + length + 6));
          const bytes = memory.subarray(3);
          const before = memory.slice();
          applyMask(bytes, offset, offset + length, key, phase);
          const expected = before.slice();
          expected.set(masked(before.subarray(3 + offset, 3 + offset + length), phase), 3 + offset);
          if (Buffer.compare(memory, expected) !== 0) {
            expect.fail(`${length} bytes from ${offset} on, phase ${phase}`);
          }
        }
      }
    }
  });

  it('says of text whether it is ASCII, and never that it is when it is not', async () => {
    const { maskWithin } = await maskModule(way);
    for (const length of lengths.filter((each) => each > 0 && each <= 600)) {
      for (let offset = 0; offset < 4; offset++) {
        const saysOf = (payload: Uint8Array) => {
          // What stands around it is none of its business.
          const memory = new Uint8Array(offset + length + 5).fill(0xff);
          memory.set(masked(payload, 0), offset);
          const says = maskWithin(memory, memory.buffer, memory.byteOffset, offset, offset + length, key);
          expect(Buffer.compare(memory.subarray(offset, offset + length), payload)).toBe(0);
          return says;
        };
        const ascii = new Uint8Array(length).fill(0x7f);
        if (length < 500) expect([length, offset, saysOf(ascii)]).toEqual([length, offset, true]);
        for (let at = 0; at < length; at += length > 100 ? 37 : 1) {
          const other = ascii.slice();
          other[at] = 0x80;
          expect([length, offset, at, saysOf(other)]).toEqual([length, offset, at, false]);
        }
      }
    }
  });

  it('turns the key as the payload goes on', async () => {
    const { advanceKey } = await maskModule(way);
    const turned = [0, 1, 2, 3, 4, 7].map((count) => advanceKey(key, count) >>> 0);
    expect(turned).toEqual([0xf1a2034d, 0xa2034df1, 0x034df1a2, 0x4df1a203, 0xf1a2034d, 0x4df1a203]);
  });
});
