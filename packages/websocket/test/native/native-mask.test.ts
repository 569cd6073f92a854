import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { nativeMask } from '../../src/codec/native-mask.js';

const mask = nativeMask as NonNullable<typeof nativeMask>;
const key = 0x81_02_fe_7d | 0;
const keyBytes = [0x81, 0x02, 0xfe, 0x7d] as const;
/** Around the words that are masked at once, and so much that the compiler's vectors run. */
const lengths = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 63, 64, 65, 1023, 65_537];

/** As in RFC 6455, 5.3. */
function masked(bytes: Uint8Array, start: number, end: number, phase: number): Uint8Array {
  return bytes.map((byte, index) =>
    index < start || index >= end ? byte : byte ^ (keyBytes[(phase + index - start) % 4] as number),
  );
}

const sample = (length: number) => Uint8Array.from({ length }, (_, index) => (index * 7 + 3) & 0xff);

test('the addon is loaded', () => {
  expect(nativeMask).toBeTypeOf('function');
});

describe.each([0, 1, 2, 3])('at phase %i', (phase) => {
  test.each(lengths)('%i bytes, wherever they begin, and no others', (length) => {
    for (let offset = 0; offset < 9; offset += 1) {
      const bytes = sample(offset + length + 9);
      const expected = masked(bytes, offset, offset + length, phase);
      mask(bytes, offset, offset + length, key, phase);
      expect(Buffer.compare(bytes, expected)).toBe(0);
    }
  });
});

test('a view begins where it does, not where its memory does', () => {
  const memory = sample(64);
  const expected = masked(memory, 21, 50, 1);
  mask(Buffer.from(memory.buffer, 13, 40), 8, 37, key, 1);
  expect(Buffer.compare(memory, expected)).toBe(0);
});

test('the key may be any integer of 32 bits, signed or not', () => {
  const [signed, unsigned] = [sample(16), sample(16)];
  mask(signed, 0, 16, key, 0);
  mask(unsigned, 0, 16, key >>> 0, 0);
  expect(signed).toEqual(unsigned);
});

describe('what is no part of the bytes', () => {
  const detached = sample(8);
  structuredClone(detached.buffer, { transfer: [detached.buffer] });

  test.each<[what: string, code: string, args: unknown[]]>([
    ['an end behind them', 'ERR_OUT_OF_RANGE', [sample(8), 0, 9, key, 0]],
    ['an end before the start', 'ERR_OUT_OF_RANGE', [sample(8), 4, 3, key, 0]],
    ['a negative start', 'ERR_OUT_OF_RANGE', [sample(8), -1, 8, key, 0]],
    ['memory that was given away', 'ERR_OUT_OF_RANGE', [detached, 0, 8, key, 0]],
    ['a text', 'ERR_INVALID_ARG_TYPE', ['12345678', 0, 8, key, 0]],
    ['words', 'ERR_INVALID_ARG_TYPE', [new Uint32Array(8), 0, 8, key, 0]],
    ['a position that is no number', 'ERR_INVALID_ARG_TYPE', [sample(8), 0, '8', key, 0]],
    ['nothing', 'ERR_INVALID_ARG_TYPE', []],
  ])('%s is refused', (_, code, args) => {
    const call = mask as (...given: unknown[]) => void;
    expect(() => call(...args)).toThrow(expect.objectContaining({ code }));
  });
});

describe('an addon that cannot be used', () => {
  afterEach(() => {
    vi.unstubAllEnvs();
    vi.resetModules();
  });

  const loadedAgain = async (addon: string) => {
    vi.stubEnv('IOCP_WEBSOCKET_ADDON', addon);
    vi.resetModules();
    const module = await import('../../src/codec/native-mask.js');
    return module.nativeMask;
  };

  test('because it is not there: JavaScript does the work', async () => {
    expect(await loadedAgain(join(import.meta.dirname, 'nowhere'))).toBeNull();
  });

  test('because it is another version', async () => {
    // Whatever require() loads; this one has no version of ours.
    expect(await loadedAgain(join(import.meta.dirname, '..', '..', 'package.json'))).toBeNull();
  });
});
