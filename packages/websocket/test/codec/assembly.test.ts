import { pattern } from '@iocp/testkit';
import { describe, expect, it } from 'vitest';
import { Assembly } from '../../src/codec/assembly.js';
import { Blocks } from './blocks.js';

describe('the memory of a message that comes in parts', () => {
  it.each([
    ['ordinary memory', null],
    ['memory of the medium', new Blocks()],
  ])('holds the parts side by side: %s', (_, memory) => {
    for (const length of [1, 5, 999, 1000, 1001, 5000]) {
      const assembly = new Assembly(memory);
      const message = pattern(length);
      for (let at = 0; at < length; at += 7) assembly.append(message.subarray(at, at + 7), 0);
      expect(assembly.length).toBe(length);
      expect(Buffer.isBuffer(assembly.message())).toBe(true);
      expect(Buffer.compare(assembly.message(), message)).toBe(0);
      assembly.clear();
      expect(assembly.retainedBytes).toBe(0);
      expect(memory?.held ?? 0).toBe(0);
    }
  });

  it('is never more than twice what has come, or a little', () => {
    const assembly = new Assembly(null);
    for (let length = 1; length <= 20_000; length += 50) {
      assembly.append(new Uint8Array(length === 1 ? 1 : 50), 0);
      expect(assembly.retainedBytes).toBeLessThanOrEqual(Math.max(1024, 2 * length));
    }
  });

  it('is not more than the message needs when its length is known', () => {
    const assembly = new Assembly(null);
    assembly.append(new Uint8Array(10), 37);
    expect(assembly.retainedBytes).toBe(37);
    assembly.append(new Uint8Array(27), 37);
    expect(assembly.retainedBytes).toBe(37);
    const long = new Assembly(null);
    long.append(new Uint8Array(3000), 5000);
    expect(long.retainedBytes).toBe(5000);
  });

  it('is a block while the message fits into it', () => {
    const blocks = new Blocks();
    const assembly = new Assembly(blocks);
    assembly.append(new Uint8Array(600), 0);
    expect([blocks.held, assembly.retainedBytes]).toEqual([1, 1000]);
    expect(blocks.has(assembly.message())).toBe(true);
    assembly.append(new Uint8Array(401), 0);
    expect(blocks.held).toBe(0);
    expect(assembly.retainedBytes).toBe(2002);
    expect(blocks.has(assembly.message())).toBe(false);
  });

  it('is no block when the message is known not to fit', () => {
    const blocks = new Blocks();
    const assembly = new Assembly(blocks);
    assembly.append(new Uint8Array(600), 1001);
    expect(blocks.held).toBe(0);
  });

  it('is ordinary memory when there is no block to spare', () => {
    const blocks = new Blocks(1000, 1);
    const first = new Assembly(blocks);
    const second = new Assembly(blocks);
    for (const each of [first, second]) each.append(new Uint8Array(10), 0);
    expect([blocks.has(first.message()), blocks.has(second.message())]).toEqual([true, false]);
    first.clear();
    second.clear();
    expect(blocks.held).toBe(0);
  });

  it('is not used again for another message when it is ordinary', () => {
    const assembly = new Assembly(null);
    assembly.append(pattern(100), 0);
    const kept = assembly.message();
    assembly.clear();
    assembly.append(new Uint8Array(100), 0);
    expect(Buffer.compare(kept, pattern(100))).toBe(0);
  });

  it('is nothing for nothing', () => {
    const assembly = new Assembly(new Blocks());
    expect(assembly.message()).toEqual(Buffer.alloc(0));
    assembly.clear();
    expect(assembly.retainedBytes).toBe(0);
  });
});
