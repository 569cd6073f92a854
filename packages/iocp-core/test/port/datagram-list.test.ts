import { describe, expect, test } from 'vitest';
import { DatagramAddress } from '../../src/layer/datagram-address.js';
import { DatagramList } from '../../src/port/datagram-list.js';
import { IncomingWord, Limit, OutgoingFlag } from '../../src/protocol.gen.js';
import { DatagramMemory, otherPeer, peer } from './datagram-memory.js';
import { slotBytes } from './list-memory.js';

function wordsOf({ word0, word1, word2, word3 }: DatagramAddress): number[] {
  return [word0, word1, word2, word3];
}

describe('an entry', () => {
  test('has a copy of small bytes, and the address', () => {
    const memory = new DatagramMemory();
    const list = new DatagramList(memory);
    const chunk = Buffer.from('hello');
    list.add(chunk, peer);
    chunk.fill(0);
    list.add(Buffer.from('sixth'), otherPeer);
    expect(memory.payloads(list)).toEqual(['hello', 'sixth']);
    expect(memory.entry(list, 0)).toMatchObject({ family: 4, flags: 0, port: 53, scope: 0, cut: 0 });
    expect(memory.entry(list, 0).address).toEqual(wordsOf(peer));
    expect(memory.entry(list, 1)).toMatchObject({ family: 6, port: 54 });
    expect(memory.entry(list, 1).address).toEqual(wordsOf(otherPeer));
    memory.expectReleased(list);
  });

  test('has the scope of a link-local address', () => {
    const memory = new DatagramMemory();
    const list = new DatagramList(memory);
    list.add(Buffer.from('x'), DatagramAddress.of('fe80::1%7', 1));
    expect(memory.entry(list, 0)).toMatchObject({ family: 6, scope: 7, port: 1 });
    memory.expectReleased(list);
  });

  test('of a connected socket has no address, whatever was there before', () => {
    const memory = new DatagramMemory();
    const list = new DatagramList(memory);
    list.add(Buffer.from('x'), otherPeer, { tos: 3 });
    list.releaseAll();
    list.add(Buffer.from('y'), null);
    const { family, flags, port, scope, address, tos } = memory.entry(list, 0);
    expect({ family, flags, port, scope, tos }).toEqual({ family: 0, flags: 0, port: 0, scope: 0, tos: 0 });
    expect(address).toEqual([0, 0, 0, 0]);
    memory.expectReleased(list);
  });

  test('of no bytes is a datagram, and holds nothing', () => {
    const memory = new DatagramMemory();
    const list = new DatagramList(memory);
    const lent = memory.lend(10, 1);
    list.add(new Uint8Array(0), peer);
    list.add([], peer);
    list.add([new Uint8Array(0), new Uint8Array(0)], peer);
    list.add(lent.view.subarray(10), peer);
    expect(memory.payloads(list)).toEqual(['', '', '', '']);
    expect(memory.pool.holdersOf(lent.slot)).toBe(1);
    expect(memory.heldSlots).toBe(1);
    memory.pool.release(lent.slot);
    memory.expectReleased(list);
  });

  test('is made of the chunks of an array', () => {
    const memory = new DatagramMemory();
    const list = new DatagramList(memory);
    const lent = memory.lend(3, 0x61);
    list.add([Buffer.from('head '), lent.view, new Uint8Array(0), Buffer.from(' tail')], peer);
    list.add([Buffer.from('alone')], peer);
    list.add([Buffer.alloc(slotBytes, 'L'), Buffer.from('!')], peer);
    expect(memory.payloads(list)).toEqual(['head aaa tail', 'alone', `${'L'.repeat(slotBytes)}!`]);
    expect(memory.pins.size).toBe(1);
    expect(memory.pool.holdersOf(lent.slot), 'copied').toBe(1);
    memory.pool.release(lent.slot);
    memory.expectReleased(list);
  });

  test('larger than a slot is copied to memory of its own, so that the caller may reuse his', () => {
    const memory = new DatagramMemory();
    const list = new DatagramList(memory);
    const chunk = Buffer.alloc(slotBytes + 1, 'a');
    list.add(chunk, peer);
    list.add(Buffer.alloc(slotBytes, 'b'), peer);
    chunk.fill('x');
    expect(memory.payloads(list)).toEqual(['a'.repeat(slotBytes + 1), 'b'.repeat(slotBytes)]);
    expect(memory.pins.size).toBe(1);
    memory.expectReleased(list);
  });

  test('is copied to memory of its own when the pool has nothing to spare', () => {
    const memory = new DatagramMemory({ maxSlots: 1 });
    const list = new DatagramList(memory);
    const chunk = Buffer.from('no slot');
    list.add(chunk, peer);
    list.add([chunk, chunk], peer);
    chunk.fill(0);
    expect(memory.payloads(list)).toEqual(['no slot', 'no slotno slot']);
    expect(memory.pins.size).toBe(2);
    memory.expectReleased(list);
  });
});

describe('controls', () => {
  test('are in the record, with their flags', () => {
    const memory = new DatagramMemory();
    const list = new DatagramList(memory);
    const source = DatagramAddress.of('192.0.2.9', 0);
    list.add(Buffer.from('a'), peer, { tos: 255, ttl: 200, source, interfaceIndex: 3 });
    list.add(Buffer.from('b'), peer, { ttl: 1 });
    list.add(Buffer.from('c'), peer, { tos: 0 });
    list.add(Buffer.from('d'), peer, { interfaceIndex: 5 });
    list.add(Buffer.from('e'), peer, {});
    const { TOS, TTL, SOURCE } = OutgoingFlag;
    expect(memory.entry(list, 0)).toMatchObject({
      flags: TOS | TTL | SOURCE,
      tos: 255,
      ttl: 200,
      source: wordsOf(source),
      interfaceIndex: 3,
      cut: 0,
      family: 4,
    });
    expect(memory.entry(list, 1)).toMatchObject({ flags: TTL, tos: 0, ttl: 1 });
    expect(memory.entry(list, 2)).toMatchObject({ flags: TOS, tos: 0, ttl: 0 });
    expect(memory.entry(list, 3)).toMatchObject({ flags: SOURCE, source: [0, 0, 0, 0], interfaceIndex: 5 });
    expect(memory.entry(list, 4)).toMatchObject({ flags: 0, tos: 0, ttl: 0 });
    memory.expectReleased(list);
  });

  test('a source is brought into the family of the peer, where that can be', () => {
    const memory = new DatagramMemory();
    const list = new DatagramList(memory);
    const source = DatagramAddress.of('192.0.2.9', 0);
    const mapped = DatagramAddress.of('::ffff:192.0.2.9', 0);
    list.add(Buffer.from('a'), DatagramAddress.of('::ffff:192.0.2.1', 53), { source });
    expect(memory.entry(list, 0).source).toEqual(wordsOf(mapped));
    list.add(Buffer.from('b'), peer, { source: mapped });
    expect(memory.entry(list, 1).source).toEqual(wordsOf(source));
    expect(() => list.add(Buffer.from('c'), peer, { source: otherPeer })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
    );
    expect(list.count).toBe(2);
    memory.expectReleased(list);
  });

  test.each([
    { tos: 256 },
    { tos: -1 },
    { ttl: 0 },
    { ttl: 256 },
    { interfaceIndex: -1 },
    { interfaceIndex: 0.5 },
  ])('%j is refused and leaves nothing', (options) => {
    const memory = new DatagramMemory();
    const list = new DatagramList(memory);
    expect(() => list.add(Buffer.from('a'), peer, options)).toThrow(
      expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }),
    );
    memory.expectReleased(list);
  });
});

describe('lent bytes', () => {
  test('are not copied and keep their slot, once for each entry', () => {
    const memory = new DatagramMemory();
    const list = new DatagramList(memory);
    const { slot, view } = memory.lend(100, 7);
    list.add(view, peer);
    list.add(view.subarray(10, 20), peer);
    expect(memory.entry(list, 0)).toMatchObject({ pin: -1, offset: slot * slotBytes });
    expect(memory.entry(list, 1).offset).toBe(slot * slotBytes + 10);
    expect(memory.pool.holdersOf(slot)).toBe(3);
    memory.pool.release(slot);
    expect(memory.pool.isHeld(slot)).toBe(true);
    memory.expectReleased(list);
  });

  test('that went back to the pool are refused', () => {
    const memory = new DatagramMemory();
    const list = new DatagramList(memory);
    const { slot, view } = memory.lend(100, 7);
    memory.pool.release(slot);
    const notLent = expect.objectContaining({ code: 'ERR_IOCP_NOT_LENT' });
    expect(() => list.add(view, peer)).toThrow(notLent);
    expect(() => list.add([view, view], peer)).toThrow(notLent);
    expect(() => list.addReply(Buffer.from('x'), slot)).toThrow(notLent);
    memory.expectReleased(list);
  });

  test('are copied when slots are scarce', () => {
    const memory = new DatagramMemory({ maxSlots: 8 });
    const list = new DatagramList(memory);
    const lent = [memory.receive(4, 0x61)];
    // The arena gets its slot while there are some.
    list.add(Buffer.from('early'), peer);
    while (!memory.pool.scarce) lent.push(memory.receive(4, 0x62));
    for (const { view } of lent) {
      list.add(view, peer);
      view.fill(0);
    }
    const copies = Array.from({ length: lent.length - 1 }, () => 'bbbb');
    expect(memory.payloads(list)).toEqual(['early', 'aaaa', ...copies]);
    expect(memory.pins.size).toBe(0);
    for (const { slot } of lent) {
      expect(memory.pool.holdersOf(slot)).toBe(1);
      memory.pool.release(slot);
    }
    memory.expectReleased(list);
  });

  test('of a pool in debug mode are copied, and refused when they are gone', () => {
    const memory = new DatagramMemory({ debug: true });
    const list = new DatagramList(memory);
    const { slot, view } = memory.lend(4, 0);
    view.fill('a');
    list.add(view, peer);
    list.add([view, Buffer.from('b')], peer);
    memory.pool.release(slot);
    expect(memory.payloads(list)).toEqual(['aaaa', 'aaaab']);
    const notLent = expect.objectContaining({ code: 'ERR_IOCP_NOT_LENT' });
    expect(view.length).toBe(0);
    expect(() => list.add(view, peer)).toThrow(notLent);
    expect(() => list.add([view, view], peer)).toThrow(notLent);
    expect(list.count).toBe(2);
    memory.expectReleased(list);
  });
});

describe('replies', () => {
  function receivedFrom(memory: DatagramMemory, family: number): { slot: number; view: Buffer } {
    const lent = memory.lend(Limit.DATAGRAM_OFFSET + 4, 0);
    const { pool } = memory;
    const header = pool.wordOf(lent.slot);
    // Flags of what was received are not flags of what is sent.
    pool.words[header + IncomingWord.FAMILY] = family | (0xf << 8);
    pool.words[header + IncomingWord.PORT] = 4000;
    pool.words[header + IncomingWord.SCOPE] = 2;
    pool.words.set([11, 12, 13, 14], header + IncomingWord.ADDRESS);
    const view = pool.viewAt(lent.slot, Limit.DATAGRAM_OFFSET, 4);
    view.write('ping');
    return { slot: lent.slot, view };
  }

  test('go to the sender of what is in the slot, and keep it', () => {
    const memory = new DatagramMemory();
    const list = new DatagramList(memory);
    const { slot, view } = receivedFrom(memory, 6);
    list.addReply(view, slot, { tos: 2 });
    list.addReply(Buffer.from('copy'), slot);
    memory.pool.release(slot);
    expect(memory.payloads(list)).toEqual(['ping', 'copy']);
    const to = { family: 6, port: 4000, scope: 2, address: [11, 12, 13, 14] };
    expect(memory.entry(list, 0)).toMatchObject({ ...to, flags: OutgoingFlag.TOS, tos: 2, pin: -1 });
    expect(memory.entry(list, 0).offset).toBe(slot * slotBytes + Limit.DATAGRAM_OFFSET);
    expect(memory.entry(list, 1)).toMatchObject({ ...to, flags: 0, tos: 0 });
    memory.expectReleased(list);
  });

  test('of nobody known have no address', () => {
    const memory = new DatagramMemory();
    const list = new DatagramList(memory);
    const { slot, view } = receivedFrom(memory, 0);
    list.addReply([view, view], slot);
    memory.pool.release(slot);
    expect(memory.entry(list, 0)).toMatchObject({ family: 0 });
    expect(memory.payloads(list)).toEqual(['pingping']);
    memory.expectReleased(list);
  });
});

test('a list is full at the most that one send takes, and can be used again', () => {
  const memory = new DatagramMemory();
  const list = new DatagramList(memory);
  for (let round = 0; round < 2; round++) {
    const expected: string[] = [];
    for (let count = 0; !list.full; count++) {
      list.add(Buffer.from(`${count}`), peer);
      expected.push(`${count}`);
    }
    expect(list.count).toBe(Limit.DATAGRAMS_MAX);
    expect(memory.payloads(list)).toEqual(expected);
    const tooMany = expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' });
    expect(() => list.add(Buffer.from('x'), peer)).toThrow(tooMany);
    expect(() => list.addPartsOf(list, 0)).toThrow(tooMany);
    list.releaseAll();
  }
  memory.expectReleased(list);
});

test('a list that has its size keeps its memory', () => {
  const memory = new DatagramMemory();
  const list = new DatagramList(memory);
  while (!list.full) list.add(Buffer.from('x'), peer);
  const { words } = list;
  list.releaseAll();
  while (!list.full) list.add(Buffer.from('y'), peer);
  expect(list.words).toBe(words);
  memory.expectReleased(list);
});

test('two lists that are swapped for a long time leave nothing', () => {
  const memory = new DatagramMemory();
  let [queued, inFlight] = [new DatagramList(memory), new DatagramList(memory)];
  for (let round = 0; round < 500; round++) {
    queued.coalesce = round % 3 === 0;
    const { slot, view } = memory.lend(50, round);
    for (let count = 0; count < round % 9; count++) {
      queued.add(count % 4 === 0 ? view : Buffer.alloc(20, round), count % 2 === 0 ? peer : otherPeer);
    }
    memory.pool.release(slot);
    if (round % 5 === 0) queued.dropFirst();
    inFlight.releaseAll();
    [queued, inFlight] = [inFlight, queued];
    expect(memory.payloads(inFlight).length).toBe(inFlight.datagrams);
  }
  memory.expectReleased(queued, inFlight);
});
