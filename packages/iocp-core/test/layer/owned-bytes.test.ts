import { describe, expect, it } from 'vitest';
import { appendInArena, copyToArena, ownBytes } from '../../src/layer/owned-bytes.js';
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

  it('puts a copy right behind the newest one, and only there', () => {
    const first = copyToArena(bytes('one'));
    const both = appendInArena(first, bytes(', two'));
    expect(both === null ? '' : text(both)).toBe('one, two');
    expect(text(first)).toBe('one');
    expect(appendInArena(first, bytes('no'))).toBeNull();
    expect(appendInArena(bytes('elsewhere'), bytes('no'))).toBeNull();
    const next = copyToArena(bytes('next'));
    expect(next.byteOffset % 8).toBe(0);
    expect(both === null ? '' : text(both)).toBe('one, two');
    expect(appendInArena(next, new Uint8Array(next.buffer.byteLength))).toBeNull();
  });
});
