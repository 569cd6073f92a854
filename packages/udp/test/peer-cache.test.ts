import { type BufferPool, IncomingWord } from '@iocp/core';
import { expect, test } from 'vitest';
import { PeerCache } from '../src/peer-cache.js';

/** A pool of one slot, whose header says who the sender is. */
class Headers {
  readonly words = new Int32Array(64);

  wordOf(): number {
    return 0;
  }

  from(address: number, port: number, family = 4): BufferPool {
    this.words[IncomingWord.FAMILY] = family;
    this.words[IncomingWord.ADDRESS] = address;
    this.words[IncomingWord.PORT] = port;
    return this as unknown as BufferPool;
  }
}

test('a sender keeps its object, and is told from others', () => {
  const headers = new Headers();
  const peers = new PeerCache();
  const first = peers.senderOf(headers.from(1, 1000), 0);
  expect(first).toMatchObject({ family: 'IPv4', port: 1000, word0: 1 });
  expect(peers.senderOf(headers.from(1, 1000), 0)).toBe(first);
  expect(peers.senderOf(headers.from(1, 1001), 0)).not.toBe(first);
  expect(peers.senderOf(headers.from(2, 1000), 0)).not.toBe(first);
  const sixth = peers.senderOf(headers.from(1, 1000, 6), 0);
  expect(sixth).toMatchObject({ family: 'IPv6' });
});

test('any number of senders takes bounded memory, and the frequent ones are remembered', () => {
  const headers = new Headers();
  const peers = new PeerCache();
  const frequent = peers.senderOf(headers.from(-1, 53), 0);
  const seen = new WeakSet([peers.senderOf(headers.from(0, 1), 0)]);
  for (let spoofed = 1; spoofed < 50_000; spoofed++) {
    peers.senderOf(headers.from(spoofed, 1), 0);
    if (spoofed % 1000 === 0) expect(peers.senderOf(headers.from(-1, 53), 0)).toBe(frequent);
  }
  expect(peers.size).toBeLessThanOrEqual(2 * 4096);
  // Long forgotten: a new object with the same address.
  expect(seen.has(peers.senderOf(headers.from(0, 1), 0))).toBe(false);
});
