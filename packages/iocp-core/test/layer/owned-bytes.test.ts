import { describe, expect, it } from 'vitest';
import { copyToArena, ownBytes } from '../../src/layer/index.js';
import { LentSlots } from './pipe-channel.js';
import { bytes, text } from './recorder.js';

describe('own bytes', () => {
  it('copies lent bytes, and passes on what nobody lends', () => {
    const ordinary = bytes('mine');
    expect(ownBytes(ordinary)).toBe(ordinary);
    let kept = ordinary;
    new LentSlots().lend(bytes('lent'), (lent) => {
      kept = ownBytes(lent);
      expect(kept.buffer).not.toBe(lent.buffer);
    });
    expect(text(kept)).toBe('lent');
  });

  it('shares one block between small messages, aligned and never overlapping', () => {
    const messages = Array.from({ length: 5000 }, (_, index) => bytes(`message ${index}`));
    const copies = messages.map((each) => copyToArena(each));
    expect(copies.map((each) => text(each))).toEqual(messages.map((each) => text(each)));
    expect(copies.every((each) => each.byteOffset % 8 === 0)).toBe(true);
    const blocks = new Set(copies.map((each) => each.buffer));
    expect(blocks.size).toBeLessThanOrEqual(3);
  });

  it('gives large messages memory of their own', () => {
    const copy = copyToArena(new Uint8Array(40_000).fill(7));
    expect(copy.buffer.byteLength).toBe(40_000);
    expect(copy.every((each) => each === 7)).toBe(true);
  });
});
