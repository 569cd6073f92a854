import { expect } from 'vitest';
import { DatagramAddress } from '../../src/layer/datagram-address.js';
import type { DatagramList } from '../../src/port/datagram-list.js';
import { DATAGRAM_WORDS } from '../../src/port/submission-ring.js';
import { OutgoingWord } from '../../src/protocol.gen.js';
import { ListMemory } from './list-memory.js';

export const peer = DatagramAddress.of('192.0.2.1', 53);
export const otherPeer = DatagramAddress.of('2001:db8::1', 54);

/** One entry, as native code reads it. */
export interface Entry {
  readonly bytes: Buffer;
  readonly pin: number;
  readonly offset: number;
  readonly family: number;
  readonly flags: number;
  readonly port: number;
  readonly scope: number;
  readonly address: readonly number[];
  readonly source: readonly number[];
  readonly interfaceIndex: number;
  /** Bytes of each part, 0 for a single datagram. */
  readonly cut: number;
  readonly tos: number;
  readonly ttl: number;
}

/** What datagram lists are made of; reads them as native code does. */
export class DatagramMemory extends ListMemory {
  entry(list: DatagramList, index: number): Entry {
    expect(index).toBeLessThan(list.count);
    const words = list.words.subarray(index * DATAGRAM_WORDS, (index + 1) * DATAGRAM_WORDS);
    const word = (at: number) => words[at] ?? 0;
    const pin = word(OutgoingWord.PIN);
    const offset = word(OutgoingWord.OFFSET);
    const control = word(OutgoingWord.CONTROL);
    return {
      bytes: Buffer.from(this.bytesAt(pin, offset, word(OutgoingWord.LENGTH))),
      pin,
      offset,
      family: word(OutgoingWord.FAMILY) & 0xff,
      flags: word(OutgoingWord.FAMILY) >>> 8,
      port: word(OutgoingWord.PORT),
      scope: word(OutgoingWord.SCOPE),
      address: [...words.subarray(OutgoingWord.ADDRESS, OutgoingWord.ADDRESS + 4)],
      source: [...words.subarray(OutgoingWord.SOURCE, OutgoingWord.SOURCE + 4)],
      interfaceIndex: word(OutgoingWord.INTERFACE),
      cut: control & 0xffff,
      tos: (control >>> 16) & 0xff,
      ttl: control >>> 24,
    };
  }

  /** The payloads of all datagrams, entries cut as the system would. */
  payloads(list: DatagramList): string[] {
    const payloads: string[] = [];
    for (let index = 0; index < list.count; index++) {
      const { bytes, cut } = this.entry(list, index);
      const before = payloads.length;
      expect(list.first(index)).toBe(before);
      const step = cut === 0 ? Math.max(bytes.length, 1) : cut;
      for (let at = 0; at === 0 || at < bytes.length; at += step) {
        payloads.push(bytes.toString('latin1', at, at + step));
      }
      expect(list.datagramsOf(index)).toBe(payloads.length - before);
    }
    expect(list.datagrams).toBe(payloads.length);
    expect(list.byteLength).toBe(payloads.join('').length);
    return payloads;
  }

  /** The lists must have let go of everything. */
  expectReleased(...lists: DatagramList[]): void {
    for (const list of lists) {
      list.releaseAll();
      expect(list).toMatchObject({ count: 0, datagrams: 0, byteLength: 0, full: false });
    }
    this.arena.release();
    expect(this.pool.slots.javascript).toBe(0);
    expect(this.pins.size).toBe(0);
  }
}
