import { expect, test } from 'vitest';
import { lease } from '../../src/layer/lease.js';
import { SegmentList } from '../../src/port/segment-list.js';
import { SlotMemory } from '../../src/port/slot-memory.js';
import { ListMemory, slotBytes } from './list-memory.js';

function taken(memory: SlotMemory): number {
  const block = memory.take();
  expect(block).toBeGreaterThanOrEqual(0);
  return block;
}

test('a block is as long as a slot, and what is lent of it is a view of it', () => {
  const owner = new ListMemory();
  const memory = new SlotMemory(owner.pool);
  const block = taken(memory);
  const bytes = memory.bytesOf(block);
  expect(bytes).toHaveLength(slotBytes);
  expect(memory.bytesOf(block)).toBe(bytes);
  bytes.set([1, 2, 3], 10);
  const part = memory.lend(block, 10, 3);
  expect([...part]).toEqual([1, 2, 3]);
  expect(memory.lend(block, 10, 3)).toBe(part);
  memory.release(block);
  expect(owner.heldSlots).toBe(0);
});

test('a block that was written or leased is not used again before that has an end', () => {
  const owner = new ListMemory();
  const memory = new SlotMemory(owner.pool);
  const [written, leased] = [taken(memory), taken(memory)];
  memory.bytesOf(written).set([4, 5]);
  const list = new SegmentList(owner);
  list.add(memory.lend(written, 0, 2));
  const kept = lease(memory.lend(leased, 0, 5));
  memory.release(written);
  memory.release(leased);
  expect(owner.heldSlots).toBe(2);
  expect([...owner.bytesAt(...(list.words.slice(0, 3) as [number, number, number]))]).toEqual([4, 5]);
  list.releaseAll();
  kept.release();
  expect(owner.heldSlots).toBe(0);
});

test('there is none to spare when half of the slots are gone', () => {
  const owner = new ListMemory();
  const memory = new SlotMemory(owner.pool);
  const blocks: number[] = [];
  for (let block = memory.take(); block >= 0; block = memory.take()) blocks.push(block);
  expect(blocks).not.toEqual([]);
  expect(blocks.length).toBeLessThanOrEqual(owner.pool.maxSlots / 2);
  for (const block of blocks) memory.release(block);
  expect(owner.heldSlots).toBe(0);
});

test('a block that was given back cannot be lent to anybody', () => {
  const owner = new ListMemory();
  const memory = new SlotMemory(owner.pool);
  const block = taken(memory);
  const view = memory.lend(block, 0, 1);
  memory.release(block);
  expect(() => lease(view)).toThrow(expect.objectContaining({ code: 'ERR_IOCP_NOT_LENT' }));
  expect(() => memory.release(block)).toThrow(expect.objectContaining({ code: 'ERR_IOCP_NOT_LENT' }));
});
