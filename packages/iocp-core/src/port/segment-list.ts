/** What one SEND sends: pieces of pool slots and of pinned memory, in order. */

import { type Lease, lease, ownCopy } from '../layer/lease.js';
import { outOfRange } from '../layer/validate.js';
import { Limit } from '../protocol.gen.js';
import type { BufferPool } from './buffer-pool.js';
import { SEGMENT_TRIPLE } from './submission-ring.js';
import type { WriteArena } from './write-arena.js';

const poolPin = -1;
const segmentsMax = Limit.SEGMENTS_MAX;
/** The result of a SEND is an Int32. */
const bytesMax = 0x7fffffff;
/** Above this many segments, small lent chunks are copied instead of keeping a slot each from the kernel. */
const lentSegmentsMax = 16;
/** Lists longer than this give their memory back when they are released. */
const keptWordsMax = 16 * SEGMENT_TRIPLE;

/** What segments are made of: a `CompletionPort`. */
export interface SegmentMemory {
  readonly pool: BufferPool;
  readonly arena: WriteArena;
  /** Remembers where `bytes` lie, until `unpin`. Returns the pin number. Does not throw. */
  pin(bytes: Uint8Array): number;
  unpin(pin: number): void;
}

/**
 * A send queue, and what is in flight: channels have two of these and swap them. Used again and again, it allocates
 * nothing for chunks that are lent or small.
 */
export class SegmentList {
  /** Triples of pin number (-1 for the pool), offset, and length in bytes; only the first `count` are valid. */
  words: number[] = [];
  /** Number of segments, at most SEGMENTS_MAX. */
  count = 0;
  /** Bytes in all segments, at most 2^31 - 1. */
  byteLength = 0;
  readonly #memory: SegmentMemory;
  /** The pinned memory, in the order of the segments that name it. */
  #held: Lease[] | null = null;

  constructor(memory: SegmentMemory) {
    this.#memory = memory;
  }

  /**
   * Takes over a chunk. Bytes lent by the port's pool keep their slot and are not copied, unless slots are scarce. Other
   * chunks of up to one slot are copied into the arena, and larger ones must be neither changed nor transferred before
   * `releaseAll`. Resizable and shared memory is copied whatever its size: it could shrink under the kernel's hands.
   * @throws `ERR_OUT_OF_RANGE` when the list would exceed 2^31 - 1 bytes, `ERR_IOCP_NOT_LENT` for bytes that were lent
   * and have gone back to the pool.
   */
  add(chunk: Uint8Array): void {
    const length = chunk.length;
    if (length === 0) return;
    const pool = this.#memory.pool;
    if (this.byteLength + length > bytesMax) {
      throw outOfRange('chunk.length', `<= ${bytesMax - this.byteLength} (what is left of one send)`, length);
    }
    if (this.count === segmentsMax) this.#compact();
    if (chunk.buffer === pool.buffer) this.#addLent(chunk);
    else if (length <= pool.slotBytes) this.#addCopy(chunk);
    else this.#addPinned(canVanish(chunk) ? ownCopy(chunk) : chunk);
  }

  /** The send has settled or will never be: gives every slot and pin back, and empties the list. */
  releaseAll(): void {
    const { pool } = this.#memory;
    const words = this.words;
    const end = this.count * SEGMENT_TRIPLE;
    for (let at = 0; at < end; at += SEGMENT_TRIPLE) {
      const pin = words[at] as number;
      if (pin === poolPin) pool.release(pool.slotOf(words[at + 1] as number));
      else this.#memory.unpin(pin);
    }
    this.count = 0;
    this.byteLength = 0;
    if (end > keptWordsMax) this.words = [];
    if (this.#held !== null) this.#releaseHeld(this.#held);
  }

  #addLent(chunk: Uint8Array): void {
    const { pool } = this.#memory;
    const offset = chunk.byteOffset - pool.base;
    // Peers that read slowly must not keep the slots from everybody else, least of all by a small piece of each.
    const hoards = this.count >= lentSegmentsMax && chunk.length <= pool.slotBytes >> 2;
    if (hoards || pool.scarce) {
      pool.requireHeld(pool.slotOf(offset));
      this.#addCopy(chunk);
    } else {
      this.#addPooled(offset, chunk.length);
    }
  }

  #addCopy(chunk: Uint8Array): void {
    const offset = this.#memory.arena.copy(chunk);
    if (offset >= 0) this.#addPooled(offset, chunk.length);
    else this.#addPinned(ownCopy(chunk));
  }

  /** Adds bytes of a held slot, to the last segment when they follow it in the same slot. */
  #addPooled(offset: number, length: number): void {
    const { pool } = this.#memory;
    const slot = pool.slotOf(offset);
    const last = (this.count - 1) * SEGMENT_TRIPLE;
    if (last >= 0 && this.words[last] === poolPin) {
      const lastOffset = this.words[last + 1] as number;
      const lastLength = this.words[last + 2] as number;
      if (lastOffset + lastLength === offset && pool.slotOf(lastOffset) === slot) {
        this.words[last + 2] = lastLength + length;
        this.byteLength += length;
        return;
      }
    }
    pool.retain(slot);
    this.#push(poolPin, offset, length);
  }

  #addPinned(bytes: Uint8Array): void {
    this.#held ??= [];
    this.#held.push(lease(bytes));
    this.#push(this.#memory.pin(bytes), 0, bytes.length);
  }

  #push(pin: number, offset: number, length: number): void {
    const words = this.words;
    const at = this.count * SEGMENT_TRIPLE;
    words[at] = pin;
    words[at + 1] = offset;
    words[at + 2] = length;
    this.count++;
    this.byteLength += length;
  }

  /** More segments than one SEND takes: makes one of them all. */
  #compact(): void {
    const whole = new Uint8Array(this.byteLength);
    let held = 0;
    let written = 0;
    for (let at = 0; at < this.count * SEGMENT_TRIPLE; at += SEGMENT_TRIPLE) {
      const length = this.words[at + 2] as number;
      const pinned = this.words[at] === poolPin ? undefined : this.#held?.[held++]?.bytes;
      whole.set(pinned ?? this.#pooledBytes(this.words[at + 1] as number, length), written);
      written += length;
    }
    this.releaseAll();
    this.#addPinned(whole);
  }

  #pooledBytes(offset: number, length: number): Uint8Array {
    const { pool } = this.#memory;
    return pool.bytes.subarray(pool.base + offset, pool.base + offset + length);
  }

  #releaseHeld(held: Lease[]): void {
    this.#held = null;
    for (const each of held) each.release();
  }
}

/** True for memory that may shrink, or that native code cannot borrow. */
function canVanish(chunk: Uint8Array): boolean {
  const memory = chunk.buffer as ArrayBuffer & { readonly resizable?: boolean };
  return !(memory instanceof ArrayBuffer) || memory.resizable === true;
}
