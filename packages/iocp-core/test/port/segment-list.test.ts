import { describe, expect, test } from 'vitest';
import { SegmentList } from '../../src/port/segment-list.js';
import { Limit } from '../../src/protocol.gen.js';
import { ListMemory, slotBytes } from './list-memory.js';

class Memory extends ListMemory {
  /** What native code would send. */
  read(list: SegmentList): Buffer {
    const parts: Uint8Array[] = [];
    for (let at = 0; at < list.count * 3; at += 3) {
      const [pin = 0, offset = 0, length = 0] = list.words.slice(at, at + 3);
      parts.push(this.bytesAt(pin, offset, length));
    }
    return Buffer.concat(parts);
  }
}

describe('small chunks', () => {
  test('are copied at once, one behind the other, and become one segment', () => {
    const memory = new Memory();
    const list = new SegmentList(memory);
    const chunk = Buffer.from('hello ');
    list.add(chunk);
    chunk.fill(0);
    list.add(Buffer.from('world'));
    list.add(new Uint8Array(0));
    expect(list.count).toBe(1);
    expect(list.byteLength).toBe(11);
    expect(memory.read(list).toString()).toBe('hello world');
    list.releaseAll();
    expect(list.count).toBe(0);
    expect(list.byteLength).toBe(0);
    expect(memory.heldSlots).toBe(0);
  });

  test('of two lists share a slot, which is used from its start again when both are released', () => {
    const memory = new Memory();
    const [a, b] = [new SegmentList(memory), new SegmentList(memory)];
    a.add(Buffer.from('aa'));
    b.add(Buffer.from('bb'));
    a.add(Buffer.from('AA'));
    expect(a.count).toBe(2);
    expect(memory.pool.slots.javascript).toBe(1);
    expect(memory.read(a).toString()).toBe('aaAA');
    expect(memory.read(b).toString()).toBe('bb');
    a.releaseAll();
    expect(memory.arena.idle).toBe(false);
    expect(memory.read(b).toString()).toBe('bb');
    b.releaseAll();
    expect(memory.arena.idle).toBe(true);
    a.add(Buffer.from('cc'));
    expect((a.words[1] as number) % slotBytes).toBe(0);
  });

  test('that do not fit go to a new slot, and one of a whole slot fits', () => {
    const memory = new Memory();
    const list = new SegmentList(memory);
    list.add(Buffer.alloc(3000, 1));
    list.add(Buffer.alloc(3000, 2));
    list.add(Buffer.alloc(slotBytes, 3));
    expect(list.count).toBe(3);
    expect(memory.pins.size).toBe(0);
    const sent = memory.read(list);
    expect(
      sent.equals(Buffer.concat([Buffer.alloc(3000, 1), Buffer.alloc(3000, 2), Buffer.alloc(slotBytes, 3)])),
    ).toBe(true);
    list.releaseAll();
    memory.arena.release();
    expect(memory.pool.slots.javascript).toBe(0);
  });

  test('are copied to memory of their own when the pool has nothing to spare', () => {
    const memory = new Memory({ maxSlots: 1 });
    const list = new SegmentList(memory);
    const chunk = Buffer.from('no slot');
    list.add(chunk);
    chunk.fill(0);
    expect(memory.pins.size).toBe(1);
    expect(memory.read(list).toString()).toBe('no slot');
    list.releaseAll();
    expect(memory.pins.size).toBe(0);
  });
});

describe('lent chunks', () => {
  test('are not copied and keep their slot', () => {
    const memory = new Memory();
    const list = new SegmentList(memory);
    const { slot, view } = memory.lend(100, 7);
    list.add(view);
    memory.pool.release(slot);
    expect(list.words.slice(0, 3)).toEqual([-1, slot * slotBytes, 100]);
    expect(memory.pool.isHeld(slot)).toBe(true);
    list.releaseAll();
    expect(memory.pool.isHeld(slot)).toBe(false);
  });

  test('that follow each other in a slot become one segment with one hold', () => {
    const memory = new Memory();
    const list = new SegmentList(memory);
    const { slot, view } = memory.lend(100, 7);
    list.add(view.subarray(0, 40));
    list.add(view.subarray(40, 90));
    list.add(view.subarray(10, 20));
    expect(list.words.slice(0, 6)).toEqual([-1, slot * slotBytes, 90, -1, slot * slotBytes + 10, 10]);
    expect(memory.pool.holdersOf(slot)).toBe(3);
    list.releaseAll();
    expect(memory.pool.holdersOf(slot)).toBe(1);
  });

  test('are not joined across the border of two slots', () => {
    const memory = new Memory();
    const list = new SegmentList(memory);
    const slots = [memory.lend(slotBytes, 1), memory.lend(slotBytes, 2)].sort((a, b) => a.slot - b.slot);
    for (const { view } of slots) list.add(view);
    expect((slots[1]?.slot ?? 0) - (slots[0]?.slot ?? 0), 'the slots are neighbours').toBe(1);
    expect(list.count).toBe(2);
    for (const { slot } of slots) memory.pool.release(slot);
    list.releaseAll();
    expect(memory.heldSlots).toBe(0);
  });

  test('that went back to the pool are refused', () => {
    const memory = new Memory();
    const list = new SegmentList(memory);
    const { slot, view } = memory.lend(100, 7);
    memory.pool.release(slot);
    expect(() => list.add(view)).toThrow(expect.objectContaining({ code: 'ERR_IOCP_NOT_LENT' }));
    expect(list.byteLength).toBe(0);
  });

  test('are copied when a list has many, so that small pieces do not keep many slots', () => {
    const memory = new Memory();
    const list = new SegmentList(memory);
    for (let count = 0; count < 30; count++) {
      const { slot, view } = memory.lend(10, count);
      list.add(view);
      memory.pool.release(slot);
    }
    expect(memory.heldSlots).toBeLessThanOrEqual(17);
    expect([...memory.read(list)]).toEqual(Array.from({ length: 300 }, (_, at) => Math.floor(at / 10)));
    list.releaseAll();
    expect(memory.heldSlots).toBe(0);
  });
});

describe('large chunks', () => {
  test('are pinned, not copied', () => {
    const memory = new Memory();
    const list = new SegmentList(memory);
    const chunk = Buffer.alloc(slotBytes + 1, 5);
    list.add(chunk);
    expect(memory.pins.get(0)).toBe(chunk);
    expect(list.words.slice(0, 3)).toEqual([0, 0, slotBytes + 1]);
    list.releaseAll();
    expect(memory.pins.size).toBe(0);
  });

  test('of a resizable or shared buffer are copied', () => {
    const memory = new Memory();
    const list = new SegmentList(memory);
    const Resizable = ArrayBuffer as unknown as new (length: number, options: object) => ArrayBuffer;
    const resizable = new Resizable(10000, { maxByteLength: 20000 }) as ArrayBuffer & {
      resize(n: number): void;
    };
    list.add(Buffer.from(resizable).fill(3));
    list.add(new Uint8Array(new SharedArrayBuffer(10000)).fill(4));
    resizable.resize(1);
    const sent = memory.read(list);
    expect(sent.equals(Buffer.concat([Buffer.alloc(10000, 3), Buffer.alloc(10000, 4)]))).toBe(true);
    list.releaseAll();
  });

  test('and small ones keep their order', () => {
    const memory = new Memory();
    const list = new SegmentList(memory);
    list.add(Buffer.from('a'));
    list.add(Buffer.alloc(5000, 'b'));
    list.add(Buffer.from('c'));
    expect(list.count).toBe(3);
    expect(memory.read(list).toString()).toBe(`a${'b'.repeat(5000)}c`);
  });
});

test('more segments than one send takes become one, in order', () => {
  const memory = new Memory({ maxSlots: 2048 });
  const [list, other] = [new SegmentList(memory), new SegmentList(memory)];
  const expected: Buffer[] = [];
  for (let count = 0; count < Limit.SEGMENTS_MAX + 88; count++) {
    const chunk = Buffer.alloc(count % 100 === 0 ? 5000 : 3, count);
    list.add(chunk);
    // A neighbour in the arena keeps the segments from becoming one.
    other.add(Buffer.from('x'));
    if (other.count > 100) other.releaseAll();
    expected.push(Buffer.from(chunk));
    expect(list.count).toBeLessThanOrEqual(Limit.SEGMENTS_MAX);
  }
  expect(list.count).toBe(89);
  expect(memory.read(list).equals(Buffer.concat(expected))).toBe(true);
  list.releaseAll();
  other.releaseAll();
  expect(memory.pins.size).toBe(0);
  expect(memory.heldSlots).toBe(0);
});

test('a list that was long does not keep its memory', () => {
  const memory = new Memory();
  const list = new SegmentList(memory);
  for (let count = 0; count < 100; count++) list.add(Buffer.alloc(slotBytes + 1));
  expect(list.words.length).toBe(300);
  list.releaseAll();
  expect(list.words.length).toBe(0);
});

test('no list exceeds what one send can report', () => {
  const memory = new Memory();
  const list = new SegmentList(memory);
  const chunk = new Uint8Array(2 ** 30);
  list.add(chunk);
  expect(() => list.add(chunk)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
  list.add(chunk.subarray(1));
  expect(list.byteLength).toBe(2 ** 31 - 1);
  list.releaseAll();
});
