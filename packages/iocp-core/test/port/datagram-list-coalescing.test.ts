import { describe, expect, test } from 'vitest';
import { DatagramAddress } from '../../src/layer/datagram-address.js';
import { DatagramList } from '../../src/port/datagram-list.js';
import { Limit, OutgoingFlag } from '../../src/protocol.gen.js';
import { DatagramMemory, otherPeer, peer } from './datagram-memory.js';
import { slotBytes } from './list-memory.js';

describe('coalescing', () => {
  function coalescing(memory: DatagramMemory): DatagramList {
    const list = new DatagramList(memory);
    list.coalesce = true;
    return list;
  }

  test('is not done unless asked for', () => {
    const memory = new DatagramMemory();
    const list = new DatagramList(memory);
    for (let count = 0; count < 3; count++) list.add(Buffer.from('same'), peer);
    expect(list.count).toBe(3);
    memory.expectReleased(list);
  });

  test('makes one entry of a run of equal size, which a shorter one ends', () => {
    const memory = new DatagramMemory();
    const list = coalescing(memory);
    for (const payload of ['aaaa', 'bbbb', 'cccc', 'dd', 'ee', 'f', 'gg'])
      list.add(Buffer.from(payload), peer);
    expect(memory.payloads(list)).toEqual(['aaaa', 'bbbb', 'cccc', 'dd', 'ee', 'f', 'gg']);
    expect(list.count).toBe(3);
    expect(memory.entry(list, 0)).toMatchObject({ cut: 4 });
    expect(memory.entry(list, 1)).toMatchObject({ cut: 2 });
    expect(memory.entry(list, 2)).toMatchObject({ cut: 0 });
    expect(memory.pool.slots.javascript, 'the arena has one slot').toBe(1);
    memory.expectReleased(list);
  });

  test('keeps controls', () => {
    const memory = new DatagramMemory();
    const list = coalescing(memory);
    const source = DatagramAddress.of('192.0.2.9', 0);
    const options = { tos: 7, ttl: 255, source, interfaceIndex: 1 };
    list.add(Buffer.from('aa'), peer, options);
    list.add(Buffer.from('bb'), peer, { ...options });
    expect(list.count).toBe(1);
    expect(memory.entry(list, 0)).toMatchObject({ cut: 2, tos: 7, ttl: 255, interfaceIndex: 1 });
    memory.expectReleased(list);
  });

  const same = { tos: 1, ttl: 9, interfaceIndex: 1 };
  test.each([
    ['a longer one', Buffer.from('longer'), peer, same],
    ['an empty one', new Uint8Array(0), peer, same],
    ['another port', Buffer.from('same'), DatagramAddress.of('192.0.2.1', 54), same],
    ['another address', Buffer.from('same'), DatagramAddress.of('192.0.2.2', 53), same],
    ['another family', Buffer.from('same'), null, same],
    ['another type of service', Buffer.from('same'), peer, { ...same, tos: 2 }],
    ['another time to live', Buffer.from('same'), peer, { ...same, ttl: 8 }],
    ['another interface', Buffer.from('same'), peer, { ...same, interfaceIndex: 2 }],
    ['another source', Buffer.from('same'), peer, { ...same, source: DatagramAddress.of('192.0.2.3', 0) }],
    ['no controls', Buffer.from('same'), peer, undefined],
  ])('is not done with %s', (_name, data, to, options) => {
    const memory = new DatagramMemory();
    const list = coalescing(memory);
    list.add(Buffer.from('1st.'), peer, same);
    list.add(data, to, options);
    expect(list.count).toBe(2);
    expect(list.datagramsOf(0)).toBe(1);
    memory.expectReleased(list);
  });

  test('is not done after an empty one', () => {
    const memory = new DatagramMemory();
    const list = coalescing(memory);
    for (const payload of ['', 'a', '', '']) list.add(Buffer.from(payload), peer);
    expect(memory.payloads(list)).toEqual(['', 'a', '', '']);
    expect(list.count).toBe(4);
    memory.expectReleased(list);
  });

  test('brings together what does not lie together', () => {
    const memory = new DatagramMemory();
    const [list, neighbour] = [coalescing(memory), coalescing(memory)];
    list.add(Buffer.from('aa'), peer);
    neighbour.add(Buffer.from('xx'), peer);
    list.add(Buffer.from('bb'), peer);
    list.add(Buffer.from('cc'), peer);
    expect(list.count).toBe(1);
    expect(memory.payloads(list)).toEqual(['aa', 'bb', 'cc']);
    expect(memory.payloads(neighbour)).toEqual(['xx']);
    memory.expectReleased(list, neighbour);
  });

  test('copies small datagrams that were lent together, and gives their slots back', () => {
    const memory = new DatagramMemory();
    const list = coalescing(memory);
    const lent = [0x61, 0x62, 0x63].map((fill) => memory.lend(4, fill));
    for (const { view, slot } of lent) {
      list.add(view, peer);
      memory.pool.release(slot);
    }
    expect(list.count).toBe(1);
    expect(memory.payloads(list)).toEqual(['aaaa', 'bbbb', 'cccc']);
    expect(memory.pool.slots.javascript, 'the arena has one slot').toBe(1);
    memory.expectReleased(list);
  });

  test('leaves a single lent datagram, and larger ones, where they are', () => {
    const memory = new DatagramMemory();
    const list = coalescing(memory);
    const large = (slotBytes >> 3) + 1;
    for (const [length, to] of [
      [4, otherPeer],
      [large, peer],
      [large, peer],
      [4, otherPeer],
    ] as const) {
      const { view, slot } = memory.lend(length, 0x61);
      list.add(view, to);
      memory.pool.release(slot);
    }
    expect(list.count).toBe(4);
    expect(memory.pool.slots.javascript).toBe(4);
    memory.expectReleased(list);
  });

  test('begins anew when the slot of the arena is full, without a loss', () => {
    const memory = new DatagramMemory();
    const list = coalescing(memory);
    const part = slotBytes >> 3;
    const expected: string[] = [];
    for (let count = 0; count < 30; count++) {
      const { view, slot } = memory.lend(part, 0x61 + (count % 26));
      expected.push(view.toString('latin1'));
      list.add(view, peer);
      memory.pool.release(slot);
      if (count % 7 === 3) memory.arena.reserve(100);
    }
    expect(memory.payloads(list)).toEqual(expected);
    expect(list.count).toBeLessThan(12);
    memory.expectReleased(list);
  });

  test('keeps bytes whole when the arena changes slots between two', () => {
    const memory = new DatagramMemory();
    const list = coalescing(memory);
    const part = slotBytes >> 3;
    const filler = coalescing(memory);
    filler.add(Buffer.alloc(slotBytes - part - 10), otherPeer);
    list.add(Buffer.alloc(part, 'a'), peer);
    list.add(Buffer.alloc(part, 'b'), peer);
    list.add(Buffer.alloc(part, 'c'), peer);
    expect(memory.payloads(list)).toEqual(['a', 'b', 'c'].map((letter) => letter.repeat(part)));
    memory.expectReleased(list, filler);
  });

  test('stays within a slot', () => {
    const memory = new DatagramMemory();
    const list = coalescing(memory);
    const neighbours = [memory.lend(slotBytes, 1), memory.lend(slotBytes, 2)].sort((a, b) => a.slot - b.slot);
    for (const { view } of neighbours) list.add(view, peer);
    expect((neighbours[1]?.slot ?? 0) - (neighbours[0]?.slot ?? 0)).toBe(1);
    expect(list.count).toBe(2);
    for (const { slot } of neighbours) memory.pool.release(slot);
    // In the arena the third does not fit any more.
    for (let count = 0; count < 3; count++) list.add(Buffer.alloc(1500), peer);
    expect(list.count).toBe(4);
    expect(list.datagramsOf(2)).toBe(2);
    memory.expectReleased(list);
  });

  test('also joins pieces of lent memory, with one hold', () => {
    const memory = new DatagramMemory();
    const list = coalescing(memory);
    const { slot, view } = memory.lend(9, 0x61);
    for (const start of [0, 4, 8]) list.add(view.subarray(start, start + 4), peer);
    expect(memory.payloads(list)).toEqual(['aaaa', 'aaaa', 'a']);
    expect(memory.pool.holdersOf(slot)).toBe(2);
    memory.pool.release(slot);
    memory.expectReleased(list);
  });

  test('ends at 64 parts', () => {
    const memory = new DatagramMemory();
    const list = coalescing(memory);
    for (let count = 0; count < 100; count++) list.add(Buffer.from('0123456789'), peer);
    expect([list.count, list.datagramsOf(0), list.datagramsOf(1), list.first(1)]).toEqual([2, 64, 36, 64]);
    memory.expectReleased(list);
  });

  test.each([
    ['IPv4', peer, 65_507],
    ['IPv6', otherPeer, 65_487],
    ['a connected socket', null, 65_487],
  ])('stays within what one datagram can carry: %s', (_name, to, most) => {
    const memory = new BigMemory();
    const list = coalescing(memory);
    const { slot, view } = memory.lend(70_000, 1);
    const [head, ...tail] = [0, 1, 2].map((part) => 30_000 * part);
    list.add(view.subarray(head, 30_000), to);
    for (const start of tail) list.add(view.subarray(start, start + 30_000), to);
    expect(list.count).toBe(2);
    list.releaseAll();
    // 60,000 bytes, and a shorter part that just fits or is one byte too long.
    for (const extra of [0, 1]) {
      list.add(view.subarray(0, 30_000), to);
      list.add(view.subarray(30_000, 60_000), to);
      list.add(view.subarray(60_000, most + extra), to);
      expect(list.count).toBe(1 + extra);
      list.releaseAll();
    }
    memory.pool.release(slot);
    memory.expectReleased(list);
  });
});

/** With slots for the largest datagrams. */
class BigMemory extends DatagramMemory {
  constructor() {
    super({ slotBytes: 131_072, maxSlots: 8 });
  }
}

describe('the parts of a refused entry', () => {
  test('become datagrams of their own without copying, and outlive the list they come from', () => {
    const memory = new DatagramMemory();
    const [refused, list] = [new DatagramList(memory), new DatagramList(memory)];
    refused.coalesce = true;
    list.coalesce = true;
    refused.add(Buffer.from('first!'), otherPeer);
    for (const payload of ['aaa', 'bbb', 'c']) refused.add(Buffer.from(payload), peer, { tos: 3 });
    expect(refused.count).toBe(2);
    const whole = memory.entry(refused, 1);
    list.addPartsOf(refused, 1);
    expect(memory.payloads(list)).toEqual(['aaa', 'bbb', 'c']);
    expect([0, 1, 2].map((index) => memory.entry(list, index).offset - whole.offset)).toEqual([0, 3, 6]);
    expect(memory.entry(list, 2)).toMatchObject({ tos: 3, cut: 0, flags: OutgoingFlag.TOS, port: 53 });
    memory.arena.release();
    refused.releaseAll();
    expect(memory.heldSlots).toBe(1);
    expect(memory.payloads(list)).toEqual(['aaa', 'bbb', 'c']);
    memory.expectReleased(list);
  });

  test('may be a single one: in a slot, pinned, or empty', () => {
    const memory = new DatagramMemory();
    const [refused, list] = [new DatagramList(memory), new DatagramList(memory)];
    refused.add(Buffer.alloc(slotBytes + 1, 'p'), peer);
    refused.add(Buffer.from('s'), peer);
    refused.add(new Uint8Array(0), peer);
    for (let entry = 0; entry < 3; entry++) list.addPartsOf(refused, entry);
    expect(memory.pins.size).toBe(2);
    refused.releaseAll();
    expect(memory.pins.size).toBe(1);
    expect(memory.payloads(list)).toEqual(['p'.repeat(slotBytes + 1), 's', '']);
    memory.expectReleased(list);
  });

  test('must all fit', () => {
    const memory = new DatagramMemory();
    const [refused, list] = [new DatagramList(memory), new DatagramList(memory)];
    refused.coalesce = true;
    for (let count = 0; count < 3; count++) refused.add(Buffer.from('same'), peer);
    while (list.count < Limit.DATAGRAMS_MAX - 2) list.add(Buffer.from('x'), peer);
    expect(() => list.addPartsOf(refused, 0)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
    expect(list.count).toBe(Limit.DATAGRAMS_MAX - 2);
    memory.expectReleased(list, refused);
  });
});

describe('dropping the first', () => {
  test('gives back what it held, and the others move up', () => {
    const memory = new DatagramMemory();
    const list = new DatagramList(memory);
    const { slot, view } = memory.lend(5, 0x61);
    list.add(view, peer);
    list.add(Buffer.alloc(slotBytes + 1, 'p'), peer);
    list.add(new Uint8Array(0), otherPeer);
    list.add(Buffer.from('last'), otherPeer);
    expect(list.dropFirst()).toBe(5);
    expect(memory.pool.holdersOf(slot)).toBe(1);
    expect(list.dropFirst()).toBe(slotBytes + 1);
    expect(memory.pins.size).toBe(0);
    expect(memory.payloads(list)).toEqual(['', 'last']);
    expect(list.dropFirst()).toBe(0);
    expect(memory.entry(list, 0)).toMatchObject({ family: 6, port: 54 });
    list.add(Buffer.from('new'), peer);
    expect(memory.payloads(list)).toEqual(['last', 'new']);
    expect([list.dropFirst(), list.dropFirst(), list.dropFirst()]).toEqual([4, 3, 0]);
    expect(list).toMatchObject({ count: 0, datagrams: 0, byteLength: 0 });
    list.add(Buffer.from('again'), peer);
    expect(memory.payloads(list)).toEqual(['again']);
    memory.pool.release(slot);
    memory.expectReleased(list);
  });

  test('takes one datagram of an entry that has several', () => {
    const memory = new DatagramMemory();
    const list = new DatagramList(memory);
    list.coalesce = true;
    for (const payload of ['aaa', 'bbb', 'c']) list.add(Buffer.from(payload), peer, { tos: 1 });
    list.add(Buffer.from('other'), otherPeer);
    expect(list.dropFirst()).toBe(3);
    expect(memory.payloads(list)).toEqual(['bbb', 'c', 'other']);
    expect(list.dropFirst()).toBe(3);
    expect(memory.payloads(list)).toEqual(['c', 'other']);
    expect(memory.entry(list, 0)).toMatchObject({ cut: 0, tos: 1 });
    expect(list.dropFirst()).toBe(1);
    expect(memory.payloads(list)).toEqual(['other']);
    expect(list.dropFirst()).toBe(5);
    memory.expectReleased(list);
  });

  test('makes room in a full list', () => {
    const memory = new DatagramMemory();
    const list = new DatagramList(memory);
    for (let count = 0; !list.full; count++) list.add(Buffer.from(`${count}`), peer);
    expect(list.dropFirst()).toBe(1);
    list.add(Buffer.from('new'), peer);
    expect(list.full).toBe(true);
    const payloads = memory.payloads(list);
    expect([payloads[0], payloads.at(-1)]).toEqual(['1', 'new']);
    memory.expectReleased(list);
  });
});
