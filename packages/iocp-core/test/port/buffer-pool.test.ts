import { afterEach, expect, test, vi } from 'vitest';
import { lease, leaseOwnerOf } from '../../src/layer/lease.js';
import { BufferPool } from '../../src/port/buffer-pool.js';
import { SubmissionRing } from '../../src/port/submission-ring.js';
import {
  HEADER_WORDS,
  Operation,
  RECORD_WORDS,
  SubmissionHeader,
  SubmissionWord,
} from '../../src/protocol.gen.js';

const slotBytes = 4096;

/** A pool with the two sides of its ring. */
class Rig {
  readonly ring = new SubmissionRing();
  readonly pool: BufferPool;
  readonly provided: number[] = [];
  readonly discarded: number[] = [];

  constructor({ minSlots = 4, maxSlots = 32, debug = false } = {}) {
    this.pool = new BufferPool(this.ring, { slotBytes, minSlots, maxSlots, debug });
    this.pool.start(128);
    this.drain();
  }

  drain(): void {
    const { block } = this.ring;
    for (let record = 0; record < (block[SubmissionHeader.COUNT] ?? 0); record++) {
      const at = HEADER_WORDS + record * RECORD_WORDS;
      const list = block[at] === Operation.PROVIDE ? this.provided : this.discarded;
      list.push(block[at + SubmissionWord.A] ?? -1);
    }
    this.ring.clear();
  }

  /** The kernel fills the next provided slot. */
  receive(): number {
    this.drain();
    const slot = this.provided.shift();
    if (slot === undefined) throw new Error('no slot is provided');
    this.pool.received(slot);
    return slot;
  }
}

afterEach(() => vi.useRealTimers());

const notLent = expect.objectContaining({ code: 'ERR_IOCP_NOT_LENT' });

test('at first the least number of slots is provided', () => {
  const { pool, provided } = new Rig();
  expect(new Set(provided).size).toBe(4);
  expect(pool.slots).toEqual({ total: 32, kernel: 4, javascript: 0, free: 28, target: 4 });
});

test('a slot goes back when its last holder lets go', () => {
  const rig = new Rig();
  const slot = rig.receive();
  rig.pool.retain(slot);
  rig.pool.release(slot);
  rig.drain();
  expect(rig.provided).not.toContain(slot);
  expect(rig.pool.slots.javascript).toBe(1);
  rig.pool.release(slot);
  rig.drain();
  expect(rig.provided).toContain(slot);
  expect(rig.pool.slots).toMatchObject({ kernel: 4, javascript: 0 });
});

test('one release too many, and a retain too late, are refused', () => {
  const rig = new Rig();
  const slot = rig.receive();
  rig.pool.release(slot);
  expect(() => rig.pool.release(slot)).toThrow(notLent);
  expect(() => rig.pool.retain(slot)).toThrow(notLent);
  expect(() => rig.pool.retain(-1)).toThrow(notLent);
  expect(() => rig.pool.retain(32)).toThrow(notLent);
});

test('a view shows the slot, and the same length gives the same object', () => {
  const rig = new Rig();
  const slot = rig.receive();
  rig.pool.bytes.set([1, 2, 3], 128 + slot * slotBytes);
  const view = rig.pool.view(slot, 3);
  expect([...view]).toEqual([1, 2, 3]);
  expect(rig.pool.view(slot, 3)).toBe(view);
  expect(rig.pool.view(slot, 2).length).toBe(2);
  expect(rig.pool.slotAt(view.byteOffset)).toBe(slot);
  expect(rig.pool.slotAt(view.byteOffset + slotBytes - 1)).toBe(slot);
});

test('a view from the middle of a slot is kept by its place and length', () => {
  const rig = new Rig();
  const slot = rig.receive();
  rig.pool.bytes.set([1, 2, 3], 128 + slot * slotBytes + 256);
  const view = rig.pool.viewAt(slot, 256, 3);
  expect([...view]).toEqual([1, 2, 3]);
  expect(rig.pool.viewAt(slot, 256, 3)).toBe(view);
  expect(rig.pool.offsetOfView(slot, view)).toBe(slot * slotBytes + 256);
  expect(rig.pool.offsetOfView(slot, view.subarray(0))).toBe(-1);
  expect(rig.pool.offsetOfView(slot + 1, view)).toBe(-1);
  expect(rig.pool.offsetOfView(31, null)).toBe(-1);
  const later = rig.pool.viewAt(slot, 257, 3);
  expect([...later]).toEqual([2, 3, 0]);
  expect(rig.pool.view(slot, 3)).not.toBe(later);
  expect(rig.pool.slotAt(view.byteOffset)).toBe(slot);
});

test('the words of a slot are its bytes', () => {
  const rig = new Rig();
  const slot = rig.receive();
  rig.pool.words[rig.pool.wordOf(slot) + 2] = 0x01010101;
  expect([...rig.pool.viewAt(slot, 7, 6)]).toEqual([0, 1, 1, 1, 1, 0]);
});

test('a lease of a view, or of a part of it, keeps the slot', () => {
  const rig = new Rig();
  const slot = rig.receive();
  const held = lease(rig.pool.view(slot, 100).subarray(50, 60));
  rig.pool.release(slot);
  expect(rig.pool.isHeld(slot)).toBe(true);
  held.release();
  held.release();
  expect(rig.pool.isHeld(slot)).toBe(false);
});

test('who was charged with a slot is told once when it goes back', () => {
  const rig = new Rig();
  const slot = rig.receive();
  let returned = 0;
  const holder = { slotReturned: () => void returned++ };
  rig.pool.retain(slot);
  rig.pool.charge(slot, holder);
  rig.pool.release(slot);
  expect(returned).toBe(0);
  rig.pool.release(slot);
  expect(returned).toBe(1);
  while (rig.receive() !== slot);
  rig.pool.release(slot);
  expect(returned, 'the next use is not its').toBe(1);
});

test('the target doubles while receives are parked, up to seven eighths of the pool', () => {
  vi.useFakeTimers();
  const { pool } = new Rig();
  const targets = [1, 1, 1, 1].map((parked) => {
    pool.replenish(parked);
    return pool.slots.target;
  });
  expect(targets).toEqual([8, 16, 28, 28]);
  expect(pool.slots).toMatchObject({ kernel: 28, free: 4 });
  expect(pool.replenish(0)).toBe(true);
});

test('exhausted is when receives are parked and nothing is left to provide', () => {
  vi.useFakeTimers();
  const rig = new Rig({ minSlots: 2, maxSlots: 2 });
  const slots = [rig.receive(), rig.receive()];
  expect(rig.pool.replenish(1)).toBe(false);
  rig.pool.release(slots[0] ?? -1);
  expect(rig.pool.replenish(1)).toBe(true);
});

test('an idle pool shrinks again, and gives back the pages of slots that it no longer uses', () => {
  vi.useFakeTimers();
  const rig = new Rig();
  rig.pool.replenish(1);
  rig.pool.replenish(1);
  expect(rig.pool.slots.target).toBe(16);
  const taken = Array.from({ length: 12 }, () => rig.receive());
  rig.pool.sampleStock(4);
  vi.advanceTimersByTime(2000);
  expect(rig.pool.slots.target, 'busy').toBe(16);
  vi.advanceTimersByTime(2000);
  expect(rig.pool.slots.target).toBe(8);
  vi.advanceTimersByTime(2000);
  expect(rig.pool.slots.target).toBe(4);
  expect(vi.getTimerCount()).toBe(0);
  for (const slot of taken) rig.pool.release(slot);
  rig.drain();
  expect(rig.pool.slots).toMatchObject({ kernel: 4, javascript: 0, free: 28 });
  expect(rig.discarded, 'perhaps they are wanted again').toEqual([]);
  vi.advanceTimersByTime(4000);
  rig.drain();
  // As many as the least stay ready for use.
  expect(rig.discarded.length).toBe(12 - 4);
  expect(taken).toEqual(expect.arrayContaining(rig.discarded));
  expect(vi.getTimerCount()).toBe(0);
});

test('slots that steady traffic uses keep their pages', () => {
  vi.useFakeTimers();
  const rig = new Rig();
  for (let round = 0; round < 20; round++) {
    const taken = Array.from({ length: 12 }, () => {
      rig.pool.replenish(0);
      return rig.receive();
    });
    for (const slot of taken) rig.pool.release(slot);
    rig.drain();
    vi.advanceTimersByTime(1000);
  }
  expect(rig.discarded).toEqual([]);
});

test('half of the pool is not for writes', () => {
  const { pool } = new Rig({ minSlots: 4, maxSlots: 8 });
  const slots = Array.from({ length: 8 }, () => pool.takeForWrite());
  expect(slots.filter((slot) => slot >= 0).length).toBe(4);
  expect(slots.at(-1)).toBe(-1);
  const slot = slots[0] ?? -1;
  pool.release(slot);
  expect(pool.takeForWrite()).toBe(slot);
});

test('debug mode lends copies that lose their bytes, and overwrites the slot', () => {
  const rig = new Rig({ debug: true });
  const slot = rig.receive();
  rig.pool.bytes.set([1, 2, 3], 128 + slot * slotBytes);
  const view = rig.pool.view(slot, 3);
  expect([...view]).toEqual([1, 2, 3]);
  expect(view.buffer).not.toBe(rig.pool.buffer);
  const held = lease(view.subarray(1));
  rig.pool.release(slot);
  expect([...held.bytes], 'leased').toEqual([2, 3]);
  held.release();
  expect(view.length).toBe(0);
  expect(rig.pool.bytes[128 + slot * slotBytes]).toBe(0xdb);
  expect(() => lease(view)).toThrow(notLent);
});

test('debug mode lends copies also from the middle of a slot', () => {
  const rig = new Rig({ debug: true });
  const slot = rig.receive();
  rig.pool.bytes.set([1, 2, 3], 128 + slot * slotBytes + 256);
  const view = rig.pool.viewAt(slot, 256, 3);
  expect([...view]).toEqual([1, 2, 3]);
  expect(rig.pool.viewAt(slot, 256, 3)).not.toBe(view);
  rig.pool.release(slot);
  expect(view.length).toBe(0);
});

test('the memory cannot be moved away', () => {
  const { pool } = new Rig();
  const { port1, port2 } = new MessageChannel();
  try {
    port1.postMessage(pool.bytes, [pool.buffer]);
  } catch {
    // Newer versions of Node.js refuse; older ones ignore the transfer.
  }
  port1.close();
  port2.close();
  expect(pool.buffer.byteLength).toBe(32 * slotBytes + 4096);
  expect(leaseOwnerOf(pool.bytes)).toBeDefined();
});

test('a closed pool counts the slots the driver had as free', () => {
  const rig = new Rig();
  const slot = rig.receive();
  rig.pool.close();
  expect(rig.pool.slots).toMatchObject({ kernel: 0, javascript: 1, free: 31 });
  rig.pool.release(slot);
  expect(rig.pool.slots).toMatchObject({ kernel: 0, javascript: 0, free: 32 });
});
