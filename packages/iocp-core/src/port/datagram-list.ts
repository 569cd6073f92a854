/** What one SEND_TO sends: datagrams in pool slots and in pinned memory, each with its address and controls. */

import type { DatagramAddress } from '../layer/datagram-address.js';
import type { DatagramSendOptions } from '../layer/datagram-channel.js';
import { leaseOwnerOf } from '../layer/lease.js';
import { invalidArgumentValue, outOfRange, validateInteger } from '../layer/validate.js';
import { IncomingWord, Limit, OutgoingFlag, OutgoingWord } from '../protocol.gen.js';
import { notLent } from './buffer-pool.js';
import type { SegmentMemory } from './segment-list.js';
import { DATAGRAM_WORDS } from './submission-ring.js';

// Copied out of their objects: constants of the module are folded into the compiled code.
const entriesMax = Limit.DATAGRAMS_MAX;
const pinWord = OutgoingWord.PIN;
const offsetWord = OutgoingWord.OFFSET;
const lengthWord = OutgoingWord.LENGTH;
const familyWord = OutgoingWord.FAMILY;
const portWord = OutgoingWord.PORT;
const scopeWord = OutgoingWord.SCOPE;
const addressWord = OutgoingWord.ADDRESS;
const sourceWord = OutgoingWord.SOURCE;
const interfaceWord = OutgoingWord.INTERFACE;
const controlWord = OutgoingWord.CONTROL;
const tosFlag = OutgoingFlag.TOS << 8;
const ttlFlag = OutgoingFlag.TTL << 8;
const sourceFlag = OutgoingFlag.SOURCE << 8;
const incomingFamily = IncomingWord.FAMILY;
const incomingPort = IncomingWord.PORT;
const incomingScope = IncomingWord.SCOPE;
const incomingAddress = IncomingWord.ADDRESS;

const poolPin = -1;
const firstCapacity = 8;
/** Linux cuts into no more parts (`UDP_MAX_SEGMENTS` of its older releases). */
const partsMax = 64;
/** Payload of the largest IP packet without options, of which UDP's header takes 8 bytes: RFC 791, RFC 8200. */
const joinedBytesIpv4 = 65_507;
const joinedBytesOther = 65_487;
/** Lent datagrams up to this size are copied when that makes one entry of several. */
const gatheredBytesMax = 4096;
/** A length is an Int32. */
const bytesMax = 0x7fffffff;
/** `::ffff:0:0/96` in network byte order. */
const mappedPrefix = new Int32Array(new Uint8Array([0, 0, 0xff, 0xff]).buffer)[0] as number;

/**
 * A queue of datagrams, and what is in flight: channels have two of these and swap them. Used again and again, it
 * allocates nothing for datagrams of up to one slot.
 *
 * Its **entries** are what SEND_TO counts. An entry is one datagram, or with `coalesce` several that lie one behind the
 * other in memory and that the system cuts apart.
 */
export class DatagramList {
  /** `OutgoingWord`, `DATAGRAM_WORDS` of them an entry; only the first `count` are valid. Another array after growing. */
  words = new Int32Array(firstCapacity * DATAGRAM_WORDS);
  /** Entries, at most `Limit.DATAGRAMS_MAX`. */
  count = 0;
  /** Datagrams in all entries. */
  datagrams = 0;
  /** Bytes in all datagrams. */
  byteLength = 0;
  /**
   * Joins runs of datagrams of equal size to one peer to entries that the system cuts (`UDP_SEGMENT`), where it can. Those of
   * at most 4096 bytes are copied together for that when they are lent. Default false: most systems refuse such entries.
   */
  coalesce = false;
  readonly #memory: SegmentMemory;
  /** Number of the first datagram of each entry. */
  #firsts = new Int32Array(firstCapacity);
  /** Keeps the memory of pinned datagrams alive, by pin number. */
  readonly #pinned = new Map<number, Uint8Array>();

  constructor(memory: SegmentMemory) {
    this.#memory = memory;
  }

  /** True when nothing can be added. */
  get full(): boolean {
    return this.count === entriesMax;
  }

  /**
   * Takes over a datagram. Bytes lent by the port's pool keep their slot and are not copied, unless slots are scarce, or
   * `coalesce` makes one entry of small ones. Others are copied: up to one slot into the arena, more than that into memory of their own. Chunks of an array become one
   * datagram. No bytes are a datagram, too.
   * @param to null on a connected socket.
   * @param options `done` is the caller's business. On a connected socket `source` must be of the family of the socket.
   * @throws `ERR_OUT_OF_RANGE` when the list is full, or for a `tos`, `ttl` or `interfaceIndex` that is none;
   * `ERR_INVALID_ARG_VALUE` for a `source` of another family than `to`; `ERR_IOCP_NOT_LENT` for bytes that were lent and
   * have gone back to the pool. The list is then as before.
   */
  add(
    data: Uint8Array | readonly Uint8Array[],
    to: DatagramAddress | null,
    options?: DatagramSendOptions,
  ): void {
    const at = this.#next();
    const words = this.words;
    if (to === null) {
      words[at + familyWord] = 0;
      words[at + portWord] = 0;
      words[at + scopeWord] = 0;
      words[at + addressWord] = 0;
      words[at + addressWord + 1] = 0;
      words[at + addressWord + 2] = 0;
      words[at + addressWord + 3] = 0;
    } else {
      words[at + familyWord] = to.family === 'IPv4' ? 4 : 6;
      words[at + portWord] = to.port;
      words[at + scopeWord] = to.scopeId;
      words[at + addressWord] = to.word0;
      words[at + addressWord + 1] = to.word1;
      words[at + addressWord + 2] = to.word2;
      words[at + addressWord + 3] = to.word3;
    }
    this.#control(at, options);
    this.#take(at, data);
  }

  /**
   * Like `add`, to the sender of the datagram that RECV_FROM has put into `slot`, which must be held.
   * @throws as `add`; `ERR_IOCP_NOT_LENT` when the slot has gone back to the pool.
   */
  addReply(data: Uint8Array | readonly Uint8Array[], slot: number, options?: DatagramSendOptions): void {
    const { pool } = this.#memory;
    pool.requireHeld(slot);
    const at = this.#next();
    const words = this.words;
    const from = pool.words;
    const header = pool.wordOf(slot);
    words[at + familyWord] = (from[header + incomingFamily] as number) & 0xff;
    words[at + portWord] = from[header + incomingPort] as number;
    words[at + scopeWord] = from[header + incomingScope] as number;
    words[at + addressWord] = from[header + incomingAddress] as number;
    words[at + addressWord + 1] = from[header + incomingAddress + 1] as number;
    words[at + addressWord + 2] = from[header + incomingAddress + 2] as number;
    words[at + addressWord + 3] = from[header + incomingAddress + 3] as number;
    this.#control(at, options);
    // What came in goes out: to ask the bytes where they lie would take longer than all the rest.
    const offset = pool.offsetOfView(slot, data);
    if (offset >= 0 && data.length > 0 && !pool.scarce) this.#takePooled(at, offset, data.length);
    else this.#take(at, data);
  }

  /** How many datagrams entry `entry` stands for. */
  datagramsOf(entry: number): number {
    const next = entry + 1 < this.count ? (this.#firsts[entry + 1] as number) : this.datagrams;
    return next - (this.#firsts[entry] as number);
  }

  /** Number of the first datagram of entry `entry`, among all datagrams of the list. */
  first(entry: number): number {
    return this.#firsts[entry] as number;
  }

  /**
   * Adds the datagrams of an entry of another list of this port, one by one and without copying.
   * @throws `ERR_OUT_OF_RANGE` when there is no room for all of them.
   */
  addPartsOf(other: DatagramList, entry: number): void {
    const parts = other.datagramsOf(entry);
    if (this.count + parts > entriesMax) {
      throw outOfRange(
        'entry',
        `of at most ${entriesMax - this.count} datagrams (what is left of the list)`,
        parts,
      );
    }
    const from = entry * DATAGRAM_WORDS;
    const bytes = other.#pinned.get(other.words[from + pinWord] as number);
    const whole = other.words[from + lengthWord] as number;
    const part = parts === 1 ? whole : (other.words[from + controlWord] as number) & 0xffff;
    for (let start = 0, left = parts; left > 0; start += part, left--) {
      const at = this.#next();
      const words = this.words;
      for (let word = 0; word < DATAGRAM_WORDS; word++) words[at + word] = other.words[from + word] as number;
      words[at + offsetWord] = (other.words[from + offsetWord] as number) + start;
      words[at + lengthWord] = Math.min(part, whole - start);
      words[at + controlWord] = (words[at + controlWord] as number) & ~0xffff;
      if (bytes === undefined) this.#push(at);
      else this.#pushPinned(at, bytes);
    }
  }

  /**
   * Drops the datagram that has waited longest; nothing happens to an empty list. The others move up: their numbers are
   * one less.
   * @returns the number of its bytes.
   */
  dropFirst(): number {
    if (this.count === 0) return 0;
    const words = this.words;
    const parts = this.datagramsOf(0);
    const bytes = (parts === 1 ? words[lengthWord] : (words[controlWord] as number) & 0xffff) as number;
    if (parts === 1) {
      this.#dropFirstEntry();
    } else {
      words[offsetWord] = (words[offsetWord] as number) + bytes;
      words[lengthWord] = (words[lengthWord] as number) - bytes;
      // A single datagram is not to be cut.
      if (parts === 2) words[controlWord] = (words[controlWord] as number) & ~0xffff;
    }
    for (let entry = 1; entry < this.count; entry++)
      this.#firsts[entry] = (this.#firsts[entry] as number) - 1;
    this.datagrams--;
    this.byteLength -= bytes;
    return bytes;
  }

  /** The send has settled or will never be: gives every slot and pin back, and empties the list. */
  releaseAll(): void {
    const end = this.count * DATAGRAM_WORDS;
    for (let at = 0; at < end; at += DATAGRAM_WORDS) this.#release(at);
    this.count = 0;
    this.datagrams = 0;
    this.byteLength = 0;
  }

  /** Makes room for one more entry. Returns the word where it begins. */
  #next(): number {
    const { count } = this;
    if (count === entriesMax) {
      throw outOfRange('datagrams', `<= ${entriesMax} (of one send)`, count + 1);
    }
    if (count === this.#firsts.length) this.#grow(count * 2);
    return count * DATAGRAM_WORDS;
  }

  #grow(capacity: number): void {
    const { words } = this;
    const firsts = this.#firsts;
    this.words = new Int32Array(capacity * DATAGRAM_WORDS);
    this.words.set(words);
    this.#firsts = new Int32Array(capacity);
    this.#firsts.set(firsts);
  }

  #control(at: number, options: DatagramSendOptions | undefined): void {
    this.words[at + controlWord] = 0;
    if (options !== undefined) this.#setControl(at, options);
  }

  #setControl(at: number, { tos, ttl, source, interfaceIndex }: DatagramSendOptions): void {
    const words = this.words;
    let family = words[at + familyWord] as number;
    let control = 0;
    if (tos !== undefined) {
      validateInteger(tos, 'options.tos', 0, 255);
      family |= tosFlag;
      control |= tos << 16;
    }
    if (ttl !== undefined) {
      validateInteger(ttl, 'options.ttl', 1, 255);
      family |= ttlFlag;
      control |= ttl << 24;
    }
    if (source !== undefined || interfaceIndex !== undefined) {
      if (interfaceIndex !== undefined) {
        validateInteger(interfaceIndex, 'options.interfaceIndex', 0, 0x7fffffff);
      }
      this.#setSource(at, source);
      words[at + interfaceWord] = interfaceIndex ?? 0;
      family |= sourceFlag;
    }
    words[at + familyWord] = family;
    words[at + controlWord] = control;
  }

  #setSource(at: number, source: DatagramAddress | undefined): void {
    const words = this.words;
    const family = words[at + familyWord] as number;
    const own = source?.family === 'IPv4' ? 4 : 6;
    let { word0 = 0, word1 = 0, word2 = 0, word3 = 0 } = source ?? {};
    if (source !== undefined && family !== 0 && family !== own) {
      if (own === 4) {
        [word0, word1, word2, word3] = [0, 0, mappedPrefix, word0];
      } else if (word0 === 0 && word1 === 0 && word2 === mappedPrefix) {
        [word0, word1, word2, word3] = [word3, 0, 0, 0];
      } else {
        throw invalidArgumentValue(
          'options.source',
          source.address,
          'must be of the family of the address to send to',
        );
      }
    }
    words[at + sourceWord] = word0;
    words[at + sourceWord + 1] = word1;
    words[at + sourceWord + 2] = word2;
    words[at + sourceWord + 3] = word3;
  }

  /** Completes the entry at `at` with its bytes and counts it. */
  #take(at: number, data: Uint8Array | readonly Uint8Array[]): void {
    if (!isArray(data)) this.#takeChunk(at, data);
    else if (data.length === 1) this.#takeChunk(at, data[0] as Uint8Array);
    else this.#takeChunks(at, data);
  }

  #takeChunk(at: number, data: Uint8Array): void {
    const { pool, arena } = this.#memory;
    const { length } = data;
    if (data.buffer === pool.buffer && length > 0) {
      const offset = data.byteOffset - pool.base;
      if (!pool.scarce) {
        this.#takePooled(at, offset, length);
        return;
      }
      pool.requireHeld(pool.slotOf(offset));
    } else if (length === 0) {
      requireAlive(data);
      this.#takePooled(at, 0, 0);
      return;
    }
    const offset = length <= pool.slotBytes ? arena.copy(data) : -1;
    if (offset >= 0) this.#takePooled(at, offset, length);
    else this.#takeOwn(at, Uint8Array.prototype.slice.call(data) as Uint8Array);
  }

  #takeChunks(at: number, chunks: readonly Uint8Array[]): void {
    const { pool, arena } = this.#memory;
    let length = 0;
    for (const chunk of chunks) {
      length += chunk.length;
      if (chunk.length === 0) requireAlive(chunk);
      else if (chunk.buffer === pool.buffer) pool.requireHeld(pool.slotAt(chunk.byteOffset));
    }
    const offset = length <= pool.slotBytes && length > 0 ? arena.reserve(length) : -1;
    if (offset >= 0) {
      joinInto(pool.bytes, pool.base + offset, chunks);
      this.#takePooled(at, offset, length);
    } else if (length === 0) {
      this.#takePooled(at, 0, 0);
    } else {
      const whole = new Uint8Array(length);
      joinInto(whole, 0, chunks);
      this.#takeOwn(at, whole);
    }
  }

  /** Bytes of a slot that is held, or none at all. */
  #takePooled(at: number, offset: number, length: number): void {
    const words = this.words;
    words[at + pinWord] = poolPin;
    words[at + offsetWord] = offset;
    words[at + lengthWord] = length;
    if (
      this.coalesce &&
      this.count > 0 &&
      this.#continuesRun(at) &&
      (this.#liesBehindLast(at) || this.#gather(at))
    )
      this.#joinLast(at);
    else this.#push(at);
  }

  #takeOwn(at: number, bytes: Uint8Array): void {
    if (bytes.length > bytesMax) throw outOfRange('data.length', `<= ${bytesMax}`, bytes.length);
    this.words[at + offsetWord] = 0;
    this.words[at + lengthWord] = bytes.length;
    this.#pushPinned(at, bytes);
  }

  /** `bytes` are nobody else's, and of a fixed length. */
  #pushPinned(at: number, bytes: Uint8Array): void {
    const pin = this.#memory.pin(bytes);
    this.#pinned.set(pin, bytes);
    this.words[at + pinWord] = pin;
    this.#push(at);
  }

  /** Counts the entry at `at`, which is complete, and becomes a holder of its slot. */
  #push(at: number): void {
    const words = this.words;
    const length = words[at + lengthWord] as number;
    const { pool } = this.#memory;
    if (words[at + pinWord] === poolPin && length > 0)
      pool.retain(pool.slotOf(words[at + offsetWord] as number));
    this.#firsts[this.count++] = this.datagrams++;
    this.byteLength += length;
  }

  /** Whether the datagram at `at` can be one more part of the last entry: same peer and controls, and a size that fits. */
  #continuesRun(at: number): boolean {
    const words = this.words;
    const last = at - DATAGRAM_WORDS;
    if (words[last + portWord] !== words[at + portWord] || words[last + pinWord] !== poolPin) return false;
    const length = words[at + lengthWord] as number;
    const lastLength = words[last + lengthWord] as number;
    if (length === 0 || lastLength === 0) return false;
    const part = (words[last + controlWord] as number) & 0xffff || lastLength;
    if (length > part || lastLength % part !== 0 || lastLength >= part * partsMax) return false;
    const family = words[at + familyWord] as number;
    const joinedMax = (family & 0xff) === 4 ? joinedBytesIpv4 : joinedBytesOther;
    return (
      lastLength + length <= joinedMax &&
      ((words[last + controlWord] as number) & ~0xffff) === words[at + controlWord] &&
      this.#equalWords(last, at, familyWord, sourceWord) &&
      ((family & sourceFlag) === 0 || this.#equalWords(last, at, sourceWord, controlWord))
    );
  }

  /** Whether the bytes at `at` follow those of the last entry, in the same slot. */
  #liesBehindLast(at: number): boolean {
    const words = this.words;
    const lastOffset = words[at - DATAGRAM_WORDS + offsetWord] as number;
    const offset = lastOffset + (words[at - DATAGRAM_WORDS + lengthWord] as number);
    const { pool } = this.#memory;
    return offset === words[at + offsetWord] && pool.slotOf(lastOffset) === pool.slotOf(offset);
  }

  /**
   * Brings bytes together in the arena: for small datagrams the system takes longer over each than a copy does. Returns
   * false when they stay where they are.
   */
  #gather(at: number): boolean {
    const { pool } = this.#memory;
    const length = this.words[at + lengthWord] as number;
    if (length > gatheredBytesMax || length > pool.slotBytes >> 3) return false;
    // The arena must not take these bytes, which nobody holds yet, for free.
    const slot = pool.slotOf(this.words[at + offsetWord] as number);
    pool.retain(slot);
    const gathered = this.#gatherHeld(at, length);
    pool.release(slot);
    return gathered;
  }

  #gatherHeld(at: number, length: number): boolean {
    const words = this.words;
    const last = at - DATAGRAM_WORDS;
    const lastLength = words[last + lengthWord] as number;
    const { pool, arena } = this.#memory;
    if (((words[last + controlWord] as number) & 0xffff) === 0) {
      const start = lastLength <= gatheredBytesMax ? arena.reserve(lastLength) : -1;
      if (start < 0) return false;
      this.#move(last, start);
    }
    const offset = arena.reserve(length);
    const lastOffset = words[last + offsetWord] as number;
    if (offset !== lastOffset + lastLength || pool.slotOf(offset) !== pool.slotOf(lastOffset)) return false;
    this.#copyWithinPool(words[at + offsetWord] as number, offset, length);
    words[at + offsetWord] = offset;
    return true;
  }

  /** Copies the bytes of an entry to `offset`, and holds that slot instead of its own. */
  #move(at: number, offset: number): void {
    const words = this.words;
    const { pool } = this.#memory;
    const from = words[at + offsetWord] as number;
    this.#copyWithinPool(from, offset, words[at + lengthWord] as number);
    pool.retain(pool.slotOf(offset));
    words[at + offsetWord] = offset;
    pool.release(pool.slotOf(from));
  }

  #copyWithinPool(from: number, to: number, length: number): void {
    const { pool } = this.#memory;
    pool.bytes.copyWithin(pool.base + to, pool.base + from, pool.base + from + length);
  }

  #equalWords(a: number, b: number, from: number, to: number): boolean {
    const words = this.words;
    for (let word = from; word < to; word++) if (words[a + word] !== words[b + word]) return false;
    return true;
  }

  #joinLast(at: number): void {
    const words = this.words;
    const last = at - DATAGRAM_WORDS;
    const length = words[at + lengthWord] as number;
    const lastLength = words[last + lengthWord] as number;
    const control = words[last + controlWord] as number;
    if ((control & 0xffff) === 0) words[last + controlWord] = control | lastLength;
    words[last + lengthWord] = lastLength + length;
    this.datagrams++;
    this.byteLength += length;
  }

  /** Gives back what the first entry holds; the others move up. Their numbers stay. */
  #dropFirstEntry(): void {
    this.#release(0);
    this.words.copyWithin(0, DATAGRAM_WORDS, this.count * DATAGRAM_WORDS);
    // The first of the new first is 0 as well.
    this.#firsts.copyWithin(1, 2, this.count);
    this.count--;
  }

  /** Gives back what the entry at `at` holds. */
  #release(at: number): void {
    const words = this.words;
    const pin = words[at + pinWord] as number;
    const { pool } = this.#memory;
    if (pin !== poolPin) {
      this.#memory.unpin(pin);
      this.#pinned.delete(pin);
    } else if (words[at + lengthWord] !== 0) {
      pool.release(pool.slotOf(words[at + offsetWord] as number));
    }
  }
}

function isArray(data: Uint8Array | readonly Uint8Array[]): data is readonly Uint8Array[] {
  return Array.isArray(data);
}

/** No bytes: a datagram of 0 bytes, unless they were lent, and their memory has been taken away (debug mode). */
function requireAlive(empty: Uint8Array): void {
  if (empty.buffer.byteLength === 0 && leaseOwnerOf(empty) !== undefined) throw notLent();
}

function joinInto(target: Uint8Array, start: number, chunks: readonly Uint8Array[]): void {
  let at = start;
  for (const chunk of chunks) {
    target.set(chunk, at);
    at += chunk.length;
  }
}
