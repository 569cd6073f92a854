/** Reads the header that the system's answer left at the start of a slot. */

import { type BufferPool, IncomingFlag, IncomingWord, Limit } from '@iocp/core';
import { DatagramAddress } from '@iocp/core/layer';

// Copied out of their objects: constants of the module are folded into the compiled code.
/** Where the payload begins in a slot. */
export const dataOffset = Limit.DATAGRAM_OFFSET;
const familyWord = IncomingWord.FAMILY;
const portWord = IncomingWord.PORT;
const scopeWord = IncomingWord.SCOPE;
const addressWord = IncomingWord.ADDRESS;
const interfaceWord = IncomingWord.INTERFACE;
const localWord = IncomingWord.LOCAL;
const tosWord = IncomingWord.TOS;
const ttlWord = IncomingWord.TTL;
const segmentBytesWord = IncomingWord.SEGMENT_BYTES;
const truncatedFlag = IncomingFlag.TRUNCATED << 8;
const localFlag = IncomingFlag.LOCAL << 8;
const tosFlag = IncomingFlag.TOS << 8;
const ttlFlag = IncomingFlag.TTL << 8;

function hasFlag(pool: BufferPool, slot: number, flag: number): boolean {
  return ((pool.words[pool.wordOf(slot) + familyWord] as number) & flag) !== 0;
}

export function isTruncated(pool: BufferPool, slot: number): boolean {
  return hasFlag(pool, slot, truncatedFlag);
}

/** Bytes of each datagram of the slot; 0 when there is one. */
export function segmentBytesOf(pool: BufferPool, slot: number): number {
  return pool.words[pool.wordOf(slot) + segmentBytesWord] as number;
}

export function tosOf(pool: BufferPool, slot: number): number | undefined {
  return hasFlag(pool, slot, tosFlag) ? pool.words[pool.wordOf(slot) + tosWord] : undefined;
}

export function ttlOf(pool: BufferPool, slot: number): number | undefined {
  return hasFlag(pool, slot, ttlFlag) ? pool.words[pool.wordOf(slot) + ttlWord] : undefined;
}

export function interfaceOf(pool: BufferPool, slot: number): number | undefined {
  return hasFlag(pool, slot, localFlag) ? pool.words[pool.wordOf(slot) + interfaceWord] : undefined;
}

export function portOf(pool: BufferPool, slot: number): number {
  return pool.words[pool.wordOf(slot) + portWord] as number;
}

export function familyOf(pool: BufferPool, slot: number): 'IPv4' | 'IPv6' {
  return ((pool.words[pool.wordOf(slot) + familyWord] as number) & 0xff) === 6 ? 'IPv6' : 'IPv4';
}

/** The address the datagram was sent to; the port is not in the header. */
export function localAddressOf(pool: BufferPool, slot: number): string | undefined {
  if (!hasFlag(pool, slot, localFlag)) return undefined;
  const { words } = pool;
  const at = pool.wordOf(slot);
  return addressAt(words, at + localWord, familyOf(pool, slot), 0, 0).address;
}

/** The sender, as an object of its own. */
export function senderOf(pool: BufferPool, slot: number): DatagramAddress {
  const { words } = pool;
  const at = pool.wordOf(slot);
  const port = words[at + portWord] as number;
  const scope = words[at + scopeWord] as number;
  return addressAt(words, at + addressWord, familyOf(pool, slot), port, scope);
}

/** Mixes the sender's address and port into 30 bits, which V8 keeps without an allocation. */
export function senderHash(pool: BufferPool, slot: number, seed: number): number {
  const { words } = pool;
  const at = pool.wordOf(slot);
  let hash = seed ^ (words[at + portWord] as number);
  for (let index = 0; index < 4; index++) {
    hash = Math.imul(hash ^ (words[at + addressWord + index] as number), 0x85ebca6b);
    hash ^= hash >>> 15;
  }
  return hash & 0x3fffffff;
}

/** Whether the sender is `peer`, without an object for it. */
export function isSender(pool: BufferPool, slot: number, peer: DatagramAddress): boolean {
  const { words } = pool;
  const at = pool.wordOf(slot);
  return (
    words[at + addressWord] === peer.word0 &&
    words[at + portWord] === peer.port &&
    words[at + addressWord + 3] === peer.word3 &&
    words[at + addressWord + 2] === peer.word2 &&
    words[at + addressWord + 1] === peer.word1 &&
    words[at + scopeWord] === peer.scopeId &&
    familyOf(pool, slot) === peer.family
  );
}

function addressAt(
  words: Int32Array,
  at: number,
  family: 'IPv4' | 'IPv6',
  port: number,
  scope: number,
): DatagramAddress {
  return new DatagramAddress(
    family,
    port,
    scope,
    words[at] as number,
    words[at + 1] as number,
    words[at + 2] as number,
    words[at + 3] as number,
  );
}
